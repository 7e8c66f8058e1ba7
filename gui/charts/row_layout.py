"""The layout of a row chart, in pixels: names at the left, columns side by side, space for their texts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF

from core.outside import shown_label
from gui import theme as themes
from gui import zoom
from gui.charts.row_chart_spec import Band, Cell, Column, Line, Row, RowSpec, Segment
from gui.charts.ticks import decade_ticks, nice_ticks, short_quantity
from gui.zoom import Px

HEADLINE_PX, HEAD_PX, TICKS_PX, NAME_PX = Px(34), Px(17), Px(17), Px(15)
GAP_PX, EDGE_PX, TEXT_GAP_PX = Px(12), Px(4), Px(6)
_NAMES_SHARE, _TEXTS_SHARE, _LEAST_TEXTS_PX = 0.36, 0.4, Px(72.0)
_SHORT_NAME_PX = Px(60.0)
"""A name up to this wide is never cut, however narrow the chart."""
_BAR_SHARE, _BAR_PX, _GROUPED_SHARE, _GROUPED_PX = 0.64, Px(18.0), 0.92, Px(26.0)
"""The share of its row's height that a bar fills, and its largest height; in groups, bars almost touch."""
_WIDE_PX = Px(400)
"""From this width on, a column uses the longest wording of texts that are set apart."""
_GROUP_GAP, _GROUPED_ROW_PX = 0.55, Px(29.0)
"""The least gap between groups, as a share of a row's height; the largest height of a row in a group."""


@dataclass(frozen=True)
class Axis:
    """Maps the values of one column to pixels. `area` is to scale; texts beside the values may extend to `right`."""

    column: Column
    limits: tuple[float, float] | None
    area: QRectF
    right: float

    @property
    def span(self) -> tuple[float, float]:
        """The ends in axis coordinates: exponents of ten on a log axis."""
        low, high = self.limits or (0.0, 1.0)
        return (math.log10(low), math.log10(high)) if self.column.log and self.limits else (low, high)

    @property
    def base(self) -> float:
        """Where bars and stems begin."""
        return self.span[0] if self.column.log else 0.0

    def place(self, value: float) -> float:
        """A value in axis coordinates; on a log axis, values below the low end are moved to it."""
        low, high = self.span
        if not self.column.log:
            return value
        return min(high, max(low, math.log10(value))) if value > 0 else low

    def x(self, value: float) -> float:
        """The pixel of a value."""
        return self.x_of_place(self.place(value))

    def x_of_place(self, place: float) -> float:
        """The pixel of a value in axis coordinates."""
        low, high = self.span
        return self.area.left() + (place - low) / (high - low) * self.area.width()

    def ticks(self) -> list[tuple[float, str]]:
        """(place, text) of as many as fit."""
        if self.limits is None or not self.column.has_axis:
            return []
        values = self._decades() if self.column.log else self._even_ticks()
        return _thinned([(self.place(value), self._tick_text(value)) for value in values], self.x_of_place)

    def lines(self) -> list[tuple[Line, float]]:
        """(line, pixel) of the lines whose names fit; a line without its name is not drawn."""
        kept, end = [], self.area.left()
        for line in self.column.lines:
            x, half = self.x(line.value), text_px(line.name) / 2
            if line.value <= self.span[1] and x - half >= end:
                kept.append((line, x))
                end = x + half + TEXT_GAP_PX
        return kept

    def _decades(self) -> list[float]:
        """As many powers of ten as fit; the two ends if fewer than two fit, since one number is no scale."""
        low, high = self.limits or (0.1, 1.0)
        fitting = int(self.area.width() / 44)
        return decade_ticks(low, high, fitting) if fitting >= 2 else [low, high]

    def _even_ticks(self) -> list[float]:
        """Round values on both sides of 0, the same step apart, and at least one besides zero."""
        low, high = self.limits or (0.0, 1.0)
        fitting = max(1, int(self.area.width() / 64))
        most = next(fitting + more for more in (0, 1, 2, 8) if len(nice_ticks(high - low, fitting + more)) > 1)
        return even_ticks(low, high, most)

    def _tick_text(self, value: float) -> str:
        if value == 0:
            return short_quantity(0, "%") if self.column.unit == "%" else "0"
        if not self.column.log or self.column.unit:
            return short_quantity(float(f"{value:.6g}"), self.column.unit)
        if value < 1:
            return f"1e{round(math.log10(value))}"
        return f"{short_quantity(value / 1e3)} k" if 1e3 <= value < 1e6 else short_quantity(value)


