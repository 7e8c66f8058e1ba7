"""The last experiments of this process: a run with another conversation shows its losses at once. Workers only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.topics.dialogue.examples import Encoder
from core.topics.dialogue.experiment.board import Board
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.result import DialogueResult

_TRAINED_FIELDS = (
    "template", "ways", "equality", "history", "behaviour", "leaks", "leaked_answers", "leaked_share", "schemes",
    "sabotages",
)  # fmt: skip
_OWN_METRICS = ("doctor.", "first_partial_s")


@dataclass(frozen=True)
class Remembered:
    """A finished run: its result, and the model that was trained on all assistant turns."""

    params: DialogueParams
    encoder: Encoder
    result: DialogueResult
    sound: Any

    def put_into(self, board: Board) -> None:
        """What was trained, into another run's result."""
        metrics = {name: metric for name, metric in self.result.metrics.items() if not name.startswith(_OWN_METRICS)}
        board.add(metrics, **{name: getattr(self.result, name) for name in _TRAINED_FIELDS})


_last: list[Remembered] = []


def remember(run: Remembered) -> None:
    _last[:] = [run]


def remembered(params: DialogueParams, encoder: Encoder) -> Remembered | None:
    """The last run, if it has all experiments that `params` ask for, with this template and tokenizer."""
    return next((run for run in _last if run.encoder == encoder and params.trains_as(run.params)), None)
