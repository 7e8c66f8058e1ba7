"""How large the errors are: the share of the weights in each bin of error over absmax, a line per format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.topics.quantization.codebooks import ERROR_EDGES
from core.topics.quantization.plan import Plan
from core.topics.quantization.result import QuantizationResult
from gui.charts.series import Series
from gui.pages.quantization.view_data import COLOURS, LABELS, codebook, formats

_FLOOR = 1e-3
"""Percent; shares below it are not told apart: a bin without a weight is at the bottom."""
_STEPS_PER_DECADE, _REACH_STEP = 4, 0.05
"""Axes end at such steps, so that they stay as they are while a slider moves."""


@dataclass(frozen=True)
class ErrorCounts:
    """Of one format: `counts` int [bins]. `colour` counts into the theme's series."""

    id: str
    label: str
    counts: np.ndarray
    colour: int

    @property
    def shares(self) -> np.ndarray:
        return np.asarray(self.counts / max(1, int(self.counts.sum())))


@dataclass(frozen=True)
class ErrorShares:
    """Errors between `edges` [bins + 1]; what lies beyond is in the outermost bins. `chosen` is the id of a format.

    Shares are for a logarithmic axis, in percent: the rare large errors are what differs. The chosen format is filled.
    """

    formats: Sequence[ErrorCounts]
    edges: np.ndarray
    chosen: str

    @property
    def series(self) -> list[Series]:
        """A histogram per format; none of errors of nothing."""
        if not any(one.counts.any() for one in self.formats):
            return []
        return [
            Series(one.label, self.edges, np.maximum(100 * one.shares, _FLOOR), one.colour, "bins",
                   filled=one.id == self.chosen, key=one.id)
            for one in self.formats
        ]  # fmt: skip

    @property
    def x_range(self) -> tuple[float, float]:
        """As far as the largest error that a weight has in any format, as the middle of the axis is 0."""
        used = np.flatnonzero(np.any([one.counts > 0 for one in self.formats], axis=0))
        if not used.size:
            return -_REACH_STEP, _REACH_STEP
        furthest = float(max(abs(self.edges[used[0]]), abs(self.edges[used[-1] + 1])))
        reach = math.ceil(furthest / _REACH_STEP - 1e-9) * _REACH_STEP
        return -reach, reach

    @property
    def y_range(self) -> tuple[float, float]:
        """Percent, from what counts as none to a little above the largest share."""
        most = max(_FLOOR, *(100 * float(one.shares.max()) for one in self.formats))
        return _FLOOR, 10 ** (math.ceil(_STEPS_PER_DECADE * (math.log10(most) + 0.1)) / _STEPS_PER_DECADE)

    def read(self, x: float) -> str | None:
        """The share of every format in the bin at an error, the chosen one first."""
        index = int(np.searchsorted(self.edges, x, side="right")) - 1
        if not 0 <= index < len(self.edges) - 1:
            return None
        first, last = self.edges[index : index + 2]
        ends = ("below " if index == 0 else "") + ("above " if index == len(self.edges) - 2 else "")
        lines = [f"error {ends}{first:+.4g} to {last:+.4g} of absmax"]
        for one in sorted(self.formats, key=lambda one: one.id != self.chosen):
            lines.append(f"{one.label}: {one.shares[index]:.3%} of the weights ({one.counts[index]:,})")
        return "\n".join(lines)


def error_shares(plan: Plan, fitting: QuantizationResult | None) -> ErrorShares:
    """How large the errors of each format are."""
    counts = [
        ErrorCounts(name, LABELS[name], codebook(plan, fitting, name).errors, COLOURS[name]) for name in formats(plan)
    ]
    return ErrorShares(counts, ERROR_EDGES, plan.params.format)