@dataclass(frozen=True)
class Part:
    """A segment of a bar: the value at which it begins, and its box."""

    segment: Segment
    begin: float
    box: QRectF


@dataclass(frozen=True)
class Strip:
    """One band: its head, the boxes of its rows across the whole width, the names of groups, and its axes."""

    band: Band
    head: QRectF
    boxes: list[QRectF]
    groups: list[tuple[str, QRectF]]
    names_left: float
    axes: list[Axis]

    def cells(self, index: int) -> list[tuple[Cell, QRectF]]:
        """The cells of a column with the boxes of their rows."""
        rows = zip(self.band.rows, self.boxes, strict=True)
        return [(row.cells[index], box) for row, box in rows if row.cells]

    def parts(self, index: int) -> list[Part]:
        """The segments of a column's bars; several bars of a cell share the height of its row."""
        axis, parts = self.axes[index], []
        share, most = (_GROUPED_SHARE, _GROUPED_PX) if self.groups else (_BAR_SHARE, _BAR_PX)
        for cell, row in self.cells(index):
            thick = min(most, share * row.height()) / max(1, len(cell.bars))
            top = row.center().y() - thick * len(cell.bars) / 2
            for number, bar in enumerate(cell.bars):
                begin = 0.0
                for segment in bar:
                    if segment.value > 0:  # not of NaN either
                        left, right = axis.x(begin), axis.x(begin + segment.value)
                        box = QRectF(left, top + number * thick, right - left, thick)
                        parts.append(Part(segment, begin, box))
                        begin += segment.value
        return parts


def even_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values from `low` to `high`, the same step apart; 0 is one of them."""
    ticks = nice_ticks(high - low, most)
    step = ticks[1] if len(ticks) > 1 else high - low
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


@zoom.cached(4096)
def text_px(text: str, *, bold: bool = True, size: str = "small") -> float:
    """How wide a text is."""
    return QFontMetricsF(themes.ui_font(size, bold=bold)).horizontalAdvance(shown_label(text))


def fixed_px(spec: RowSpec) -> int:
    """The height of everything but the rows."""
    return int(
        (HEADLINE_PX if spec.headline else 0) + len(spec.bands) * (_head_px(spec) + _ticks_px(spec)) + _name_px(spec)
    )


def lay_out(spec: RowSpec, width: float, height: float) -> list[Strip]:
    """A strip for each band of `spec` in a picture of that size."""
    groups_px, columns = _columns(spec, width)
    units = sum(_units(band.rows) for band in spec.bands)
    slot = max(1.0, (height - fixed_px(spec)) / max(1.0, units))
    strips, y = [], float(HEADLINE_PX if spec.headline else 0)
    for band in spec.bands:
        head = QRectF(EDGE_PX, y, width - 2 * EDGE_PX, _head_px(spec))
        boxes = _boxes(band.rows, QRectF(0, head.bottom(), width, slot * _units(band.rows)))
        bottom = head.bottom() + slot * _units(band.rows)
        axes = [
            Axis(column, column.range([row.cells[index] for row in band.rows if row.cells]), area, right)
            for index, (column, (begin, wide, right)) in enumerate(zip(spec.columns, columns, strict=True))
            for area in (QRectF(begin, head.bottom(), wide, bottom - head.bottom()),)
        ]
        strips.append(Strip(band, head, boxes, _groups(band.rows, boxes, groups_px), EDGE_PX + groups_px, axes))
        y = bottom + _ticks_px(spec)
    return strips


def _columns(spec: RowSpec, width: float) -> tuple[float, list[tuple[float, float, float]]]:
    """The width of the groups' names, and (left, width to scale, right end of the texts) of each column."""
    groups = max((text_px(row.group, size="body") for row in spec.rows), default=0.0)
    groups = groups + GAP_PX if groups else 0.0
    names = max((text_px(f"{row.name}  {row.suffix}".rstrip()) for row in spec.rows), default=0.0)
    least = EDGE_PX + groups + min(names, _SHORT_NAME_PX) + GAP_PX
    left = min(EDGE_PX + groups + names + GAP_PX, max(_NAMES_SHARE * width, least))
    free = width - left - GAP_PX * (len(spec.columns) - 1) - EDGE_PX
    shares = sum(column.share for column in spec.columns)
    columns = []
    for index, column in enumerate(spec.columns):
        wide = max(24.0, free * column.share / shares)
        columns.append((left, max(8.0, wide - _room_px(spec, index, wide)), left + wide))
        left += wide + GAP_PX
    return groups, columns


