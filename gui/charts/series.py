"""The series of a line chart: their points, how they are drawn, and how they are read at an x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Style = Literal["line", "faint", "dashed", "rings", "path", "marks", "stairs", "bins"]
RINGED = ("rings", "path", "marks")
"""The styles with a ring at each point."""
_MOST_POINTS = 800
"""The most points of a line that are drawn: more than there are pixels only cost time."""


@dataclass(frozen=True)
class Series:
    """One line: x float or int [points], and y float or int [points], NaN where there is none.

    x ascends, except in a path. `colour` is an index into the series colours of the theme. 'faint' is for noisy values
    behind others, 'rings' for single observations joined by a line, 'path' for observations joined in the order given,
    'marks' for observations that are not joined, 'stairs' for values that hold
    until the next one, 'bins' for a histogram, whose x are the edges [points + 1]. `filled` fills the area under the
    line. With `upper`, float [points], the series is a band from y up to there. `key` is what a click on it emits;
    without `in_legend` its name is not in the legend. A `pinned` one is of run A, faint behind those of B.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    colour: int
    style: Style = "line"
    filled: bool = False
    key: str = ""
    in_legend: bool = True
    upper: np.ndarray | None = None
    pinned: bool = False

    @property
    def swatch(self) -> Literal["ring", "line", "fill"]:
        if self.upper is not None:
            return "fill"
        return "ring" if self.style in RINGED else "line"


@dataclass(frozen=True)
class Mark:
    """A named vertical line; `height` is where its name is, as a share of the plot's height."""

    x: float
    label: str
    height: float = 0.12


def point_at(style: Style, x: np.ndarray, y: np.ndarray, x_at: float, *, between: bool) -> tuple[float, float]:
    """The point of a series that is read at `x_at`, in plot coordinates; NaN outside the series.

    For a line it is interpolated if `between`, else the nearest point; for stairs the point before; for bins the one
    that contains `x_at`; for marks and paths the nearest one at any distance.
    """
    if style in ("marks", "path"):
        index = int(np.argmin(np.abs(x - x_at)))
        return float(x[index]), float(y[index])
    if not x.size or not x[0] <= x_at <= x[-1]:
        return x_at, np.nan
    index = int(np.searchsorted(x, x_at, side="right")) - 1
    if style == "bins":
        return x_at, float(y[min(index, y.size - 1)])
    if style == "stairs":
        return float(x[index]), float(y[index])
    if between:
        return x_at, float(np.interp(x_at, x, y))
    if index + 1 < x.size and x[index + 1] - x_at < x_at - x[index]:
        index += 1
    return float(x[index]), float(y[index])


def away(style: Style, x: np.ndarray, y: np.ndarray, at: tuple[float, float], *, between: bool) -> float:
    """How far above or below `at` a series is, in plot coordinates; NaN where it is not. A path may pass twice."""
    x_at, y_at = at
    if style != "path":
        return abs(point_at(style, x, y, x_at, between=between)[1] - y_at)
    gaps = [np.nan]
    for first in range(x.size - 1):
        ends = slice(first, first + 2)
        if x[ends].min() <= x_at <= x[ends].max():
            rising = np.argsort(x[ends])
            gaps.append(abs(np.interp(x_at, x[ends][rising], y[ends][rising]) - y_at))
    return float(np.fmin.reduce(gaps))


def outline(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The closed outline of a band between two lines, without the points where one of them is missing."""
    known = np.isfinite(low) & np.isfinite(high)
    x, low, high = x[known].astype(np.float64), low[known], high[known]
    return np.concatenate([x, x[::-1], x[:1]]), np.concatenate([low, high[::-1], low[:1]])


def corners(style: Style, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points to join, float64: the corners of stairs and bins; of a long line, the extremes of each stretch."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    if style == "bins":
        return np.repeat(x, 2)[1:-1], np.repeat(y, 2)
    if style == "stairs":
        corner = np.append(True, y[1:] != y[:-1])
        corner[-1] = True
        x, y = x[corner], y[corner]
        return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    if x.size <= _MOST_POINTS:
        return x, y
    stride = -(-2 * x.size // _MOST_POINTS)
    whole = x.size // stride * stride
    blocks = np.where(np.isfinite(y[:whole]), y[:whole], 0.0).reshape(-1, stride)
    starts = np.arange(0, whole, stride)
    kept = np.sort(np.concatenate([starts + blocks.argmin(1), starts + blocks.argmax(1), np.arange(whole, x.size)]))
    return x[kept], y[kept]
