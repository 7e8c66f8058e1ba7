"""How the rows of the lists of the home page are painted: questions with their verdicts, headings, and groups."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem

from core.outside import shown_label
from gui import theme, zoom
from gui.widgets.badge import chip_size, paint_chip
from gui.widgets.wrapped_text import wrapped
from gui.zoom import Px

ROW_PX, LINE_PX, HEADING_PX, GROUP_PX = Px(44), Px(17), Px(34), Px(30)
_MOST_LINES = 2
_EDGE_PX, _GAP_PX = 12, 10
_ABOVE_PX, _QUESTION_PX, _LINK_TOP_PX, _LINK_PX = Px(4), Px(18), Px(20), Px(17)
COUNT_ROLE = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class RowDelegate(QStyledItemDelegate):
    """Paints the rows of an `IndexView`: the question, below it where its answer is, and the verdict."""

    def __init__(self, view: QListView) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        if _row(index).question is None:
            return QSize(0, HEADING_PX.now)
        return QSize(0, ROW_PX + LINE_PX * (len(self._lines(index)) - 1))

    def _lines(self, index: Index) -> list[str]:
        """The question in the width of the list: on two lines where one is not enough. The width is the same with and
        without a scroll bar, so that a row has the height of what is painted in it."""
        bar = self._view.verticalScrollBar().sizeHint().width()
        width = self._view.width() - bar - 2 * _EDGE_PX - _GAP_PX
        return _wrapped(shown_label(str(_row(index).question.question)), width)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, colours = _row(index), theme.current()
        area = QRect(option.rect).adjusted(_EDGE_PX, 0, -_EDGE_PX, 0)
        painter.save()
        if row.question is None:
            painter.setFont(theme.ui_font("small", bold=True))
            painter.setPen(QColor(colours.muted))
            painter.drawText(area.adjusted(0, 10, 0, -2), _LEFT, _elided(painter, str(row.heading), area.width()))
            painter.restore()
            return
        _paint_background(painter, option)
        standing = index.model().standing_of(row.question)
        chip = chip_size(shown_label(str(standing.label)))
        below = QRect(self.link_rect(option.rect, index))
        place = QRectF(area.right() - chip.width(), below.center().y() - chip.height() / 2 + 0.5, *chip.toTuple())
        paint_chip(painter, place, str(standing.label), standing.colour, colours.surface)
        painter.setFont(theme.ui_font("body"))
        painter.setPen(QColor(colours.text))
        for number, text in enumerate(self._lines(index)):
            above = QRect(area.left(), area.top() + _ABOVE_PX + LINE_PX * number, area.width(), _QUESTION_PX.now)
            painter.drawText(above, _LEFT, text)
        from PySide6.QtWidgets import QStyle

        is_looked_at = option.state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_Selected)
        painter.setFont(theme.ui_font("small"))
        painter.setPen(QColor(colours.accent if is_looked_at else colours.muted))
        below.setWidth(min(below.width(), int(place.left()) - below.left() - _GAP_PX))
        painter.drawText(below, _LEFT, _elided(painter, str(row.context), below.width()))
        painter.restore()

    def link_rect(self, rect: QRect, index: Index) -> QRect:
        """Where the small line of a question is, in the row at `rect`: a click on it opens the page."""
        width = QFontMetrics(theme.ui_font("small")).horizontalAdvance(str(_row(index).context))
        area = rect.adjusted(_EDGE_PX, 0, -_EDGE_PX, 0)
        return QRect(area.left(), rect.bottom() - _LINK_TOP_PX, min(width + 2, area.width()), _LINK_PX.now)


class GroupDelegate(QStyledItemDelegate):
    """Paints a name, and at the right how many there are."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, GROUP_PX.now)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        colours = theme.current()
        _paint_background(painter, option)
        area = QRect(option.rect).adjusted(_EDGE_PX, 0, -_EDGE_PX, 0)
        count = str(index.data(COUNT_ROLE) or "")
        painter.save()
        painter.setFont(theme.ui_font("small"))
        painter.setPen(QColor(colours.faint))
        painter.drawText(area, _RIGHT, count)
        room = area.width() - painter.fontMetrics().horizontalAdvance(count) - _GAP_PX
        painter.setFont(theme.ui_font("body"))
        painter.setPen(QColor(colours.text))
        painter.drawText(area, _LEFT, _elided(painter, str(index.data()), room))
        painter.restore()


@zoom.cached(1024)
def _wrapped(text: str, width: int) -> list[str]:
    return wrapped(text, theme.ui_font("body"), width, _MOST_LINES)


def _row(index: Index):  # type: ignore[no-untyped-def]
    return index.model().rows[index.row()]


def _paint_background(painter: QPainter, option: QStyleOptionViewItem) -> None:
    """Selection, hover and focus, as the style paints them."""
    view = option.widget
    assert isinstance(view, QListView)
    from PySide6.QtWidgets import QStyle  # makes many types, and without rows nobody needs them

    colours = theme.current()
    selected = bool(option.state & QStyle.StateFlag.State_Selected)
    if selected or option.state & QStyle.StateFlag.State_MouseOver:
        painter.fillRect(option.rect, QColor(colours.accent_soft if selected else colours.hover))
    if selected:
        width = 3 if view.hasFocus() else 2
        painter.fillRect(QRect(option.rect.topLeft(), QSize(width, option.rect.height())), QColor(colours.accent))


def _elided(painter: QPainter, text: str, width: int) -> str:
    return painter.fontMetrics().elidedText(shown_label(text), Qt.TextElideMode.ElideRight, width)
