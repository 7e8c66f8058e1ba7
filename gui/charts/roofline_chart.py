"""Work under a roofline: arithmetic intensity to the right, speed upwards, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.text import Text, tr
from core.format import quantity
from core.hardware.gpus import Gpu
from core.hardware.roofline import peak_tflops
from gui import theme as themes
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.theme import Theme, colour, mix
from gui.widgets.data_table import DataTable
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend
from gui.zoom import Px

_NEAR_PX, _POINT_PX, _RING_PX = 24, 11, 9
_LABEL_GAP_PX, _LINE_PX = Px(10.0), Px(15.0)
_LEFT_DECADES, _RIGHT_DECADES, _BELOW, _ABOVE = 0.35, 0.45, 0.55, 0.6
"""Space around points and ridge, in decades."""
_SHADE = 0.07
_NEAR_PLACES = 3
"""A ring is named only by a label close to it: there are many, and the pointer reads them out."""


@dataclass(frozen=True)
class Roof:
    """What a device can reach: bandwidth x intensity, up to its peak."""

    name: str
    peak_tflops: float
    bandwidth_gb_s: float

    @property
    def ridge(self) -> float:
        """FLOP per byte from which on the peak is the bound."""
        return self.peak_tflops * 1e3 / self.bandwidth_gb_s

    def at(self, intensity: float) -> float:
        return min(self.peak_tflops, intensity * self.bandwidth_gb_s * 1e-3)


def gpu_roof(gpu: Gpu, dtype: str, name: str = "") -> Roof:
    """The roof of a GPU in a precision, by its data sheet."""
    return Roof(name or gpu.name, peak_tflops(gpu, dtype), gpu.hbm_bandwidth_gb_s)


@dataclass(frozen=True)
class Point:
    """One kind of work at `intensity` FLOP per byte and `tflops`. `label` stands beside it; `colour_index` is that of
    the theme's series. A `traced` intensity is a ring."""

    label: str
    read_out: str
    intensity: float
    tflops: float
    colour_index: int
    traced: bool = False
    follows: int | None = None
    """The index of the point that an arrow leads from to this one."""


