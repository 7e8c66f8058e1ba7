"""What is guessed before the evidence is shown, and how near a guess is. The truth always comes from a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from core.contracts.claims import Finding, Verdict

if TYPE_CHECKING:
    from core.contracts.result import Metric

_CLOSE = 3.0
"""A number this many tolerances away is still close."""


class Outcome(StrEnum):
    """How a guess turned out."""

    RIGHT = "right"
    CLOSE = "close"
    WRONG = "wrong"


@dataclass(frozen=True)
class NumberGuess:
    """A metric of the run, in `unit`: its value divided by `per`. Right within a share of the truth or a margin."""

    kind: Literal["number"]
    metric: str
    unit: str = ""
    per: float = 1.0
    within: float = 0.0
    margin: float = 0.0

    def truth(self, metrics: Mapping[str, Metric], findings: Mapping[str, Finding]) -> float | None:
        """The number in `unit`; None if the run did not measure it."""
        value = _value(metrics, self.metric)
        return None if value is None else value / self.per

    def judge(self, guess: float, truth: float) -> Outcome:
        """Right within the tolerance, close within three times as much."""
        allowed = max(self.margin, self.within * abs(truth))
        off = abs(guess - truth)
        return Outcome.RIGHT if off <= allowed else Outcome.CLOSE if off <= _CLOSE * allowed else Outcome.WRONG


@dataclass(frozen=True)
class VerdictGuess:
    """Whether a claim holds. The options are the verdicts that a run can find."""

    kind: Literal["verdict"]
    claim: str

    @property
    def options(self) -> tuple[Verdict, ...]:
        return (Verdict.HOLDS, Verdict.HOLDS_WITH_LIMIT, Verdict.DOES_NOT_HOLD)

    def truth(self, metrics: Mapping[str, Metric], findings: Mapping[str, Finding]) -> Verdict | None:
        """The verdict of the run; None if it did not test the claim."""
        finding = findings.get(self.claim)
        return None if finding is None or finding.verdict is Verdict.NOT_TESTED else finding.verdict

    def judge(self, guess: Verdict, truth: Verdict) -> Outcome:
        """'Holds with a limit' is close to both others."""
        apart = abs(self.options.index(guess) - self.options.index(truth))
        return (Outcome.RIGHT, Outcome.CLOSE, Outcome.WRONG)[apart]


@dataclass(frozen=True)
class ChoiceGuess:
    """Which of several metrics of the run is the largest, or the smallest. `metrics` are by the id of the option."""

    kind: Literal["largest", "smallest"]
    metrics: Mapping[str, str]

    @property
    def options(self) -> tuple[str, ...]:
        return tuple(self.metrics)

    def truth(self, metrics: Mapping[str, Metric], findings: Mapping[str, Finding]) -> str | None:
        """The id of the option; None if a metric is missing."""
        values = {option: _value(metrics, name) for option, name in self.metrics.items()}
        known = {option: value for option, value in values.items() if value is not None}
        if len(known) < len(values):
            return None
        return (max if self.kind == "largest" else min)(known, key=lambda option: known[option])

    def judge(self, guess: str, truth: str) -> Outcome:
        return Outcome.RIGHT if guess == truth else Outcome.WRONG


def metrics_of(guess: NumberGuess | VerdictGuess | ChoiceGuess) -> tuple[str, ...]:
    """The metrics that the truth comes from."""
    match guess:
        case NumberGuess():
            return (guess.metric,)
        case ChoiceGuess():
            return tuple(guess.metrics.values())
        case _:
            return ()


def _value(metrics: Mapping[str, Metric], name: str) -> float | None:
    metric = metrics.get(name)
    return None if metric is None or not math.isfinite(metric.value) else metric.value
