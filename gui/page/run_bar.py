"""Run, cancel, the device, and the progress."""

from __future__ import annotations

import time

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLabel, QProgressBar, QPushButton, QWidget

from core.contracts.text import Text, tr
from gui import theme
from gui.icons import icon
from gui.page.device_choice import DeviceChoice
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.zoom import Px

_PROGRESS_STEPS = 1000
_ELAPSED_EVERY_MS = 200
_BUTTON_PX = Px(28)
"""The height that Chinese needs, in every language."""


class RunBar(QWidget):
    """`run_requested` carries the device. It shows the state and decides nothing."""

    run_requested = Signal(str)
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run_button = QPushButton()
        show_text(self.run_button.setText, tr("Run"))
        self.run_button.setProperty("role", "primary")
        show_text(self.run_button.setToolTip, tr("Run with these parameters (F5 or Ctrl+R)"))
        self.cancel_button = QPushButton()
        show_text(self.cancel_button.setText, tr("Cancel"))
        show_text(self.cancel_button.setToolTip, tr("Stop the run (Esc)"))
        self.cancel_button.setEnabled(False)
        self.device = DeviceChoice()
        self.live = QCheckBox()
        show_text(self.live.setText, tr("Live"))
        self.live.hide()  # until something makes live runs
        self.progress = QProgressBar()
        self.progress.setRange(0, _PROGRESS_STEPS)
        self.progress.setTextVisible(False)
        self._phase = FittedLabel(tr("Not run yet"))
        for button in (self.run_button, self.cancel_button):
            button.setMinimumHeight(_BUTTON_PX)
        self._elapsed = QLabel()
        self._elapsed.setProperty("role", "small")
        self._started_at = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(_ELAPSED_EVERY_MS)
        self._timer.timeout.connect(self._show_elapsed)
        self._valid = True
        self._lay_out()
        self.run_button.clicked.connect(self.request_run)
        self.cancel_button.clicked.connect(self.request_cancel)
        self._recolour()
        theme.notifier().changed.connect(self._recolour)

    @property
    def running(self) -> bool:
        return self._timer.isActive()

    @property
    def phase(self) -> str:
        return self._phase.text()

    def request_run(self) -> None:
        """What the Run button does. A run that is still going is replaced."""
        if self._valid:
            self.run_requested.emit(self.device.device)

    def request_cancel(self) -> None:
        if self.running:
            self.cancel_requested.emit()

    def set_valid(self, valid: bool) -> None:
        """Whether the parameters can be run at all."""
        self._valid = valid
        self.run_button.setEnabled(valid)

    def show_started(self, phase: Text | str) -> None:
        self._started_at = time.monotonic()
        self.cancel_button.setEnabled(True)
        self.progress.setValue(0)
        self._phase.set_wordings(phase)
        self._timer.start()
        self._show_elapsed()

    def show_progress(self, done: float, total: float, phase: Text | str) -> None:
        self.progress.setValue(round(_PROGRESS_STEPS * min(1.0, done / total)) if total > 0 else 0)
        self._phase.set_wordings(phase)

    def show_ended(self, phase: Text | str, *, completed: bool) -> None:
        """The run is over; a completed one leaves the bar full."""
        if self.running:
            self._show_elapsed()
        self._timer.stop()
        self.cancel_button.setEnabled(False)
        self.progress.setValue(_PROGRESS_STEPS if completed else 0)
        self._phase.set_wordings(phase)

    def _show_elapsed(self) -> None:
        self._elapsed.setText(f"{time.monotonic() - self._started_at:.1f} s")

    def _lay_out(self) -> None:
        label = QLabel()
        show_text(label.setText, tr("Device"))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        grid.addWidget(self.run_button, 0, 0, 1, 2)
        grid.addWidget(self.cancel_button, 0, 2)
        grid.addWidget(label, 1, 0)
        grid.addWidget(self.device, 1, 1)
        grid.addWidget(self.live, 1, 2)
        grid.addWidget(self.progress, 2, 0, 1, 3)
        grid.addWidget(self._phase, 3, 0, 1, 2)
        grid.addWidget(self._elapsed, 3, 2, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(1, 1)

    def _recolour(self) -> None:
        colours = theme.current()
        self.run_button.setIcon(icon("run", colours.on_accent, disabled=colours.faint))
        self.run_button.setIconSize(QSize(12, 12))
        self.cancel_button.setIcon(icon("cancel", colours.text, disabled=colours.faint))
        self.cancel_button.setIconSize(QSize(10, 10))
