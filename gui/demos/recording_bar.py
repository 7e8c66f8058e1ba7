"""The bar below the page while a demo is recorded: how many steps there are, and the caption of the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QWidget

from core.contracts.text import tr, tr_plural
from core.demos.demo import MAX_CAPTION
from gui import theme, translation
from gui.demos.buttons import button, shortcut
from gui.translation import show_text

if TYPE_CHECKING:
    from gui.demos.recorder import Recorder


class RecordingBar(QFrame):
    """Shows a recorder. `finished` asks to stop and save, `discarded` to stop without saving."""

    finished = Signal()
    discarded = Signal()

    def __init__(self, recorder: Recorder, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "demo")
        self._recorder = recorder
        self.count = QLabel()
        self.caption = QLineEdit()
        self.caption.setMaxLength(MAX_CAPTION)
        show_text(self.caption.setPlaceholderText, tr("What is there to see? Empty: the question of the page."))
        show_text(self.caption.setAccessibleName, tr("Caption of the step"))
        self.add = button(tr("Add step"), tr("Record what is in view as a step (Ctrl+Enter)"))
        self.undo = button(tr("Undo step"), tr("Forget the last step (Ctrl+Backspace)"))
        self.finish = button(tr("Stop and save…"), tr("Edit the captions, and save the demo"))
        self.discard = button(tr("Discard"), tr("Stop, and forget the steps"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.GAP_L, theme.GAP_S, theme.GAP_L, theme.GAP_S)
        layout.setSpacing(theme.GAP_S)
        layout.addWidget(self.count)
        layout.addWidget(self.caption, 1)
        for each in (self.add, self.undo, self.finish, self.discard):
            layout.addWidget(each)
        self.add.clicked.connect(self.add_step)
        self.caption.returnPressed.connect(self.add_step)
        self.undo.clicked.connect(recorder.undo_step)
        self.finish.clicked.connect(self.finished)
        self.discard.clicked.connect(self.discarded)
        recorder.changed.connect(self._show)
        translation.notifier().changed.connect(self._show)
        shortcut(self, "Ctrl+Return", self.add_step)
        shortcut(self, "Ctrl+Backspace", recorder.undo_step)
        self.hide()

    def add_step(self) -> None:
        """Record the page in view with the caption that is typed."""
        self._recorder.capture(self.caption.text().strip())
        self.caption.clear()

    def _show(self) -> None:
        self.setVisible(self._recorder.is_recording)
        count = len(self._recorder.steps)
        show_text(self.count.setText, tr_plural("● Recording: {count} step", "● Recording: {count} steps", count=count))
        self.undo.setEnabled(count > 0)
