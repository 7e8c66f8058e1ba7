"""What a row chart shows: named rows, and columns of values with an axis each. Frozen; made in view data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from gui.charts.ticks import positive_range
from gui.theme import Theme, mix


@dataclass(frozen=True)
class Ink:
    """A colour by what it means: 'good', 'series.3', 'tensor.Q'. `share` of it is blended into the surface."""

    role: str
    share: float = 1.0

    def colour(self, theme: Theme) -> str:
        """'#rrggbb' in a theme."""
        name, _, key = self.role.partition(".")
        if name == "series":
            full = theme.series[int(key) % len(theme.series)]
        else:
            full = theme.tensor(key) if name == "tensor" else str(getattr(theme, name))
        return full if self.share == 1.0 else mix(theme.surface, full, self.share)


TEXT, MUTED, FAINT = Ink("text"), Ink("muted"), Ink("faint")


@dataclass(frozen=True)
class Segment:
    """A part of a bar. With a `key` it can be picked; `labels` are wordings to write in it, longest first."""

    value: float
    ink: Ink
    key: str | None = None
    labels: tuple[str, ...] = ()
    read_out: str = ""


@dataclass(frozen=True)
class Cell:
    """The values of one row in one column: stacked bars, one below the other, or a mark; NaN is an unknown value.

    The mark is on a stem from the base of the axis, with an error bar of ±`error`; it should be left of `limit`.
    `texts` are wordings beside the values, longest first; `extra` follows them if there is space. `pinned` are the
    values of run A, one per bar, or that of the mark: each is a faint tick.
    """

    bars: tuple[tuple[Segment, ...], ...] = ()
    mark: float = math.nan
    ink: Ink = Ink("series.0")
    error: float = math.nan
    limit: float = math.nan
    samples: tuple[float, ...] = ()
    texts: tuple[str, ...] = ()
    text_ink: Ink = TEXT
    bold: bool = False
    extra: str = ""
    pinned: tuple[float, ...] = ()

    @property
    def ends(self) -> Iterator[float]:
        """Every finite value that is drawn, except the limit."""
        error = self.error if math.isfinite(self.error) else 0.0
        values = (
            *(self.mark - error, self.mark + error),
            *(*self.samples, *self.pinned),
            *(total(bar) for bar in self.bars if bar),
        )
        return (value for value in values if math.isfinite(value))


def total(bar: tuple[Segment, ...]) -> float:
    """Where the last segment of a bar ends; unknown values count as 0."""
    return sum(segment.value for segment in bar if math.isfinite(segment.value))


@dataclass(frozen=True)
class Row:
    """One row. Neighbours of the same `group` stand close together beside its name.

    A row with a `key` can be picked. `suffix` follows the name where there is room; a `note` stands across the columns.
    """

    name: str
    cells: tuple[Cell, ...] = ()
    read_out: str = ""
    key: str | None = None
    group: str = ""
    suffix: str = ""
    ink: Ink = TEXT
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A reference value that rows are compared with; its name is written above it."""

    value: float
    name: str


@dataclass(frozen=True)
class Column:
    """One axis across the rows. `limits` are its ends; None takes those of the values, on a log axis whole decades.

    `titles` are written above it, wordings from the longest to the shortest, and `name` below; `share` is that of the
    free width. With `texts_apart` the texts of its cells are aligned, instead of following the values; with
    `fills_width` no space is left for texts behind the longest bar.
    """

    titles: tuple[str, ...] = ()
    name: str = ""
    unit: str = ""
    log: bool = False
    limits: tuple[float, float] | None = None
    share: float = 1.0
    has_axis: bool = True
    texts_apart: bool = False
    fills_width: bool = False
    lines: tuple[Line, ...] = ()
    lines_name: str = ""

    def range(self, cells: list[Cell]) -> tuple[float, float] | None:
        """The ends of the axis for these cells; None for a log axis without a value above zero."""
        if self.limits is not None:
            return self.limits
        ends = [end for cell in cells for end in cell.ends]
        limits = [cell.limit for cell in cells if math.isfinite(cell.limit)]
        if self.log:
            return positive_range([*ends, *limits])
        low, high = min([0.0, *ends]), max([0.0, *ends, *limits])
        return (low, high) if high > low else (0.0, 1.0)


@dataclass(frozen=True)
class Band:
    """Rows on axes of their own, under a head: its `title` in bold, then the longest of `heads` that fits."""

    rows: tuple[Row, ...]
    title: str = ""
    heads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Headline:
    """The conclusion of the chart in large letters, followed by the numbers behind it."""

    text: str
    ink: Ink = TEXT
    rest: str = ""


@dataclass(frozen=True)
class LegendKey:
    """One entry of the legend."""

    label: str
    ink: Ink
    shape: Literal["fill", "outline", "line", "dot", "ring", "tick"] = "fill"


@dataclass(frozen=True)
class RowSpec:
    """Everything that a row chart shows; `legends` are lines of it below the picture."""

    columns: tuple[Column, ...]
    bands: tuple[Band, ...]
    legends: tuple[tuple[LegendKey, ...], ...] = ()
    headline: Headline | None = None

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of all bands, from the top down."""
        return tuple(row for band in self.bands for row in band.rows)
