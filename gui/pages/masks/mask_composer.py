"""Compose a mask: chips, the same mask as text, and its errors and warnings."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from core.contracts.text import EMPTY, Text, tr
from core.masks import COUNTED_TERMS, PLAIN_TERMS, Mask
from gui import theme, translation
from gui.pages.masks.chip_row import ChipRow
from gui.translation import show_text
from gui.widgets.wrapped_text import wrapped
from gui.zoom import Px

_OFFERED_COUNT = {"window": 16, "ahead": 4, "prefix": 8}
_MEANINGS = {
    "causal": tr("no key after the query's own position, both ends aligned (bottom-right)"),
    "causal_top_left": tr("no key after the query's own index, counted from the first key"),
    "padding": tr("the keys that are pads"),
    "padded_queries": tr("the queries that are pads"),
    "documents": tr("keys in the same document"),
    "turns": tr("keys in the same turn or an earlier one"),
    "same_turn": tr("keys in the same turn"),
    "all": tr("every key"),
    "none": tr("no key"),
    "window": tr("the query's own key, the n − 1 before it, and all later ones"),
    "ahead": tr("no key more than n positions ahead"),
    "prefix": tr("the first n keys"),
}
_LINE_PX = Px(300)
_MESSAGE_PX = Px(34)
"""Two lines, as high in every language."""


class _Message(QLabel):
    """At most two lines of text, with an ellipsis where it does not fit; the tooltip has the whole text."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = ""
        self.setProperty("role", "small")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def set_whole(self, text: str) -> None:
        self._whole = text
        self._wrap()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._wrap()

    def sizeHint(self) -> QSize:
        return QSize(100, _MESSAGE_PX)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, _MESSAGE_PX)

    def _wrap(self) -> None:
        self.setText("\n".join(wrapped(self._whole, self.font(), self.width() - 2.0, 2)))


class MaskComposer(QWidget):
    """Two views of one text. `expression_edited` carries the user's edit; `show_mask` and `show_expression` emit
    nothing, so that the owner of the text can respond without a loop."""

    expression_edited = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chips = ChipRow()
        self.line = QLineEdit()
        self.line.setFont(theme.mono_font())
        show_text(self.line.setAccessibleName, tr("Mask expression"))
        show_text(self.line.setToolTip, tr("The mask as text: terms joined by &, | and ~, with parentheses."))
        self.line.setMinimumWidth(_LINE_PX)
        self.add_button = QToolButton()
        show_text(self.add_button.setText, tr("+ Term"))
        self.add_button.setProperty("role", "text")
        show_text(self.add_button.setToolTip, tr("Add a term, joined by and"))
        show_text(self.add_button.setAccessibleName, tr("Add a term"))
        self.add_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.add_button.setMenu(self._menu())
        self._message = _Message()
        self._problem: Text | str = EMPTY
        self.warnings: tuple[Text, ...] = ()
        self._lay_out()
        self.chips.edited.connect(self._on_chips)
        self.chips.refused.connect(self.show_problem)
        self.line.textEdited.connect(self.expression_edited)
        theme.notifier().changed.connect(self._write_message)
        translation.notifier().changed.connect(self._write_message)

    @property
    def message(self) -> str:
        """The visible sentence, or ''."""
        if self._problem or not self.warnings:
            return str(self._problem)
        first, others = self.warnings[0], len(self.warnings) - 1
        return str(tr("{warning}  (+{count} more)", warning=first, count=others) if others else first)

    def show_mask(self, mask: Mask) -> None:
        """Show the mask: as chips, and as the placeholder of the empty line."""
        self.chips.set_mask(mask)
        self.line.setPlaceholderText(str(mask))

    def show_expression(self, text: str) -> None:
        """Show the expression, valid or not."""
        if self.line.text() != text:
            self.line.setText(text)

    def show_problem(self, text: Text | str) -> None:
        """Say why the expression cannot be read; an empty text if it can."""
        if str(text) != str(self._problem):
            self._problem = text
            self.line.setProperty("invalid", bool(text))
            self.line.style().polish(self.line)
            self._write_message()

    def show_warnings(self, texts: Sequence[Text], *, warning: bool) -> None:
        """Show what is unusual about a valid mask: the first text, and the others in the tooltip."""
        self.warnings = tuple(texts)
        self._is_warning = warning
        self._write_message()

    _is_warning, _message_colour = False, ""

    def _on_chips(self, mask: Mask) -> None:
        self.show_expression(str(mask))
        self.expression_edited.emit(str(mask))

    def _write_message(self) -> None:
        colours = theme.current()
        text_colour = colours.bad if self._problem else colours.warn if self._is_warning else colours.muted
        self._message.set_whole(self.message)
        show_text(self._message.setToolTip, str(self._problem) or "\n".join(map(str, self.warnings)))
        if text_colour != self._message_colour:  # Qt styles the label anew, even for the same colour
            self._message_colour = text_colour
            self._message.setStyleSheet(f"color: {text_colour};")

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        for name in (*PLAIN_TERMS, *COUNTED_TERMS):
            term = f"{name}({_OFFERED_COUNT[name]})" if name in COUNTED_TERMS else name
            action = menu.addAction("", lambda term=term: self.chips.add(term))
            show_text(action.setText, tr("{term}   —   {meaning}", term=term, meaning=_MEANINGS[name]))
        return menu

    def _lay_out(self) -> None:
        above = QHBoxLayout()
        above.setContentsMargins(0, 0, 0, 0)
        above.setSpacing(6)
        above.addWidget(self.chips, 1)
        above.addWidget(self.add_button)
        below = QHBoxLayout()
        below.setSpacing(10)
        below.addWidget(self.line, 2)
        below.addWidget(self._message, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 7)
        column.setSpacing(3)
        column.addLayout(above)
        column.addLayout(below)
