"""One column of a row chart's band: bars, marks, error bars and axis of pyqtgraph, made once and then updated."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor

from gui import theme as themes
from gui.charts.axis import PlainAxis
from gui.charts.pinned import A_INK
from gui.charts.row_chart_spec import Cell, Segment
from gui.charts.row_layout import TICKS_PX, Axis, Part, Strip
from gui.theme import Theme, mix
from gui.zoom import Px

_MARK_PX, _SAMPLE_PX, _GAP_FROM_PX = 7.5, 3.4, Px(3.0)
_DIMMED = 0.25


def segment_ink(segment: Segment, chosen: str | None, theme: Theme) -> str:
    """The colour of a segment; pale if another one is chosen."""
    full = segment.ink.colour(theme)
    return full if is_lit(segment, chosen) else mix(theme.surface, full, _DIMMED)


def is_lit(segment: Segment, chosen: str | None) -> bool:
    return chosen is None or segment.key is None or segment.key == chosen


def _has_news(item: pg.GraphicsObject, has_data: bool) -> bool:
    """Show or hide an item; whether its data have to be set: what was empty and stays so need not be."""
    was_visible = item.isVisible()
    item.setVisible(has_data)
    return has_data or was_visible


class _Axis(PlainAxis):
    """An axis whose first and last text may extend beyond its ends: with a grid, pyqtgraph would leave them out."""

    def boundingRect(self) -> QRectF:
        return super().boundingRect().adjusted(-40, 0, 40, 4)


class Panel:
    """y is in pixels from the top of the band, x in axis coordinates."""

    def __init__(self, scene: pg.GraphicsScene) -> None:
        nothing = np.empty(0)
        self._ticks: list[tuple[float, str]] | None = None
        self.axis, self.view = _Axis("bottom"), pg.ViewBox(enableMouse=False, enableMenu=False, invertY=True)
        self.bars, self.stems = (
            pg.BarGraphItem(x0=nothing, width=nothing, y=nothing, height=nothing) for _ in range(2)
        )
        self.limits, self.errors, self.lines, self.pinned = (pg.ErrorBarItem() for _ in range(4))
        self.marks, self.samples = (
            pg.ScatterPlotItem(pen=None, size=_MARK_PX),
            pg.ScatterPlotItem(pen=None, size=_SAMPLE_PX),
        )
        for item in (self.view, self.view.childGroup):  # marks at the ends of an axis are not cut
            item.setFlag(item.GraphicsItemFlag.ItemClipsChildrenToShape, False)
        for item in (
            self.bars,
            self.lines,
            self.stems,
            self.errors,
            self.marks,
            self.samples,
            self.limits,
            self.pinned,
        ):
            self.view.addItem(item, ignoreBounds=True)
        self.axis.linkToView(self.view)
        self.axis.setGrid(255)
        self.axis.setStyle(tickLength=0, tickTextOffset=3, tickAlpha=255, hideOverlappingLabels=False)
        self.axis.setHeight(TICKS_PX)
        self.axis.setZValue(self.view.zValue() - 1)
        for part in (self.axis, self.view):
            scene.addItem(part)

    def remove_from(self, scene: pg.GraphicsScene) -> None:
        for part in (self.axis, self.view):
            scene.removeItem(part)

    def restyle(self, theme: Theme) -> None:
        self.axis.setStyle(tickFont=themes.ui_font("small"))
        self.axis.setPen(pg.mkPen(None))
        self.axis.setTickPen(theme.grid)
        self.axis.setTextPen(theme.muted)
        self.limits.setData(pen=pg.mkPen(theme.warn, width=2))
        self.errors.setData(pen=pg.mkPen(theme.text, width=1.2))
        self.lines.setData(pen=pg.mkPen(theme.warn, width=1.4, style=Qt.PenStyle.DashLine))
        self.pinned.setData(pen=pg.mkPen(A_INK.colour(theme), width=2))
        self.samples.setBrush(theme.text)

    def draw(self, strip: Strip, index: int, theme: Theme, chosen: str | None) -> None:
        """Show a column of a band in the colours of `theme`."""
        axis = strip.axes[index]
        area = axis.area
        self.view.setGeometry(area)
        self.view.setRange(xRange=axis.span, yRange=(0.0, area.height()), padding=0, disableAutoRange=True)
        self.axis.setGeometry(QRectF(area.left(), area.bottom(), area.width(), TICKS_PX))
        ticks = axis.ticks()
        if ticks != self._ticks:  # others make pyqtgraph draw the axis anew
            self._ticks = ticks
            self.axis.setTicks([ticks])
        self._draw_bars(strip.parts(index), area.top(), theme, chosen)
        cells = [(cell, box.center().y() - area.top()) for cell, box in strip.cells(index)]
        half = min(8.0, 0.36 * strip.boxes[0].height())
        cells = cells if axis.limits else []
        self._draw_marks(cells, axis, theme)
        self._draw_samples(cells, axis)
        self._draw_errors(cells, axis, half)
        self._draw_pinned(cells, axis, half)
        values = np.array([axis.place(line.value) for line, _ in axis.lines()])
        if _has_news(self.lines, bool(values.size)):
            self.lines.setData(x=values, y=np.full(len(values), area.height() / 2), height=area.height())

    def _draw_bars(self, parts: list[Part], top: float, theme: Theme, chosen: str | None) -> None:
        self.bars.setVisible(bool(parts))
        if not parts:
            return
        colours = [QColor(segment_ink(part.segment, chosen, theme)) for part in parts]
        # A sliver of a segment is still a line in its colour; between those that can be picked there is a gap.
        edges = [
            QColor(theme.surface) if part.segment.key is not None and part.box.width() > _GAP_FROM_PX else fill
            for part, fill in zip(parts, colours, strict=True)
        ]
        self.bars.setOpts(
            x0=np.array([part.begin for part in parts]),
            width=np.array([part.segment.value for part in parts]),
            y0=np.array([part.box.top() - top for part in parts]),
            height=np.array([part.box.height() for part in parts]),
            brushes=[QBrush(fill) for fill in colours],
            pens=[pg.mkPen(edge, width=1) for edge in edges],
        )

    def _draw_marks(self, cells: list[tuple[Cell, float]], axis: Axis, theme: Theme) -> None:
        """Marks on their stems."""
        marked = [(cell, y) for cell, y in cells if math.isfinite(cell.mark)]
        for item in (self.stems, self.marks):
            item.setVisible(bool(marked))
        if not marked:
            if self.marks.points().size:
                self.marks.clear()
            return
        colours = [QColor(cell.ink.colour(theme)) for cell, _ in marked]
        places, ys = np.array([axis.place(cell.mark) for cell, _ in marked]), np.array([y for _, y in marked])
        self.stems.setOpts(
            x0=np.full(len(places), axis.base),
            width=places - axis.base,
            y0=ys,
            height=np.zeros(len(ys)),
            pens=[pg.mkPen(fill, width=1.6) for fill in colours],
        )
        self.marks.setData(x=places, y=ys, brush=[QBrush(fill) for fill in colours])

    def _draw_samples(self, cells: list[tuple[Cell, float]], axis: Axis) -> None:
        samples = [(axis.place(sample), y) for cell, y in cells for sample in cell.samples]
        self.samples.setVisible(bool(samples))
        if samples:
            self.samples.setData(x=[x for x, _ in samples], y=[y for _, y in samples])

    def _draw_pinned(self, cells: list[tuple[Cell, float]], axis: Axis, half: float) -> None:
        """A tick at each value of run A: across its bar, if the row has several."""
        ticks = [
            (axis.place(value), y + (2 * i + 1 - len(cell.pinned)) * half / len(cell.pinned), half / len(cell.pinned))
            for cell, y in cells
            for i, value in enumerate(cell.pinned)
            if math.isfinite(value) and (value > 0 or not axis.column.log)
        ]
        self.pinned.setVisible(bool(ticks))
        if ticks:
            places, ys, halves = (np.array(values) for values in zip(*ticks, strict=True))
            self.pinned.setData(x=places, y=ys, top=halves, bottom=halves, height=None)

    def _draw_errors(self, cells: list[tuple[Cell, float]], axis: Axis, half: float) -> None:
        """Limits, and the error bars of marks."""
        limited = [(axis.place(cell.limit), y) for cell, y in cells if cell.limit > 0]
        if _has_news(self.limits, bool(limited)):
            places, heights = np.array([x for x, _ in limited]), np.array([y for _, y in limited])
            self.limits.setData(x=places, y=heights, height=2 * half)
        ranged = [(cell, y) for cell, y in cells if cell.error > 0 and math.isfinite(cell.mark)]
        if _has_news(self.errors, bool(ranged)):
            errors = np.array([cell.error for cell, _ in ranged])
            marks, ys = np.array([cell.mark for cell, _ in ranged]), np.array([y for _, y in ranged])
            self.errors.setData(x=marks, y=ys, left=errors, right=errors, beam=half)
