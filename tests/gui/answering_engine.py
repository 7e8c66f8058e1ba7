"""An engine that ends each run by itself, a moment after it was submitted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QTimer

from core.contracts.events import Event
from core.contracts.params import Params
from tests.gui.doubles import FakeEngine, FakeRun


class AnsweringEngine(FakeEngine):
    """`answer` is the event that ends a run, made from its parameters."""

    def __init__(self, answer: Callable[[Params], Event]) -> None:
        super().__init__()
        self.answer = answer

    def submit(self, topic_id: str, params: Params, device: str = "auto", **options: Any) -> FakeRun:
        run = super().submit(topic_id, params, device, **options)
        QTimer.singleShot(10, lambda: run.post(self.answer(params)))
        return run
