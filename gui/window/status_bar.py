"""The status bar: the state of the engine, its device, and the versions in use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from PySide6 import __version__ as pyside_version
from PySide6.QtCore import QEvent, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QStatusBar, QWidget

from core.contracts.text import EMPTY, tr
from core.format import quantity
from gui import theme
from gui.translation import show_text

_MEMORY_EVERY_MS = 2000
_PYTHON = ".".join(str(part) for part in sys.version_info[:3])
_STATES = {
    "starting": ("warn", tr("Worker starting")),
    "ready": ("good", tr("Worker ready")),
    "busy": ("busy", tr("Worker busy")),
    "restarting": ("warn", tr("Worker restarting")),
    "failed": ("bad", tr("Worker failed")),
    "closed": ("idle", tr("Worker stopped")),
}


class _Dot(QWidget):
    """A coloured dot. The label beside it says the same, for users who cannot distinguish the colours."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(14, 14)
        self._role = "idle"

    def set_role(self, role: str) -> None:
        self._role = role
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(getattr(theme.current(), self._role)))
        painter.drawEllipse(QRectF(3, 3, 8, 8))
        painter.end()


class StatusBar(QStatusBar):
    """Shows an EngineState; needs nothing else of the engine.

    `memory_bytes` returns the memory of the worker processes; it is called every two seconds while the bar is visible.
    """

    def __init__(self, memory_bytes: Callable[[], int], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._memory_bytes = memory_bytes
        self.memory = QLabel()
        self._timer = QTimer(self)
        self._timer.setInterval(_MEMORY_EVERY_MS)
        self._timer.timeout.connect(self._show_memory)
        self.setSizeGripEnabled(False)
        self._dot = _Dot()
        self.engine = QLabel()
        show_text(self.engine.setText, tr("Worker not started"))
        self.device = QLabel()
        self.insecure = QLabel()
        self.insecure.setProperty("role", "error")
        show_text(self.insecure.setText, tr("No encryption"))
        show_text(
            self.insecure.setToolTip,
            tr(
                "Anybody on the network can read what is sent to the scheduler. Start the scheduler with TLS to "
                "encrypt it."
            ),
        )
        self.insecure.hide()
        self.versions = QLabel(f"Python {_PYTHON}  ·  Qt for Python {pyside_version}")
        self.engine.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.addWidget(self._dot)
        self.addWidget(self.engine, 1)
        self.addPermanentWidget(self.insecure)
        self.addPermanentWidget(self.memory)
        self.addPermanentWidget(self.device)
        self.addPermanentWidget(self.versions)
        self.setContentsMargins(6, 0, 8, 0)

    def show_state(self, state: Any) -> None:
        """An EngineState: phase, details if there are any, and the device once it is known."""
        role, label = _STATES[str(state.phase)]
        self._dot.set_role(role)
        text = tr("{state}: {detail}", state=label, detail=state.detail) if state.detail else label
        show_text(self.engine.setText, text)
        show_text(self.engine.setToolTip, text)
        self.insecure.setVisible(state.is_insecure)
        show_text(self.device.setText, tr("Device {device}  ·", device=state.device) if state.device else EMPTY)

    def event(self, event: QEvent) -> bool:
        """Where labels get another height, Qt lays the bar out anew, and shows them over the message."""
        if event.type() == QEvent.Type.LayoutRequest:
            QTimer.singleShot(0, self, self._keep_message)
        return super().event(event)

    def _keep_message(self) -> None:
        if self.currentMessage():
            for label in (self._dot, self.engine):
                label.hide()
                label.setAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide, False)  # Qt shows it later

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _show_memory(self) -> None:
        used_bytes = self._memory_bytes()
        memory = tr("Worker {memory}  ·", memory=quantity(used_bytes, "bytes")) if used_bytes else EMPTY
        show_text(self.memory.setText, memory)


def memory_of_children_bytes() -> int:
    """Resident memory of the processes that this one started, in bytes; takes a few milliseconds."""
    import psutil

    total = 0
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            total += child.memory_info().rss
    return total
