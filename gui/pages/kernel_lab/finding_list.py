"""The findings by kind: what happened, where, how to mend it, and a button that shows it in all pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QModelIndex, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QGuiApplication, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from core.contracts.text import Text, tr
from core.outside import TIP_LIMIT, shown_label
from core.topics.kernel_lab.result import KernelLabResult
from core.topics.kernel_lab.wording import kind_of_fault, verdict_of
from gui import theme as themes
from gui import translation, zoom
from gui.pages.kernel_lab.finding_rows import (
    LINE_ROLE,
    SEVERITIES,
    Answer,
    FindingRows,
    Found,
    Head,
    Index,
    Line,
    Note,
    lines_of,
)
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.badge import chip_size, paint_chip
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.empty_sentence import EmptySentence
from gui.widgets.keyboard_nav import PICKS, keeps_arrows
from gui.widgets.wrapped_text import LINE_FLAGS, wrapped
from gui.zoom import Px

_NOTHING_YET = tr("What is wrong with the kernels is listed here.")
_FOLDERS = re.compile(r"(?:[A-Za-z]:)?[A-Za-z0-9_.~-]*(?:[\\/][^\s\\/:]+)*[\\/](?=[^\s\\/:]+\.py:\d)")
"""The folders of a path, before 'file.py:7'."""

_SHOW_ME = tr("Show me")
_EDGE_PX, _GAP_PX = Px(6), Px(3)
_MOST_LINES = 200


class FindingList(QWidget):
    """`picked` carries a `Found` that the user clicked, walked to, or wants shown."""

    picked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = _View()
        self._result: KernelLabResult | None = None
        self._empty = EmptySentence(_NOTHING_YET)
        self._empty.setProperty("role", "empty")
        self._empty.setMargin(12)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.view)
        self.view.picked.connect(self.picked)
        translation.notifier().changed.connect(self._retranslate)

    @property
    def found(self) -> tuple[Found, ...]:
        """The findings in the order of the list."""
        return tuple(line for line in self.view.rows.lines if isinstance(line, Found))

    @property
    def notes(self) -> tuple[Note, ...]:
        return tuple(line for line in self.view.rows.lines if isinstance(line, Note))

    @property
    def marked(self) -> Found | None:
        """The finding that is selected."""
        return self.view.current

    @property
    def has_news(self) -> bool:
        """Whether there are findings, a failure or answers about all sizes."""
        is_answered = any(isinstance(line, Answer) for line in self.view.rows.lines)
        return bool(self.found) or is_answered or any(note.is_failure for note in self.notes)

    @property
    def sentence(self) -> str:
        """What is shown before a run, '' after it."""
        return self._empty.text() if self._stack.currentWidget() is self._empty else ""

    def show_result(self, result: KernelLabResult | None) -> None:
        """List the findings of a run; None before one."""
        lines = [] if result is None else lines_of(result)
        if lines != self.view.rows.lines:
            self.view.set_lines(lines)
        self._result = result
        self._stack.setCurrentWidget(self._empty if result is None else self.view)

    def mark(self, number: int | None) -> None:
        """Select a finding and bring it into view; None selects none. Emits no signal."""
        self.view.go_to(number)

    def data_table(self) -> DataTable | None:
        """One row per finding, with the fields of the JSON report."""
        rows = [] if self._result is None else self._result.rows("faults")
        return table_of({name: [row[name] for row in rows] for name in rows[0]}) if rows else None

    def _retranslate(self, _: object = None) -> None:
        self.view.relayout()


class _View(QListView):
    picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.rows = FindingRows()
        self._is_silent = False
        self.setModel(self.rows)
        self.setItemDelegate(_Delegate(self))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)  # the texts keep their width
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().setSingleStep(18)
        show_text(self.setAccessibleName, tr("Findings by kind"))
        show_text(self.setAccessibleDescription, tr("Arrows go from one to the next, Enter shows it in all pictures."))
        self.selectionModel().currentChanged.connect(self._on_current)

    @property
    def current(self) -> Found | None:
        index = self.currentIndex()
        line = self.rows.lines[index.row()] if index.isValid() and self.selectionModel().isSelected(index) else None
        return line if isinstance(line, Found) else None

    def set_lines(self, lines: Sequence[Line]) -> None:
        kept = self.current
        self._is_silent = True
        self.rows.set_lines(lines)
        self._is_silent = False
        self.go_to(None if kept is None else kept.number)

    def relayout(self) -> None:
        self.scheduleDelayedItemsLayout()
        self.viewport().update()

    def go_to(self, number: int | None) -> None:
        place = self.rows.place_of(number)
        current = self.current
        if place is not None and current is not None and current.number == number:
            return
        self._is_silent = True
        if place is None:
            self.clearSelection()
        else:
            self.setCurrentIndex(self.rows.index(place))
            self.scrollTo(self.rows.index(place))
        self._is_silent = False

    def button_of(self, index: Index) -> QRect:
        """Where the button of a finding is."""
        return _button_in(self.visualRect(index))

    def event(self, event: QEvent) -> bool:
        return keeps_arrows(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if Qt.Key(event.key()) in PICKS and self.current is not None:
            self.picked.emit(self.current)
        elif event.matches(QKeySequence.StandardKey.Copy) and self.currentIndex().isValid():
            QGuiApplication.clipboard().setText(str(self.currentIndex().data()))
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click on the current finding shows it again, as other pictures may have moved on."""
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        if event.button() is Qt.MouseButton.LeftButton and index.isValid() and self._is_button(event.position()):
            self.picked.emit(index.data(LINE_ROLE))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        shapes = Qt.CursorShape
        is_button = self._is_button(event.position())
        self.viewport().setCursor(shapes.PointingHandCursor if is_button else shapes.ArrowCursor)

    def _is_button(self, position: object) -> bool:
        point: QPoint = position.toPoint()  # type: ignore[attr-defined]
        index = self.indexAt(point)
        is_finding = index.isValid() and isinstance(index.data(LINE_ROLE), Found)
        return is_finding and self.button_of(index).contains(point)

    def focusInEvent(self, event: object) -> None:
        """Qt makes the first line current when the focus comes by Tab; this must not select it."""
        self._is_silent = True
        super().focusInEvent(event)  # type: ignore[arg-type]
        self._is_silent = False

    def _on_current(self, current: QModelIndex) -> None:
        line = self.rows.lines[current.row()] if current.isValid() else None
        if not self._is_silent and isinstance(line, Found):
            self.picked.emit(line)


