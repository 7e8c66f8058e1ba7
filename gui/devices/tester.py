"""Tests a device on another thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from core.engine.addresses import SchedulerAddress


class Inspecting(Protocol):
    """`core.engine.inspection.Inspection`."""

    def start(self) -> None: ...
    def cancel(self) -> None: ...


MakeInspection = Callable[[SchedulerAddress | None, Callable[[Any], object]], Inspecting]


def inspection(address: SchedulerAddress | None, on_done: Callable[[Any], object]) -> Inspecting:
    """The import is inside: what it needs is needed for this alone."""
    from core.engine.inspection import Inspection

    return Inspection(address, on_done)


class Tester(QObject):
    """`done` carries the DeviceReport or the TilescopeError of the newest test; a test that was cancelled says
    nothing."""

    done = Signal(object)
    _answered = Signal(int, object)

    def __init__(self, make: MakeInspection = inspection, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make = make
        self._number = 0
        self._current: Inspecting | None = None
        self._answered.connect(self._finish)

    @property
    def busy(self) -> bool:
        return self._current is not None

    def test(self, address: SchedulerAddress | None) -> None:
        """Begin; a test that still goes on is cancelled. None is this machine."""
        self.cancel()
        self._number += 1
        self._current = self._make(address, partial(self._answer, self._number))
        self._current.start()

    def cancel(self) -> None:
        """Returns at once. Nothing happens if none goes on."""
        current, self._current = self._current, None
        if current is not None:
            current.cancel()

    def _answer(self, number: int, outcome: Any) -> None:
        """On the thread of the test."""
        with suppress(RuntimeError):  # the dialog is gone
            self._answered.emit(number, outcome)

    def _finish(self, number: int, outcome: Any) -> None:
        if self._current is not None and number == self._number:
            self._current = None
            self.done.emit(outcome)