class RooflineChart(Figure):
    """The first roof is that of the regions; a second one is dashed."""

    def __init__(
        self, empty: Text, y: Text, kinds: Mapping[int, Text], ringed: Text, parent: QWidget | None = None
    ) -> None:
        """`y` names the speed. `kinds` names points in the legend by their colour, `ringed` those that are rings."""
        super().__init__(empty, parent)
        self._kinds, self._ringed = kinds, ringed
        self.points: tuple[Point, ...] = ()
        self.roofs: tuple[Roof, ...] = ()
        self._home: tuple[float, ...] = ()
        self.chart = _LabelledChart(self, y)
        self._shade, self._lines = pg.PlotCurveItem(), [pg.PlotCurveItem(antialias=True) for _ in range(2)]
        self._ridge, self._arrows = pg.InfiniteLine(angle=90), pg.PlotCurveItem(connect="pairs", antialias=True)
        self._dots, self._rings = pg.ScatterPlotItem(size=_POINT_PX), pg.ScatterPlotItem(size=_RING_PX, brush=None)
        for depth, item in enumerate((self._shade, self._ridge, *self._lines, self._arrows, self._dots, self._rings)):
            item.setZValue(depth)
            self.chart.addItem(item, ignoreBounds=True)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.chart, 1)
        column.addWidget(self.legend)
        read_out(self.chart, self, self.describe)
        self.set_content(content)

    def set_points(self, roofs: Sequence[Roof], points: Sequence[Point]) -> None:
        """Draw these; without points the empty state. Points without a place on logarithmic axes are left out."""
        kept = [point for point in points if point.intensity > 0 and point.tflops > 0]
        if (tuple(roofs), tuple(kept)) == (self.roofs, self.points):
            return
        self.roofs, self.points = tuple(roofs), tuple(kept)
        if not kept or not roofs:
            self.show_empty()
            return
        self._draw(themes.current())
        self.show_content()

    def describe(self, x: float, y: float) -> str | None:
        """The read-out of the nearest point, or else what the GPU can reach at this intensity."""
        if not self.points:
            return None
        wide, high = self.chart.getViewBox().viewPixelSize()
        away = [
            math.hypot((math.log10(p.intensity) - x) / (wide or 1), (math.log10(p.tflops) - y) / (high or 1))
            for p in self.points
        ]
        nearest = int(np.argmin(away))
        if away[nearest] <= _NEAR_PX:
            return self.points[nearest].read_out
        intensity, roof = 10.0**x, self.roofs[0]
        reach = tr(
            "{name}: up to {speed} at {intensity} FLOP/B",
            name=roof.name,
            speed=quantity(roof.at(intensity) * 1e12, "FLOP/s"),
            intensity=quantity(intensity),
        )
        bound = tr("bandwidth is the limit") if intensity < roof.ridge else tr("arithmetic is the limit")
        return f"{reach}\n{bound}"

    def data_table(self) -> DataTable | None:
        """One row per point."""
        if self.is_empty or not self.points:
            return None
        rows = tuple((point.label, point.intensity, point.tflops, point.traced) for point in self.points)
        return DataTable(("point", "flop_per_byte", "tflop_per_s", "traced"), rows)

    def restyle(self, theme: Theme) -> None:
        self.chart.restyle(theme)
        self._draw(theme)

    def ink(self, theme: Theme, point: Point) -> str:
        return theme.series[point.colour_index % len(theme.series)]

    def _draw(self, theme: Theme) -> None:
        if not self.points:
            return
        ridge = self.roofs[0].ridge
        logs = [math.log10(p.intensity) for p in self.points] + [math.log10(ridge)]
        left, right = math.floor(4 * (min(logs) - _LEFT_DECADES)) / 4, math.ceil(4 * (max(logs) + _RIGHT_DECADES)) / 4
        low = math.log10(min([p.tflops for p in self.points] + [self.roofs[0].at(10**left)]))
        top = math.log10(max(roof.peak_tflops for roof in self.roofs))
        bottom, top = math.floor(4 * (low - _BELOW)) / 4, top + _ABOVE
        if self._home != (left, right, bottom, top):
            self._home = (left, right, bottom, top)
            self.chart.set_home((left, right), (bottom, top))
        for line, roof in zip(self._lines, [*self.roofs, None], strict=False):
            line.setVisible(roof is not None)
            if roof is not None:
                line.setData(*_corners(roof, left, right))
                dashed = roof is not self.roofs[0]
                style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
                line.setPen(pg.mkPen(theme.muted if dashed else theme.text, width=1.4 if dashed else 2, style=style))
        self._shade.setData([left, math.log10(ridge)], [top, top])
        self._shade.setFillLevel(bottom)
        self._shade.setBrush(colour(theme.series[1], _SHADE))
        self._shade.setPen(pg.mkPen(None))
        self._ridge.setValue(math.log10(ridge))
        self._ridge.setPen(pg.mkPen(colour(theme.muted, 0.7), width=1, style=Qt.PenStyle.DotLine))
        self._draw_points(theme)
        self.chart.viewport().update()

    def _draw_points(self, theme: Theme) -> None:
        for item, traced in ((self._dots, False), (self._rings, True)):
            spots = []
            for point in (point for point in self.points if point.traced is traced):
                ink = self.ink(theme, point)
                pen = pg.mkPen(theme.text if traced else theme.sunken, width=1.6)
                spots.append({"pos": _place(point), "pen": pen, "brush": None if traced else pg.mkBrush(ink)})
            item.setData(spots)
        pairs = [(self.points[p.follows], p) for p in self.points if p.follows is not None]
        places = [place for pair in pairs for place in map(_place, pair)]
        self._arrows.setData([x for x, _ in places], [y for _, y in places])
        self._arrows.setPen(pg.mkPen(colour(self.ink(theme, pairs[0][1]), 0.55), width=4) if pairs else None)
        entries = {point.colour_index: point for point in self.points if not point.traced}
        kinds = self._kinds
        legend = [Entry(kinds[i], self.ink(theme, p), "dot") for i, p in sorted(entries.items()) if i in kinds]
        if any(point.traced for point in self.points):
            legend.append(Entry(self._ringed, theme.text, "ring"))
        if len(self.roofs) > 1:
            legend.append(Entry(self.roofs[1].name, theme.muted, "line"))
        self.legend.set_entries(legend)


def _place(point: Point) -> tuple[float, float]:
    return math.log10(point.intensity), math.log10(point.tflops)


def _corners(roof: Roof, left: float, right: float) -> tuple[list[float], list[float]]:
    ridge = math.log10(roof.ridge)
    xs = [left, ridge, right] if left < ridge < right else [left, right]
    return xs, [math.log10(roof.at(10**x)) for x in xs]


