"""Records a demo while its author does what it shows. No widgets of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from core.demos.demo import MAX_STEPS, Step
from gui.demos.capture import captured

if TYPE_CHECKING:
    from gui.demos.staging import OpenPage


class Recorder(QObject):
    """A page is recorded when it is left, when a run is shown on it, and when the author adds a step.

    What is recorded twice in a row is one step. `changed` says that the steps, or whether it records, are others.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._steps: list[Step] = []
        self._is_recording = False
        self._shown: OpenPage | None = None

    @property
    def is_recording(self) -> bool:
        return self._is_recording

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(self._steps)

    def start(self, shown: OpenPage | None) -> None:
        """Begin with the page in view; None for one that cannot be recorded."""
        self._steps.clear()
        self._is_recording = True
        self._look_at(shown)
        self.changed.emit()

    def discard(self) -> None:
        """Stop, and forget the steps."""
        self._look_at(None)
        self._steps.clear()
        self._is_recording = False
        self.changed.emit()

    def page_changed(self, shown: OpenPage | None) -> None:
        """Record the page that was left, and look at the next one."""
        if self._is_recording and shown is not self._shown:
            self.capture()
            self._look_at(shown)

    def undo_step(self) -> None:
        """Forget the last step."""
        if self._steps:
            self._steps.pop()
            self.changed.emit()

    def capture(self, caption: str = "") -> None:
        """Record the page in view, unless it is as the last step has it."""
        if self._shown is None:
            return
        step = captured(self._shown, caption)
        last = self._steps[-1] if self._steps else None
        if last is not None and (last.place, last.alone) == (step.place, step.alone):
            self._steps[-1] = replace(step, caption=step.caption if caption else last.caption, run=step.run or last.run)
        elif len(self._steps) < MAX_STEPS:
            self._steps.append(step)
        self.changed.emit()

    def _on_run(self) -> None:
        self.capture()

    def _look_at(self, shown: OpenPage | None) -> None:
        if self._shown is not None:
            self._shown.page.presented.disconnect(self._on_run)
        self._shown = shown
        if shown is not None:
            shown.page.presented.connect(self._on_run)
