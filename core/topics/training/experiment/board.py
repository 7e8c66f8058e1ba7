"""The result of a run as it grows, its messages, and how far the run is. Workers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from core.contracts.events import Progress
from core.contracts.result import Message, Metric, Provenance
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import EMPTY, Text, tr
from core.topics.training.params import TrainingParams
from core.topics.training.result import Outcome, SeedRun, TrainingResult
from core.topics.training.settings import Settings, settings_of

PARTIAL_EVERY_S = 0.5


@dataclass
class Board:
    """The result as it grows, and how far the whole run is: `done` of `total` seconds of work, as estimated."""

    params: TrainingParams
    total: float
    builder: ResultBuilder[TrainingResult] = field(init=False)
    started: float = field(default_factory=monotonic)
    done: float = 0.0
    _shown_at: float = 0.0
    _values: dict[str, dict[int, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.builder = ResultBuilder(TrainingResult(params=self.params))

    @property
    def settings(self) -> Settings:
        """Those of the first seed."""
        return settings_of(self.params, self.params.seed)

    @property
    def result(self) -> TrainingResult:
        return self.builder.result

    def warn(self, text: Text, severity: str = "warning") -> None:
        if text:
            self.builder.add(messages=(*self.result.messages, Message(severity, text)))

    def show(self, run: SeedRun) -> None:
        """Put the stages of a seed into the result."""
        others = [other for other in self.result.runs if other.seed != run.seed]
        self.builder.add(runs=tuple(sorted((*others, run), key=lambda one: one.seed)))

    def progress(self, part: float, phase: Text) -> Progress:
        """`part` seconds of estimated work after what is done."""
        return Progress(min(0.999, (self.done + part) / self.total), 1.0, phase)

    def is_due(self) -> bool:
        """Whether the page should see the result now: at most twice per second."""
        now = monotonic()
        due = now - self._shown_at >= PARTIAL_EVERY_S
        if due:
            self._shown_at = now
        return due

    def saw_curve(self) -> None:
        """The first curve of this run has begun."""
        if "first_curve_s" not in self.result.metrics:
            note = tr("from the start of the run to its first curve")
            self.add({"first_curve_s": Metric(monotonic() - self.started, "s", Provenance.MEASURED_CPU, note)})

    def add(self, metrics: Mapping[str, Metric] | None = None, **fields: Any) -> None:
        self.builder.add(metrics, **fields)

    def measured(self, seed: int, stage: str, values: Mapping[str, float]) -> None:
        """Add what was measured of a stage with a seed: as a metric, the mean over the seeds so far with its spread."""
        metrics: dict[str, Metric] = {}
        for name, value in values.items():
            metric = f"{stage}.{name}"
            by_seed = self._values.setdefault(metric, {})
            by_seed[seed] = value
            metrics[metric] = _metric(name, list(by_seed.values()))
        outcomes = tuple(
            Outcome(metric, tuple(by_seed[seed] for seed in sorted(by_seed)))
            for metric, by_seed in self._values.items()
        )
        self.add(metrics, outcomes=outcomes)


_UNITS = {"kl": "nats", "first_loss": "nats", "tokens": "tokens", "bytes": "bytes", "seconds": "s", "length": "tokens"}


def _metric(name: str, values: Sequence[float]) -> Metric:
    note = EMPTY
    if len(values) > 1:
        note = tr(
            "mean of {seeds} seeds, from {low:.4g} to {high:.4g}", seeds=len(values), low=min(values), high=max(values)
        )
    return Metric(sum(values) / len(values), _UNITS.get(name, ""), Provenance.MEASURED_CPU, note)