class _Delegate(QStyledItemDelegate):
    def __init__(self, view: _View) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        width = self._view.viewport().width()
        line = index.data(LINE_ROLE)
        pitch = _pitch()
        if isinstance(line, Head):
            return QSize(width, max(pitch, chip_size("x").height()) + 2 * _EDGE_PX)
        count = len(_texts(line, width))
        return QSize(width, count * pitch + 2 * _EDGE_PX + (_button_px() if isinstance(line, Found | Answer) else 0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        line, theme, rect = index.data(LINE_ROLE), themes.current(), QRectF(option.rect)
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(theme.accent_soft))
        if isinstance(line, Head):
            _paint_head(painter, line, rect, theme)
        else:
            top = rect.top() + _EDGE_PX
            if isinstance(line, Found | Answer):
                painter.fillRect(QRectF(rect.left(), rect.top(), 3, rect.height()), QColor(_colour(line, theme)))
                _paint_place(painter, line, option.rect, theme)
                top += _button_px()
            painter.setFont(themes.ui_font("small"))
            for number, (text, tone) in enumerate(_texts(line, int(rect.width()))):
                painter.setPen(QColor(getattr(theme, tone)))
                box = QRectF(rect.left() + 2 * _EDGE_PX, top + number * _pitch(), rect.width(), _pitch())
                painter.drawText(box, LINE_FLAGS, text)
            painter.setPen(QPen(QColor(theme.border), 1))
            painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.restore()


def _paint_head(painter: QPainter, head: Head, rect: QRectF, theme: Theme) -> None:
    painter.fillRect(rect, QColor(theme.sunken))
    word = str(SEVERITIES[head.first.severity])
    size = chip_size(word)
    chip = QRectF(rect.left() + _EDGE_PX, rect.center().y() - size.height() / 2, size.width(), size.height())
    paint_chip(painter, chip, word, _colour(head, theme), theme.sunken)
    painter.setFont(themes.ui_font("body", bold=True))
    painter.setPen(QColor(theme.text))
    box = QRectF(chip.right() + _EDGE_PX, rect.top(), rect.right() - chip.right() - 2 * _EDGE_PX, rect.height())
    name = shown_label(f"{kind_of_fault(head.first)} · {head.count:,}")
    text = QFontMetrics(painter.font()).elidedText(name, Qt.TextElideMode.ElideRight, int(box.width()))
    painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


def _paint_place(painter: QPainter, found: Found | Answer, rect: QRect, theme: Theme) -> None:
    """The button of a finding, or the verdict of an answer, and where it is."""
    button = _button_in(rect, str(verdict_of(found.proof)) if isinstance(found, Answer) else "")
    if isinstance(found, Answer):
        paint_chip(painter, QRectF(button), str(verdict_of(found.proof)), _colour(found, theme), theme.surface)
    else:
        paint_chip(painter, QRectF(button), str(_SHOW_ME), theme.accent, theme.surface)
    painter.setFont(themes.mono_font("small"))
    painter.setPen(QColor(theme.text))
    left = rect.left() + 2 * _EDGE_PX
    box = QRectF(left, button.top(), button.left() - left - _EDGE_PX, button.height())
    place = shown_label(found.place)
    text = QFontMetrics(painter.font()).elidedText(place, Qt.TextElideMode.ElideLeft, int(box.width()))
    painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


def _button_in(rect: QRect, word: str = "") -> QRect:
    size = chip_size(word or str(_SHOW_ME))
    width, height = size.width() + 2 * _EDGE_PX, size.height() + 2
    return QRect(rect.right() - width - _EDGE_PX, rect.top() + _EDGE_PX, width, height)


def _button_px() -> int:
    return chip_size("x").height() + 2 + _GAP_PX


def _pitch() -> int:
    return QFontMetrics(themes.ui_font("small")).lineSpacing() + 1


def _colour(line: Head | Found | Answer, theme: Theme) -> str:
    if isinstance(line, Answer):
        return {"proved": theme.good, "counterexample": theme.bad}.get(line.proof.verdict, theme.muted)
    row = line.first if isinstance(line, Head) else line.row
    return theme.bad if row.severity == "fault" else theme.muted


def _texts(line: Note | Found | Answer, width: int) -> tuple[tuple[str, str], ...]:
    """The lines of text with the names of their colours."""
    if isinstance(line, Note):
        parts: list[tuple[Text, str]] = [(line.text, "bad" if line.is_failure else "muted")]
    elif isinstance(line, Answer):
        parts = [(line.proof.sentence, "text")]
    else:
        parts = [(line.row.sentence, "text"), (line.row.repair, "good")]
    texts = [(without_folders(str(part)), tone) for part, tone in parts]
    return tuple((text, tone) for part, tone in texts for text in _wrapped(part, width - 3 * _EDGE_PX))


def without_folders(text: str) -> str:
    """A sentence with files by their names: a path of a hundred letters says no more, as the page shows the file."""
    return _FOLDERS.sub("", text)


@zoom.cached(1024)
def _wrapped(text: str, width: int) -> tuple[str, ...]:
    if not text:
        return ()
    return tuple(wrapped(shown_label(text, TIP_LIMIT), themes.ui_font("small"), width, _MOST_LINES))
