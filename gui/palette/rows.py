"""The rows of the palette: a model of entries, and how one is painted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QIcon, QPainter, QTextCharFormat, QTextLayout
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from core.contracts.text import tr_in
from core.outside import shown_label
from core.palette.entry import Category, Entry
from gui import theme
from gui.icons import icon
from gui.palette import key_caps
from gui.zoom import Px

if TYPE_CHECKING:
    from core.palette.search import Found

_MARGIN_PX, _GAP_PX, _ICON_PX = Px(10), Px(8), Px(16)
_LINE_SHARE = 1.9
"""Height of a row as a multiple of the height of a line."""
_LEAST_TITLE_SHARE = 0.45
"""Of the width, which the title keeps beside a long note."""
_ICONS = {
    Category.ACTION: "command",
    Category.QUESTION: "help",
    Category.EXAMPLE: "open",
    Category.FILE: "open",
    Category.RUN: "history",
}
AnyIndex = QModelIndex | QPersistentModelIndex


class Rows(QAbstractListModel):
    """What was found, best first. `words` are those of the query, which titles mark."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._found: tuple[Found, ...] = ()
        self.words: tuple[str, ...] = ()

    def show(self, found: Sequence[Found], words: Sequence[str]) -> None:
        self.beginResetModel()
        self._found, self.words = tuple(found), tuple(words)
        self.endResetModel()

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._found)

    def at(self, row: int) -> Found:
        return self._found[row]

    def ends_recent(self, row: int) -> bool:
        """Whether the row is the last recent one, and others follow."""
        return self._found[row].is_recent and row + 1 < len(self._found) and not self._found[row + 1].is_recent

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> str | None:
        entry = self._found[index.row()].entry
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole:
                return title_of(entry)
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{title_of(entry)}, {kind_of(entry)}"
        return None


def title_of(entry: Entry) -> str:
    """The title without the marks of a menu."""
    return shown_label(str(entry.title).replace("&", ""))


def kind_of(entry: Entry) -> str:
    """What is at the right of a row: where the entry belongs, and its category."""
    if not entry.where:
        return str(entry.category.title)
    return str(tr_in("palette", "{page} · {category}", page=entry.where, category=entry.category.title))


class RowPainter(QStyledItemDelegate):
    """Icon, title with the words of the query marked, note; at the right the keys and the category."""

    def sizeHint(self, option: QStyleOptionViewItem, index: AnyIndex) -> QSize:
        return QSize(0, row_height_px())

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: AnyIndex) -> None:
        rows = index.model()
        assert isinstance(rows, Rows)
        entry, colours = rows.at(index.row()).entry, theme.current()
        box: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.accent_soft))
            painter.drawRoundedRect(box.adjusted(4, 0, -4, 0), theme.RADIUS, theme.RADIUS)
        _icon(_ICONS.get(entry.category, entry.page), colours.muted).paint(
            painter, QRect(box.left() + _MARGIN_PX, box.center().y() - _ICON_PX // 2, _ICON_PX, _ICON_PX)
        )
        left = box.left() + _MARGIN_PX + _ICON_PX + _GAP_PX
        right = self._paint_right(painter, QRectF(box), entry) - _GAP_PX
        self._paint_left(painter, QRectF(left, box.top(), right - left, box.height()), entry, rows.words)
        if rows.ends_recent(index.row()):
            painter.setPen(QColor(colours.border))
            painter.drawLine(box.left() + _MARGIN_PX, box.bottom(), box.right() - _MARGIN_PX, box.bottom())
        painter.restore()

    def _paint_right(self, painter: QPainter, box: QRectF, entry: Entry) -> float:
        """The category and, before it, the keys; returns where they begin."""
        painter.setFont(theme.ui_font("small"))
        painter.setPen(QColor(theme.current().faint))
        kind = kind_of(entry)
        left = box.right() - _MARGIN_PX - QFontMetricsF(painter.font()).horizontalAdvance(kind)
        painter.drawText(QRectF(left, box.top(), box.right() - left, box.height()), Qt.AlignmentFlag.AlignVCenter, kind)
        if entry.keys:
            caps = key_caps.caps_of(entry.keys[0])
            left -= key_caps.width_of(caps) + _GAP_PX
            key_caps.paint_caps(painter, left, box.center().y(), caps)
        return left

    def _paint_left(self, painter: QPainter, box: QRectF, entry: Entry, words: Sequence[str]) -> None:
        font, note_font = theme.ui_font(), theme.ui_font("small")
        metrics, note_metrics = QFontMetricsF(font), QFontMetricsF(note_font)
        note = shown_label(entry.note())
        title, note_width = title_of(entry), note_metrics.horizontalAdvance(note) + _GAP_PX if note else 0.0
        room = max(box.width() - note_width, box.width() * _LEAST_TITLE_SHARE)
        elided = metrics.elidedText(title, Qt.TextElideMode.ElideRight, room)
        _paint_marked(painter, box, elided, words)
        used = metrics.horizontalAdvance(elided) + _GAP_PX
        if note and box.width() - used > 2 * metrics.averageCharWidth():
            painter.setFont(note_font)
            painter.setPen(QColor(theme.current().muted))
            shown = note_metrics.elidedText(note, Qt.TextElideMode.ElideMiddle, box.width() - used)
            painter.drawText(box.adjusted(used, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, shown)


def row_height_px() -> int:
    return round(QFontMetricsF(theme.ui_font()).height() * _LINE_SHARE)


@lru_cache(maxsize=64)
def _icon(name: str, colour: str) -> QIcon:
    """Drawn once: a row is painted for every key."""
    return icon(name, colour)


def _paint_marked(painter: QPainter, box: QRectF, text: str, words: Sequence[str]) -> None:
    """A line of text in which the words have the accent colour."""
    colours = theme.current()
    layout = QTextLayout(text, theme.ui_font())
    marked = QTextCharFormat()
    marked.setForeground(QColor(colours.accent))
    ranges = []
    for word in words:
        for match in re.finditer(re.escape(word), text, re.IGNORECASE):
            part = QTextLayout.FormatRange()
            part.start, part.length, part.format = match.start(), len(match[0]), marked  # type: ignore[attr-defined]
            ranges.append(part)
    layout.setFormats(ranges)
    layout.beginLayout()
    line = layout.createLine()
    line.setLineWidth(1e6)
    layout.endLayout()
    painter.setPen(QColor(colours.text))
    layout.draw(painter, QPointF(box.left(), box.center().y() - line.height() / 2))
