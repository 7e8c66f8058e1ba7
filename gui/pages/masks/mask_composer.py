"""Compose a mask: chips, the same as text, and what is wrong or odd about it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMenu, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from core.masks import COUNTED_TERMS, PLAIN_TERMS, Mask
from gui import theme
from gui.pages.masks.chip_row import ChipRow

_OFFERED_COUNT = {"window": 16, "ahead": 4, "prefix": 8}
_LINE_PX = 300
_TWO_LINES_CHARACTERS = 140
"""What is shorter than this fits beside the expression in the narrowest window."""


class _Message(QLabel):
    """Two lines of text in the height that there is: asking for more at a narrow width would stretch the whole page."""

    def hasHeightForWidth(self) -> bool:
        return False

    def sizeHint(self) -> QSize:
        return QSize(100, 2 * self.fontMetrics().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)


class MaskComposer(QWidget):
    """Two views of one text. `expression_edited` carries what the user made of it; `show_mask` and `show_text` are
    silent, so that the owner of the text can answer without a loop."""

    expression_edited = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chips = ChipRow()
        self.line = QLineEdit()
        self.line.setFont(theme.mono_font())
        self.line.setAccessibleName("Expression of the mask")
        self.line.setToolTip("The mask as text: terms joined by &, | and ~, with parentheses.")
        self.line.setMinimumWidth(_LINE_PX)
        self.add_button = QToolButton()
        self.add_button.setText("+ Term")
        self.add_button.setProperty("role", "text")
        self.add_button.setToolTip("Add a term, joined by and")
        self.add_button.setAccessibleName("Add a term")
        self.add_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.add_button.setMenu(self._menu())
        self._message = _Message()
        self._message.setWordWrap(True)
        self._message.setProperty("role", "small")
        self._message.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._fault, self._sentence, self._all_warnings = "", "", ""
        self._lay_out()
        self.chips.edited.connect(self._on_chips)
        self.chips.refused.connect(self.show_fault)
        self.line.textEdited.connect(self.expression_edited)
        theme.notifier().changed.connect(self._write_message)

    @property
    def message(self) -> str:
        """The sentence that is shown, or ''."""
        return self._fault or self._sentence

    def show_mask(self, mask: Mask) -> None:
        """The mask that is drawn: chips, and the line's hint where nothing is written."""
        self.chips.set_mask(mask)
        self.line.setPlaceholderText(str(mask))

    def show_text(self, text: str) -> None:
        """What is written, valid or not."""
        if self.line.text() != text:
            self.line.setText(text)

    def show_fault(self, sentence: str) -> None:
        """Say why the text cannot be read; '' when it can."""
        if sentence != self._fault:
            self._fault = sentence
            self.line.setProperty("fault", bool(sentence))
            self.line.style().polish(self.line)
            self._write_message()

    def show_warnings(self, sentences: list[str], *, warning: bool) -> None:
        """What is odd about a mask that can be read: the first sentence, the others on request."""
        more = f"  (+{len(sentences) - 1} more)" if len(sentences) > 1 else ""
        self._sentence = f"{sentences[0]}{more}" if sentences else ""
        self._all_warnings = "\n".join(sentences)
        self._is_warning = warning
        self._write_message()

    _is_warning = False

    def _on_chips(self, mask: Mask) -> None:
        self.show_text(str(mask))
        self.expression_edited.emit(str(mask))

    def _write_message(self) -> None:
        colours = theme.current()
        text_colour = colours.bad if self._fault else colours.warn if self._is_warning else colours.muted
        self._message.setText(self.message)
        self._message.setToolTip(self._fault or self._all_warnings)
        # What does not fit is cut at its end, not at both.
        fits = len(self.message) < _TWO_LINES_CHARACTERS
        middle, top = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignTop
        self._message.setAlignment(Qt.AlignmentFlag.AlignLeft | (middle if fits else top))
        self._message.setStyleSheet(f"color: {text_colour};")

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        for name, term in (*PLAIN_TERMS.items(), *COUNTED_TERMS.items()):
            text = f"{name}({_OFFERED_COUNT[name]})" if name in COUNTED_TERMS else name
            about = (term.__doc__ or "").split(". ")[0].split(":")[0].rstrip(".")
            menu.addAction(f"{text}   —   {about}", lambda text=text: self.chips.add(text))
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
