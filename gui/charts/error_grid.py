"""A grid of errors, a row a tensor or a kind of tensor, and what of it to draw at a given zoom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
import pyqtgraph as pg

from gui.theme import Theme

_LOW, _HIGH = 1.0, 99.0
"""Percentiles between which colours change: one bad block does not make all the others look alike."""
_LEAST_SPREAD = 0.1
"""Of the middle: below it differences are noise and are not stretched over all the colours."""

Place = tuple[int, int]
"""(row, column) of a cell, column -1 for a whole row."""


@dataclass(frozen=True)
class ErrorGrid:
    """`values` float [rows, columns] of relative RMSE, NaN where there is none; `names` of the rows.

    `key` says what a place stands for (a tensor, say; None for nothing), `places` where a key is, and `worst` are the
    keys of the worst, worst first. `read` is the read-out of a cell. Columns span `x_range` of `x_name`, whose unit is
    `x_unit`; values are in percent. Colours are spread over what is in the rows `scaled_by`, None being all. `x_ticks`
    are places of that axis with what to write there, where its own numbers would not do.
    """

    values: np.ndarray
    names: tuple[str, ...]
    x_name: str
    x_unit: str
    x_range: tuple[float, float]
    read: Callable[[int, int], str]
    key: Callable[[int, int], str | None]
    places: Mapping[str, Place] = field(default_factory=dict)
    worst: tuple[str, ...] = ()
    scaled_by: tuple[int, ...] | None = None
    x_ticks: tuple[tuple[float, str], ...] = ()

    @property
    def rows(self) -> int:
        return int(self.values.shape[0])

    @property
    def columns(self) -> int:
        return int(self.values.shape[1])

    @cached_property
    def limits(self) -> tuple[float, float]:
        """The errors that the first and the last colour stand for; (0, 1) without any."""
        values = self.values if not self.scaled_by else self.values[list(self.scaled_by)]
        known = values[np.isfinite(values)]
        if not known.size:
            return 0.0, 1.0
        low, high = (float(value) for value in np.percentile(known, (_LOW, _HIGH)))
        middle, least = (low + high) / 2, _LEAST_SPREAD * (low + high) / 2
        if high - low < least:
            low, high = middle - least / 2, middle + least / 2
        return low, (high if high > low else low + 1.0)

    def column_at(self, x: float) -> int:
        """The column at a point of the axis; the caller checks that it is inside."""
        first, last = self.x_range
        return min(self.columns - 1, max(0, int((x - first) / (last - first) * self.columns)))


def colours(theme: Theme) -> np.ndarray:
    """uint8 [256, 3]: from what vanishes into the background to what stands out of it."""
    return _table() if theme.is_dark else _table()[::-1]


def picture(values: np.ndarray, limits: tuple[float, float], table: np.ndarray) -> np.ndarray:
    """RGBA uint8 [rows, columns, 4]; clear where there is no value."""
    low, high = limits
    with np.errstate(invalid="ignore"):
        steps = np.clip((values - low) / (high - low), 0, 1)
    known = np.isfinite(values)
    image = np.zeros((*values.shape, 4), dtype=np.uint8)
    image[..., :3] = table[np.rint(255 * np.where(known, steps, 0)).astype(np.intp)]
    image[..., 3] = np.where(known, 255, 0)
    return image


def pooled(values: np.ndarray, first: int, last: int, most: int) -> np.ndarray:
    """Rows `first` to `last` in at most `most` rows, the largest of those that fall together: none disappears."""
    part = values[first:last]
    stride = -(-len(part) // max(1, most))
    if stride <= 1:
        return part
    return np.asarray(np.fmax.reduceat(part, np.arange(0, len(part), stride), axis=0))


@cache
def _table() -> np.ndarray:
    return np.asarray(pg.colormap.get("inferno").getLookupTable(0.08, 0.95, 256))[:, :3]
