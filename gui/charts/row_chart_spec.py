"""What a row chart shows: named rows, columns of values with an axis each. Frozen; made by the pages' view data."""

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
    """A part of a bar. One with a `key` can be picked; `labels` are wordings to stand in it, longest first."""

    value: float
    ink: Ink
    key: str | None = None
    labels: tuple[str, ...] = ()
    read_out: str = ""


@dataclass(frozen=True)
class Cell:
    """The values of one row in one column: stacked bars, one under another, or a mark; NaN is what is not known.

    The mark stands on a stem from the axis' base, within `error` on both sides; it ought to stay left of `limit`.
    `texts` are wordings beside the values, longest first; `extra` follows them where there is room.
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

    @property
    def ends(self) -> Iterator[float]:
        """Every finite value to which something is drawn, the limit left out."""
        error = self.error if math.isfinite(self.error) else 0.0
        values = (self.mark - error, self.mark + error, *self.samples, *(total(bar) for bar in self.bars if bar))
        return (value for value in values if math.isfinite(value))


def total(bar: tuple[Segment, ...]) -> float:
    """Where the last segment of a bar ends; what is not known counts as nothing."""
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
    """A value that rows are held against, with its name above it."""

    value: float
    name: str


@dataclass(frozen=True)
class Column:
    """One axis across the rows. `limits` are its ends; None takes those of the values, on a log axis whole decades.

    `titles` stand above it, wordings from the longest to the shortest, and `name` below; `share` is of the free width.
    With `texts_apart` the texts of its cells stand one under another, not at the ends of the values; with
    `fills_width` there is no room for texts behind the longest bar.
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
    """What the chart comes to, in large letters, with the numbers behind it."""

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
