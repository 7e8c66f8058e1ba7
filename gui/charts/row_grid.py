"""What a row map draws: values of named rows over columns, the meaning of their colours, and the rows at a zoom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ColourScale:
    """The values of the first and the last colour of a colour map, and the texts of its ticks.

    `steps` is the number of colours: one per value for small whole numbers.
    """

    colour_map: str
    limits: tuple[float, float]
    ticks: tuple[tuple[float, str], ...]
    label: str = ""
    tip: str = ""
    steps: int = 256


@dataclass(frozen=True, kw_only=True)
class RowGrid:
    """`values` float [rows, columns], NaN where there is none; `names` and, if rows have them, `groups` [rows].

    Columns span `x_range` of `x_name`, in `x_unit`; the first `done` of them exist so far (None: all). `x_ticks` are
    ticks with their texts, instead of the numbers of the axis. `read(row, column)` is the read-out of a cell.
    `lines` are named points of the axis; `edge_marks` are marked at the lower edge; `highlighted` rows are named in
    red, the most important first.
    """

    values: np.ndarray
    names: tuple[str, ...]
    scale: ColourScale
    x_name: str
    x_range: tuple[float, float]
    read: Callable[[int, int], str]
    x_unit: str = ""
    groups: tuple[str, ...] = ()
    done: int | None = None
    x_ticks: tuple[tuple[float, str], ...] = ()
    lines: tuple[tuple[float, str], ...] = ()
    edge_marks: tuple[float, ...] = ()
    highlighted: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        return int(self.values.shape[0])

    @property
    def columns(self) -> int:
        return int(self.values.shape[1])

    @property
    def last_column(self) -> int:
        return (self.columns if self.done is None else self.done) - 1

    @property
    def column_width(self) -> float:
        return (self.x_range[1] - self.x_range[0]) / max(1, self.columns)

    def column_at(self, x: float) -> int:
        """The column at a point of the axis, which must be inside the range."""
        return min(self.columns - 1, max(0, int((x - self.x_range[0]) / self.column_width)))


def pooled(values: np.ndarray, first: int, last: int, most: int) -> np.ndarray:
    """Rows `first` to `last` pooled into at most `most` rows by their maximum, so that no outlier disappears."""
    part = values[first:last]
    stride = -(-len(part) // max(1, most))
    if stride <= 1:
        return part
    return np.asarray(np.fmax.reduceat(part, np.arange(0, len(part), stride), axis=0))
