"""The dialog before a recorded demo is saved: its title, and the captions of its steps in every language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core import language
from core.contracts.text import Text, tr, verbatim
from core.contracts.written import Written
from core.demos.demo import LEAST_S, MAX_CAPTION, MOST_S, Demo, Step
from gui import theme
from gui.demos.buttons import button
from gui.demos.capture import as_caption
from gui.translation import show_text
from gui.widgets.scroll import VerticalScroll

_CAPTION_PX = 52
_SIZE_PX = (860, 620)
_MAX_TITLE = 80


@dataclass(frozen=True)
class _Row:
    """The controls of a step; `captions` by language."""

    step: Step
    captions: Mapping[str, QPlainTextEdit]
    seconds: QDoubleSpinBox
    frame: QWidget


class DemoEditor(QDialog):
    """Edits the steps of a recording. `saving` carries the Demo; the dialog stays until it is accepted or rejected."""

    saving = Signal(object)

    def __init__(self, steps: tuple[Step, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        show_text(self.setWindowTitle, tr("Save the demo"))
        self.resize(*_SIZE_PX)
        self.title = QLineEdit()
        self.title.setMaxLength(_MAX_TITLE)
        show_text(self.title.setPlaceholderText, tr("What does the demo show?"))
        show_text(self.title.setAccessibleName, tr("Title of the demo"))
        self._problem = QLabel()
        self._problem.setProperty("role", "error")
        self._problem.setWordWrap(True)
        self._list = QWidget()
        self._rows_layout = QVBoxLayout(self._list)
        self._rows_layout.setContentsMargins(0, 0, theme.GAP_M, 0)
        self._rows_layout.setSpacing(theme.GAP_L)
        self._rows = [self._add_row(number, step) for number, step in enumerate(steps, start=1)]
        self._rows_layout.addStretch(1)
        self._lay_out()

    @property
    def demo(self) -> Demo:
        """The demo as it is edited; a caption that is empty in all languages is as it was recorded."""
        steps = tuple(_edited(row) for row in self._rows)
        return Demo("", as_caption(self.title.text().strip() or str(tr("Demo"))), steps)

    def show_problem(self, sentence: Text | str) -> None:
        show_text(self._problem.setText, sentence)

    def remove(self, index: int) -> None:
        """Leave a step out, from 0. The last one stays: a demo has at least one."""
        if len(self._rows) > 1:
            row = self._rows.pop(index)
            row.frame.hide()
            row.frame.deleteLater()

    def _save(self) -> None:
        self.saving.emit(self.demo)

    def _add_row(self, number: int, step: Step) -> _Row:
        frame = QWidget()
        grid = QGridLayout(frame)
        grid.setContentsMargins(0, 0, 0, 0)
        name = QLabel()
        show_text(name.setText, tr("{number}. {page}", number=number, page=step.place.topic.title))
        name.setProperty("role", "title")
        facts = QLabel()
        facts.setProperty("role", "small")
        show_text(facts.setText, _facts(step))
        seconds = QDoubleSpinBox()
        seconds.setRange(LEAST_S, MOST_S)
        seconds.setDecimals(1)
        seconds.setValue(step.seconds)
        seconds.setSuffix(" s")
        show_text(seconds.setAccessibleName, tr("How long step {number} is shown", number=number))
        remove = QToolButton()
        show_text(remove.setText, tr("Remove"))
        show_text(remove.setAccessibleName, tr("Remove step {number}", number=number))
        remove.setProperty("role", "text")
        captions = {code: _caption(step, code, number) for code in language.LANGUAGES}
        row = _Row(step, captions, seconds, frame)
        remove.clicked.connect(lambda: self.remove(self._rows.index(row)))
        grid.addWidget(name, 0, 0)
        grid.addWidget(facts, 0, 1)
        grid.addWidget(seconds, 0, 2)
        grid.addWidget(remove, 0, 3)
        grid.setColumnStretch(1, 1)
        for place, edit in enumerate(captions.values(), start=1):
            grid.addWidget(edit, place, 0, 1, 4)
        self._rows_layout.addWidget(frame)
        return row

    def _lay_out(self) -> None:
        hint = QLabel()
        show_text(hint.setText, tr("A language that is left empty shows the caption of the other."))
        hint.setProperty("role", "small")
        save = button(tr("Save…"), tr("Choose a file for the demo"))
        save.setProperty("role", "primary")
        save.setDefault(True)
        cancel = button(tr("Back to recording"), tr("Close, and go on recording"))
        save.clicked.connect(self._save)
        cancel.clicked.connect(self.reject)
        buttons = QHBoxLayout()
        buttons.addWidget(hint)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(save)
        layout = QVBoxLayout(self)
        layout.setSpacing(theme.GAP_M)
        layout.addWidget(self.title)
        layout.addWidget(VerticalScroll(self._list), 1)
        layout.addWidget(self._problem)
        layout.addLayout(buttons)


def _caption(step: Step, code: str, number: int) -> QPlainTextEdit:
    edit = QPlainTextEdit()
    edit.setProperty("role", "passage")
    edit.setFixedHeight(_CAPTION_PX)
    edit.setTabChangesFocus(True)
    name = language.LANGUAGES[code]
    show_text(edit.setPlaceholderText, verbatim(name))
    show_text(edit.setAccessibleName, tr("Caption of step {number}: {language}", number=number, language=name))
    edit.setPlainText(step.caption.by_language.get(code, ""))
    return edit


def _edited(row: _Row) -> Step:
    texts = {code: " ".join(edit.toPlainText().split())[:MAX_CAPTION] for code, edit in row.captions.items()}
    texts = {code: text for code, text in texts.items() if text}
    caption = row.step.caption
    if texts:
        caption = Written.of(texts)
    return replace(row.step, caption=caption, seconds=row.seconds.value())


def _facts(step: Step) -> Text:
    """What the step sets and selects, as the file has it."""
    facts = {**step.place.set, **step.place.select}
    return verbatim("  ".join(f"{name}={value}" for name, value in facts.items()))
