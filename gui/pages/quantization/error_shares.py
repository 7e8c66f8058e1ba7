"""The distribution of errors: the share of the weights per bin of error over absmax, one line per format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.contracts.text import tr
from core.topics.quantization.codebooks import ERROR_EDGES
from core.topics.quantization.plan import Plan
from core.topics.quantization.result import QuantizationResult
from gui.charts.series import Series
from gui.pages.quantization.view_data import COLOURS, codebook, formats, label

_FLOOR = 1e-3
"""Percent; smaller shares are drawn at this level, and so are bins without a weight."""
_STEPS_PER_DECADE, _REACH_STEP = 4, 0.05
"""Axes end at such steps, so that they do not change while a slider moves."""


@dataclass(frozen=True)
class ErrorCounts:
    """The errors of one format: `counts` int [bins]. `colour` is an index into the theme's series."""

    id: str
    label: str
    counts: np.ndarray
    colour: int

    @property
    def shares(self) -> np.ndarray:
        return np.asarray(self.counts / max(1, int(self.counts.sum())))


@dataclass(frozen=True)
class ErrorShares:
    """Errors between `edges` [bins + 1]; errors beyond count in the outermost bins. `chosen` is the id of a format.

    Shares are in percent, for a logarithmic axis, since formats differ in the rare large errors. The chosen format is
    filled.
    """

    formats: Sequence[ErrorCounts]
    edges: np.ndarray
    chosen: str

    @property
    def series(self) -> list[Series]:
        """One histogram per format; none if there are no errors."""
        if not any(one.counts.any() for one in self.formats):
            return []
        return [
            Series(one.label, self.edges, np.maximum(100 * one.shares, _FLOOR), one.colour, "bins",
                   filled=one.id == self.chosen, key=one.id)
            for one in self.formats
        ]  # fmt: skip

    @property
    def x_range(self) -> tuple[float, float]:
        """A range around 0 that reaches the largest error in any format."""
        used = np.flatnonzero(np.any([one.counts > 0 for one in self.formats], axis=0))
        if not used.size:
            return -_REACH_STEP, _REACH_STEP
        furthest = float(max(abs(self.edges[used[0]]), abs(self.edges[used[-1] + 1])))
        reach = math.ceil(furthest / _REACH_STEP - 1e-9) * _REACH_STEP
        return -reach, reach

    @property
    def y_range(self) -> tuple[float, float]:
        """Percent, from the lowest level to a little above the largest share."""
        most = max(_FLOOR, *(100 * float(one.shares.max()) for one in self.formats))
        return _FLOOR, 10 ** (math.ceil(_STEPS_PER_DECADE * (math.log10(most) + 0.1)) / _STEPS_PER_DECADE)

    def read(self, x: float) -> str | None:
        """The share of every format in the bin at an error, the chosen one first."""
        index = int(np.searchsorted(self.edges, x, side="right")) - 1
        if not 0 <= index < len(self.edges) - 1:
            return None
        first, last = map(float, self.edges[index : index + 2])
        if index == 0:
            lines = [tr("error below {last:+.4g} of absmax", last=last)]
        elif index == len(self.edges) - 2:
            lines = [tr("error above {first:+.4g} of absmax", first=first)]
        else:
            lines = [tr("error from {first:+.4g} to {last:+.4g} of absmax", first=first, last=last)]
        for one in sorted(self.formats, key=lambda one: one.id != self.chosen):
            share = tr(
                "{format}: {share:.3%} of the weights ({count:,})",
                format=one.label,
                share=float(one.shares[index]),
                count=int(one.counts[index]),
            )
            lines.append(share)
        return "\n".join(map(str, lines))


def error_shares(plan: Plan, fitting: QuantizationResult | None) -> ErrorShares:
    """The errors of each format, of the run or of the plan."""
    counts = [
        ErrorCounts(name, label(name), codebook(plan, fitting, name).errors, COLOURS[name]) for name in formats(plan)
    ]
    return ErrorShares(counts, ERROR_EDGES, plan.params.format)
