"""Which step of a demo is shown, and when it goes on by itself. No widgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from gui import motion

if TYPE_CHECKING:
    from core.demos.demo import Demo, Step


class DemoPlayer(QObject):
    """`step_shown` carries the Step to show; `changed` says that the step, or whether it goes on, is another.

    A step is shown for its time from `step_is_ready` on: the time that a run takes is not counted. The last step
    stays.
    """

    step_shown = Signal(object)
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._demo: Demo | None = None
        self._index = 0
        self._ready = False
        self._goes_on = False
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.next)

    @property
    def demo(self) -> Demo | None:
        """The demo that is played; None for none."""
        return self._demo

    @property
    def index(self) -> int:
        """The step that is shown, from 0."""
        return self._index

    @property
    def step(self) -> Step | None:
        return None if self._demo is None else self._demo.steps[self._index]

    @property
    def goes_on(self) -> bool:
        """Whether the next step comes by itself."""
        return self._goes_on

    @property
    def is_first(self) -> bool:
        return self._index == 0

    @property
    def is_last(self) -> bool:
        return self._demo is not None and self._index == len(self._demo.steps) - 1

    def start(self, demo: Demo) -> None:
        """Show the first step, and go on by itself; with reduced motion, wait."""
        self._demo, self._goes_on = demo, len(demo.steps) > 1 and not motion.is_reduced()
        self._show(0)

    def stop(self) -> None:
        self._timer.stop()
        self._demo, self._index, self._goes_on = None, 0, False
        self.changed.emit()

    def next(self) -> None:
        if self._demo is not None and not self.is_last:
            self._show(self._index + 1)

    def back(self) -> None:
        if self._demo is not None and not self.is_first:
            self._show(self._index - 1)

    def toggle(self) -> None:
        """Pause, or go on; from the last step, begin again."""
        if self._demo is None:
            return
        self._goes_on = not self._goes_on
        if self._goes_on and self.is_last:
            self._show(0)
            return
        self._wait()
        self.changed.emit()

    def step_is_ready(self) -> None:
        """The step is in view with all that it shows: its time begins."""
        if self._demo is not None and not self._ready:
            self._ready = True
            self._wait()

    def _show(self, index: int) -> None:
        assert self._demo is not None
        self._timer.stop()
        self._index, self._ready = index, False
        if self.is_last:
            self._goes_on = False
        self.changed.emit()
        self.step_shown.emit(self._demo.steps[index])

    def _wait(self) -> None:
        self._timer.stop()
        if self._goes_on and self._ready and self.step is not None:
            self._timer.start(round(1000 * self.step.seconds))