def _room_px(spec: RowSpec, index: int, wide: float) -> float:
    """The space right of a column's scale: for the texts behind its values, and for half of the last tick's text."""
    cells = [row.cells[index] for row in spec.rows if row.cells]
    column = spec.columns[index]
    texts = [cell.texts for cell in cells if cell.texts and (column.texts_apart or any(True for _ in cell.ends))]
    wording = 0 if column.texts_apart and wide >= _WIDE_PX else -1
    room = max((text_px(wordings[wording]) for wordings in texts), default=0.0)
    if column.fills_width:
        return 0.0
    if room:
        return min(room + TEXT_GAP_PX + 2, max(_TEXTS_SHARE * wide, _LEAST_TEXTS_PX))
    return 20.0 if column.has_axis else 0.0


def _head_px(spec: RowSpec) -> int:
    has_head = any(column.titles or column.lines for column in spec.columns) or any(
        b.title or b.heads for b in spec.bands
    )
    return HEAD_PX if has_head else 0


def _ticks_px(spec: RowSpec) -> int:
    return TICKS_PX if any(column.has_axis for column in spec.columns) else 0


def _name_px(spec: RowSpec) -> int:
    return NAME_PX if any(column.name for column in spec.columns) else 0


def _units(rows: tuple[Row, ...]) -> float:
    """The least height of a band, in rows."""
    return len(rows) + _GROUP_GAP * _group_count(rows)


def _boxes(rows: tuple[Row, ...], area: QRectF) -> list[QRectF]:
    """The boxes of the rows: close together in a group, with the rest of the space between groups."""
    groups = _group_count(rows)
    row = area.height() / _units(rows)
    row = min(row, _GROUPED_ROW_PX) if groups else row
    gap = (area.height() - row * len(rows)) / groups if groups else 0.0
    boxes, top = [], area.top() + gap / 2
    for above, below in pairwise((*rows, None)):
        boxes.append(QRectF(area.left(), top, area.width(), row))
        apart = groups and below is not None and above is not None and above.group != below.group
        top += row + (gap if apart else 0.0)
    return boxes


def _group_count(rows: tuple[Row, ...]) -> int:
    return len({row.group for row in rows if row.group})


def _groups(rows: tuple[Row, ...], boxes: list[QRectF], wide: float) -> list[tuple[str, QRectF]]:
    """Each group's name, and the box beside its rows."""
    groups: dict[str, QRectF] = {}
    for row, box in zip(rows, boxes, strict=True):
        if row.group:
            beside = QRectF(EDGE_PX, box.top(), wide, box.height())
            groups[row.group] = groups[row.group].united(beside) if row.group in groups else beside
    return list(groups.items())


def _thinned(ticks: list[tuple[float, str]], x: Callable[[float], float]) -> list[tuple[float, str]]:
    """The ticks, without the texts that would overlap the one before: there only the line stays."""
    kept, end = [], -math.inf
    for place, text in ticks:
        middle, half = x(place), text_px(text, bold=False) / 2
        fits = middle - half >= end + 2
        kept.append((place, text if fits else ""))
        end = middle + half if fits else end
    return kept
