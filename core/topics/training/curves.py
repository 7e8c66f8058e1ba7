"""The metrics of a training over its steps, by TRL's names: from a run, or from a log that the user opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from core.contracts.archive import Array
from core.csv_text import to_csv

STEP = "step"


@dataclass(frozen=True)
class Curves:
    """Columns of a log.

    steps    int64 [rows]: the steps, ascending, counted from 1
    metrics  float64 [rows] by name, in the order of their first appearance; NaN at steps without the metric
    """

    steps: Array
    metrics: Mapping[str, Array] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Mapping[str, float]]]) -> Curves:
        """From (step, metrics) of each line. Lines of the same step become one row."""
        merged: dict[int, dict[str, float]] = {}
        for step, metrics in rows:
            merged.setdefault(step, {}).update(metrics)
        steps = sorted(merged)
        names = dict.fromkeys(name for metrics in merged.values() for name in metrics)
        return cls(
            np.array(steps, dtype=np.int64),
            {name: np.array([merged[step].get(name, np.nan) for step in steps]) for name in names},
        )

    def points(self, name: str) -> tuple[Array, Array]:
        """Steps and values of a metric where it has one; empty arrays for one that does not exist."""
        values = self.metrics.get(name)
        if values is None:
            return self.steps[:0], np.empty(0)
        known = ~np.isnan(values)
        return self.steps[known], values[known]

    def last(self, name: str) -> float:
        """The last value of a metric, NaN if there is none."""
        values = self.points(name)[1]
        return float(values[-1]) if len(values) else float("nan")

    def csv(self) -> str:
        """The log as CSV: one row per step, one column per metric, empty where a metric has no value."""
        return to_csv(
            [
                {STEP: int(step)}
                | {name: "" if np.isnan(column[row]) else float(column[row]) for name, column in self.metrics.items()}
                for row, step in enumerate(self.steps)
            ]
        )
