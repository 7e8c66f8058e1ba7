"""Paints the turns of a conversation: role, text, and how many of its tokens are targets; opens their editors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QRect, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from core.contracts.text import Text, tr_in, verbatim
from core.outside import shown_label
from gui import theme as themes
from gui import zoom
from gui.pages.dialogue.token_painting import role_colour
from gui.pages.dialogue.turn_model import PART_ROLE, Index
from gui.pages.dialogue.turn_parts import Kind, Part
from gui.pages.dialogue.turn_text import TurnText
from gui.theme import mix
from gui.widgets.wrapped_text import LINE_FLAGS, wrapped
from gui.zoom import Px

_ROLE_PX, _COUNT_PX = Px(92), Px(58)
_LINES, _EDITED_LINES = 4, 9
_EDGE_PX = Px(4)
_EDITOR_PX = 10
"""What the frame and the margins of the editor take, in each direction."""
_NAMES: Mapping[Kind, Text] = {
    Kind.THOUGHT: tr_in("turn", "thinks"),
    Kind.CALL: tr_in("turn", "calls"),
    Kind.TOOLS: tr_in("turn", "tools"),
}


class TurnDelegate(QStyledItemDelegate):
    def __init__(self, view: Any) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        part: Part = index.data(PART_ROLE)
        width = self._view.viewport().width()
        is_edited = self._view.editing == part
        most = _EDITED_LINES if is_edited else _LINES
        room = self._text_px - (_EDITOR_PX if is_edited else 0)
        lines = len(_lines(part.text, part.kind, room, most))
        height = max(1, lines) * QFontMetrics(_font_of(part.kind)).lineSpacing() + 2 * _EDGE_PX
        return QSize(width, height + _EDITOR_PX if is_edited else height)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        part: Part = index.data(PART_ROLE)
        theme = themes.current()
        rect = QRectF(option.rect)
        painter.save()
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(theme.accent_soft))
        self._paint_role(painter, part, rect)
        if self._view.editing != part:
            text_box = rect.adjusted(_ROLE_PX, _EDGE_PX, -_COUNT_PX, -_EDGE_PX)
            painter.setFont(_font_of(part.kind))
            painter.setPen(QColor(theme.text if part.kind is Kind.CONTENT else theme.muted))
            lines = _lines(part.text, part.kind, self._text_px, _LINES)
            pitch = QFontMetrics(painter.font()).lineSpacing()
            for number, line in enumerate(lines):
                box = QRectF(text_box.left(), text_box.top() + number * pitch, text_box.width(), pitch)
                painter.drawText(box, LINE_FLAGS, shown_label(line))
        if part.kind is Kind.CONTENT or (part.kind is Kind.CALL and part.call == 0 and self._is_first(index)):
            self._paint_counts(painter, part, rect)
        painter.setPen(QPen(QColor(theme.border), 1))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.restore()

    @property
    def _text_px(self) -> int:
        """The width of the texts: beside a scroll bar, also where there is none. Rows that were laid out before the bar
        came would be too low with it."""
        bar_px = self._view.verticalScrollBar().sizeHint().width()
        return int(self._view.maximumViewportSize().width() - bar_px - _ROLE_PX - _COUNT_PX)

    def _is_first(self, index: Index) -> bool:
        """Whether no content of the same message is above: then the message's numbers are here."""
        parts = self._view.turns.parts
        return not any(
            part.message == parts[index.row()].message and part.kind is Kind.CONTENT for part in parts[: index.row()]
        )

    def _paint_role(self, painter: QPainter, part: Part, rect: QRectF) -> None:
        theme = themes.current()
        colour = role_colour(theme, part.role)
        font = themes.ui_font("small", bold=part.kind is Kind.CONTENT)
        painter.setFont(font)
        metrics = QFontMetrics(font)
        box = QRectF(rect.left() + 6, rect.top() + _EDGE_PX - 1, _ROLE_PX - 14, metrics.height() + 2)
        if part.kind is Kind.CONTENT:
            painter.fillRect(box, QColor(mix(theme.surface, colour, 0.20)))
            painter.fillRect(QRectF(box.left(), box.top(), 2.5, box.height()), QColor(colour))
        painter.setPen(QColor(colour if part.kind is Kind.CONTENT else theme.muted))
        name = verbatim(part.role) if part.kind is Kind.CONTENT else _NAMES[part.kind]
        words = box.adjusted(7, 0, 0, 0)
        text = metrics.elidedText(shown_label(str(name)), Qt.TextElideMode.ElideRight, int(words.width()))
        painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)

    def _paint_counts(self, painter: QPainter, part: Part, rect: QRectF) -> None:
        counts = self._view.counts
        if not 0 <= part.message < len(counts):
            return
        tokens, targets = counts[part.message]
        theme = themes.current()
        painter.setFont(themes.mono_font("small"))
        painter.setPen(QColor(theme.good if targets else theme.faint))
        box = QRectF(
            rect.right() - _COUNT_PX, rect.top() + _EDGE_PX, _COUNT_PX - 6, QFontMetrics(painter.font()).height()
        )
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{targets}/{tokens}")

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        part: Part = index.data(PART_ROLE)
        editor = TurnText(parent)
        editor.setFont(_font_of(part.kind))
        editor.rested.connect(lambda text: self._view.tell_typed(part, text))
        editor.add_requested.connect(self._view.add_requested)
        QTimer.singleShot(0, self, self._view.fit_editor)
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Once, when it opens: what is typed may be ahead of the model."""
        if isinstance(editor, TurnText) and not editor.property("filled"):
            editor.setProperty("filled", True)
            editor.take(index.data(PART_ROLE).text)
            editor.moveCursor(editor.textCursor().MoveOperation.End)

    def setModelData(self, editor: QWidget, model: object, index: Index) -> None:
        """The conversation changes through the form, and never here."""
        if isinstance(editor, TurnText):
            editor.flush()

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        rect = QRect(option.rect)
        fits = rect.height() < _EDITED_LINES * editor.fontMetrics().lineSpacing()
        policies = Qt.ScrollBarPolicy
        if isinstance(editor, TurnText):
            editor.setVerticalScrollBarPolicy(policies.ScrollBarAlwaysOff if fits else policies.ScrollBarAsNeeded)
        editor.setGeometry(rect.adjusted(_ROLE_PX - 6, 1, -_COUNT_PX + 4, -2))


def _font_of(kind: Kind) -> QFont:
    if kind in (Kind.CALL, Kind.TOOLS):
        return themes.mono_font("small")
    font = themes.ui_font("body")
    font.setItalic(kind is Kind.THOUGHT)
    return font


@zoom.cached(4096)
def _lines(text: str, kind: Kind, width: int, most: int) -> tuple[str, ...]:
    """The lines of a text in a width, at most `most`; line ends are kept."""
    found: list[str] = []
    for paragraph in text[:4000].split("\n"):
        found += wrapped(paragraph, _font_of(kind), width, most) or [""]
        if len(found) >= most:
            break
    return tuple(found[:most])
