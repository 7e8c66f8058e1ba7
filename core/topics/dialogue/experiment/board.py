"""The result of a run as it grows, and how far the run is. Workers only."""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic
from typing import Any

from core.contracts.events import Partial, Progress
from core.contracts.result import Message, Metric, Provenance
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import EMPTY, Text, tr
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.result import DialogueResult

PARTIAL_EVERY_S = 0.5
Events = Generator[Progress | Partial, None, Any]


class Board(ResultBuilder[DialogueResult]):
    """`done` of `total` seconds of work, as estimated."""

    def __init__(self, params: DialogueParams, total: float = 1.0) -> None:
        super().__init__(DialogueResult(params=params))
        self.params, self.total, self.done = params, total, 0.0
        self._started, self._shown_at = monotonic(), 0.0

    def measured(self, name: str, value: float, unit: str = "", note: Text = EMPTY) -> None:
        self.add({name: Metric(float(value), unit, Provenance.MEASURED_CPU, note)})

    def counted(self, name: str, value: float, unit: str = "", note: Text = EMPTY) -> None:
        self.add({name: Metric(float(value), unit, Provenance.MODELLED, note)})

    def warn(self, text: Text, severity: str = "warning") -> None:
        if text:
            self.add(messages=(*self.result.messages, Message(severity, text)))

    def progress(self, part: float, phase: Text) -> Progress:
        """`part` seconds of estimated work after what is done."""
        return Progress(min(0.999, (self.done + part) / self.total), 1.0, phase)

    def partial(self) -> Partial:
        """The result as it is."""
        self._shown_at = monotonic()
        if "first_partial_s" not in self.result.metrics:
            note = tr("from the start of the run to its first result")
            self.measured("first_partial_s", monotonic() - self._started, "s", note)
        return Partial(self.result)

    def is_due(self) -> bool:
        """Whether the page should see the result now: at most twice per second."""
        return monotonic() - self._shown_at >= PARTIAL_EVERY_S