class _LabelledChart(Chart):
    """Writes the names of points and regions over the plot, without overlaps."""

    def __init__(self, figure: RooflineChart, y: Text) -> None:
        self._figure: RooflineChart | None = None
        super().__init__(Axis(tr("arithmetic intensity, FLOP per byte"), log=True), Axis(y, log=True))
        self._figure = figure
        self.freeze()

    def drawForeground(self, painter: QPainter, rect: QRectF | None) -> None:
        super().drawForeground(painter, rect)
        figure = self._figure
        if figure is None or not figure.points:
            return
        theme, area = themes.current(), self.getViewBox().sceneBoundingRect()
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        self._write_regions(painter, theme, area, figure.roofs[0])
        font = themes.ui_font("small", bold=True)
        painter.setFont(font)
        for point, box in self.label_boxes(QFontMetricsF(font)):
            painter.fillRect(box.adjusted(-2, 1, 2, -1), colour(theme.sunken, 0.75))
            painter.setPen(QColor(theme.muted if point.traced else figure.ink(theme, point)))
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, point.label)

    def _write_regions(self, painter: QPainter, theme: Theme, area: QRectF, roof: Roof) -> None:
        """Which side of the ridge is bound by what, along the lower edge; the ridge along the upper edge."""
        painter.setFont(themes.ui_font("small"))
        ridge = self.getViewBox().mapViewToScene(QPointF(math.log10(roof.ridge), 0)).x()
        metrics = QFontMetricsF(themes.ui_font("small"))
        painter.setPen(QColor(mix(theme.sunken, theme.muted, 0.9)))
        sides = (
            (QRectF(area.left(), area.bottom() - 18, ridge - area.left(), 16), tr("bandwidth-bound")),
            (QRectF(ridge, area.bottom() - 18, area.right() - ridge, 16), tr("compute-bound")),
        )
        for box, text in sides:
            if metrics.horizontalAdvance(str(text)) <= box.width():
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(text))
        name = str(tr("ridge: {intensity} FLOP/B", intensity=quantity(roof.ridge)))
        wide = metrics.horizontalAdvance(name) + 2
        left = ridge + 5 if ridge + 5 + wide <= area.right() else ridge - 5 - wide
        painter.drawText(
            QRectF(left, area.top() + 1, wide, 15), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name
        )

    def label_boxes(self, metrics: QFontMetricsF) -> list[tuple[Point, QRectF]]:
        """The labels that fit, each beside its point: below the roof, away from the others."""
        figure, view = self._figure, self.getViewBox()
        if figure is None:
            return []
        area = view.sceneBoundingRect().adjusted(2, 17, -2, -18)
        dots = [view.mapViewToScene(QPointF(*_place(point))) for point in figure.points]
        taken = [QRectF(dot.x() - 6, dot.y() - 6, 12, 12) for dot in dots]
        placed: list[tuple[Point, QRectF]] = []
        for point, dot in sorted(
            zip(figure.points, dots, strict=True), key=lambda pair: (pair[0].traced, -pair[1].y())
        ):
            if not point.label:
                continue
            wide = metrics.horizontalAdvance(point.label) + 2
            on_top = point.intensity >= figure.roofs[0].ridge
            places = _candidates(dot, wide, on_top=on_top)
            for box in places[:_NEAR_PLACES] if point.traced else places:
                if area.contains(box) and not any(box.intersects(other) for other in taken):
                    taken.append(box)
                    placed.append((point, box))
                    break
        return placed


def _candidates(dot: QPointF, wide: float, *, on_top: bool) -> list[QRectF]:
    """Places for a label from the best to the worst: beside a point of the slope, below one on top, then elsewhere."""
    right, middle = dot.x() + _LABEL_GAP_PX, dot.y() - _LINE_PX / 2
    beside = [QRectF(right, middle + step * 5, wide, _LINE_PX) for step in range(8)]
    below = [
        QRectF(dot.x() - wide + shift, dot.y() + 9 + step * 8, wide, _LINE_PX)
        for step in range(10)
        for shift in (wide / 2, 0.0, wide)
    ]
    left = [QRectF(dot.x() - wide - _LABEL_GAP_PX, middle - step * 6, wide, _LINE_PX) for step in range(6)]
    above = [QRectF(dot.x() - share * wide, dot.y() - 8 - _LINE_PX, wide, _LINE_PX) for share in (0.5, 0.0, 1.0)]
    return [*below, *beside, *above, *left] if on_top else [*beside, *below, *above, *left]
