"""Double quantization opened up: the scales of one tensor, their 8-bit codes, and what that costs and saves."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from core.checkpoint.nested_scales import NestedScales
from core.format import format_quantity
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.charts.row_chart import RowChart
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity
from gui.theme import Theme, colour
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend
from gui.widgets.segments import Segments

_SIDE_BY_SIDE_PX = 720
"""From this width on all charts are shown at once."""
_BITS_PX = 57
_CHARTS = ("absmax", "8-bit codes", "Errors")


class ScalesView(Figure):
    """Charts of scales, codes and errors above the bits that scales add to a parameter.

    Where there is no room for the charts side by side a row of buttons says which is shown.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("The scales of a tensor appear here once the parameters are valid.", parent)
        self.scales: NestedScales | None = None
        self.values = Chart(Axis("blocks, absmax ascending", steps="whole"), Axis("absmax"))
        self.codes = Chart(Axis("8-bit code", steps="whole"), Axis("scales", steps="whole"))
        self.errors = Chart(Axis("error of a scale", "%"), Axis("scales", steps="whole"))
        self._charts = (self.values, self.codes, self.errors)
        for chart, describe in zip(
            self._charts, (self.describe_scale, self.describe_code, self.describe_error), strict=True
        ):
            chart.freeze()
            read_out(chart, self, describe)
        self._line, self._dots = pg.PlotCurveItem(antialias=True), pg.ScatterPlotItem(size=3.5, pen=None)
        self._bars = {
            chart: pg.PlotCurveItem([0, 1], [0], stepMode="center", fillLevel=0) for chart in self._charts[1:]
        }
        for chart, items in ((self.values, (self._dots, self._line)), *((c, (b,)) for c, b in self._bars.items())):
            for item in items:
                chart.addItem(item, ignoreBounds=True)
        self.segments, self.bits, self.legend = (
            Segments(_CHARTS),
            RowChart("No scales.", "Bits of the scales"),
            Legend(),
        )
        self.bits.setFixedHeight(_BITS_PX)
        self.bits.tip = self.tip  # a read-out has more lines than fit into the rows
        self.segments.chosen.connect(lambda _: self._arrange())
        self._lay_out()

    def set_scales(self, scales: NestedScales | None, *, used: bool = True) -> None:
        """Show these in ascending order; None is the empty state. `used`: they are stored in 8 bits."""
        self.scales = scales.ascending if scales is not None and scales.absmax.size else None
        if self.scales is None:
            self.show_empty()
            return
        self._draw(self.scales)
        self.bits.set_rows(scale_bit_rows(self.scales, used=used))
        self.show_content()

    def describe_scale(self, x: float, y: float) -> str | None:
        """The scale under the pointer, before and after."""
        index = round(x)
        if self.scales is None or not 0 <= index < len(self.scales.absmax):
            return None
        value, restored = self.scales.absmax[index], self.scales.restored[index]
        error = f", {restored / value - 1:+.3%}" if value > 0 else ""
        return (
            f"scale {index + 1:,} of {len(self.scales.absmax):,}, in ascending order\n"
            f"float32 {value:.7g}\n8 bits: code {self.scales.codes[index]}, restored {restored:.7g}{error}"
        )

    def describe_code(self, x: float, y: float) -> str | None:
        """How many scales the code under the pointer holds."""
        if self.scales is None or not 0 <= round(x) < len(self.scales.code_counts):
            return None
        return f"code {round(x)}: {self.scales.code_counts[round(x)]:,} scales"

    def describe_error(self, x: float, y: float) -> str | None:
        """How many scales are off by what the bin under the pointer spans."""
        if self.scales is None:
            return None
        counts, edges = self.scales.errors
        bin_ = int(np.searchsorted(edges, x, side="right")) - 1
        if not 0 <= bin_ < len(counts):
            return None
        return (
            f"{edges[bin_]:+.3g}% to {edges[bin_ + 1]:+.3g}%: {counts[bin_]:,} scales\n"
            f"all of them: RMS error {format_quantity(100 * self.scales.relative_rmse, '%')} of their RMS"
        )

    def restyle(self, theme: Theme) -> None:
        plain, restored = theme.series[0], theme.series[1]
        for chart in self._charts:
            chart.restyle(theme)
        self._line.setPen(pg.mkPen(plain, width=1.6))
        self._dots.setBrush(pg.mkBrush(restored))
        for bars in self._bars.values():
            bars.setPen(pg.mkPen(restored, width=1))
            bars.setBrush(pg.mkBrush(colour(restored, 0.55)))
        self.legend.set_entries(
            [
                Entry("float32", plain, "line"),
                Entry("8 bits", restored, "dot"),
                Entry("float32 of the 8 bits", theme.series[3]),
            ]
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """All charts where they fit side by side, otherwise the one whose button is down."""
        beside = self.width() >= _SIDE_BY_SIDE_PX
        self.segments.setVisible(not beside)
        for index, chart in enumerate(self._charts):
            chart.setVisible(beside or index == self.segments.index)

    def _lay_out(self) -> None:
        content, head, charts = QWidget(), QHBoxLayout(), QHBoxLayout()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        charts.setSpacing(6)
        for chart in self._charts:
            charts.addWidget(chart, 1)
        head.setSpacing(8)
        head.addWidget(self.segments)
        head.addWidget(self.legend, 1)
        column.addLayout(head)
        column.addLayout(charts, 1)
        column.addWidget(self.bits)
        self.set_content(content)
        self._arrange()

    def _draw(self, scales: NestedScales) -> None:
        index = np.arange(len(scales.absmax), dtype=np.float64)
        self._line.setData(index, scales.absmax)
        self._dots.setData(index, scales.restored)
        top = float(max(scales.absmax.max(), scales.restored.max())) or 1.0
        low = float(min(scales.absmax.min(), scales.restored.min()))
        room = 0.06 * (top - low) or top
        self.values.setRange(xRange=(-0.5, len(index) - 0.5), yRange=(min(low - room, low), top + room), padding=0)
        held = np.flatnonzero(scales.code_counts)
        first, last = max(0, int(held[0]) - 3), min(255, int(held[-1]) + 3)
        self._fill(self.codes, np.arange(257) - 0.5, scales.code_counts, (first - 0.5, last + 0.5))
        counts, edges = scales.errors
        self._fill(self.errors, edges, counts, (float(edges[0]), float(edges[-1])))

    def _fill(self, chart: Chart, edges: np.ndarray, counts: np.ndarray, span: tuple[float, float]) -> None:
        self._bars[chart].setData(edges, counts)
        chart.setRange(xRange=span, yRange=(0, 1.08 * max(1, int(counts.max(initial=0)))), padding=0)


def scale_bit_rows(scales: NestedScales, *, used: bool = True) -> RowSpec:
    """One row per way, to one scale, under a line that says of which scales. The read-out has every digit."""
    plain, both = _sums(scales)
    rows = (
        Row("float32", (Cell(((Segment(scales.plain_bits, Ink("series.0"), labels=plain),),)),), _plain_text(scales)),
        Row(
            "8 bits",
            (
                Cell(
                    ((Segment(scales.code_bits, Ink("series.1")), Segment(scales.second_bits, Ink("series.3"))),),
                    texts=both,
                ),
            ),
            _nested_text(scales),
        ),
    )
    limits = 0.0, max(scales.plain_bits, scales.nested_bits)
    return RowSpec(
        (Column(limits=limits, has_axis=False, fills_width=True),), (Band(rows, heads=_captions(scales, used)),)
    )


def _plain_text(scales: NestedScales) -> str:
    return f"one float32 per block: 32/{scales.block_size} = {scales.plain_bits:.7g} bits per parameter"


def _nested_text(scales: NestedScales) -> str:
    return (
        f"8 bits per block: 8/{scales.block_size} = {scales.code_bits:.7g} bits per parameter\n"
        f"one float32 per {scales.nested_block} of them: 32/({scales.block_size} × {scales.nested_block}) = "
        f"{scales.second_bits:.7g}\ntogether {scales.nested_bits:.7g}: "
        f"{scales.plain_bits - scales.nested_bits:.7g} bits per parameter saved; modelled"
    )


def _captions(scales: NestedScales, used: bool) -> tuple[str, ...]:
    """Of which tensor the scales are; where there is no room its name gives way, from its beginning."""
    error = format_quantity(100 * scales.relative_rmse, "%")
    rest = f"{len(scales.absmax):,} scales, RMS error {error}"
    off = "" if used else "double quantization is off, this is what it would do · "
    short = "" if used else "off · "
    parts = scales.tensor.split(".")
    endings = [f"….{'.'.join(parts[index:])}" for index in range(1, len(parts))]
    if not scales.tensor:  # a run of an earlier version
        return off + rest, short + rest
    names = (
        f"{off}{scales.tensor}: ",
        f"{short}{scales.tensor}: ",
        *(f"{short}{ending}: " for ending in endings),
        short,
    )
    return tuple(name + rest for name in names)


def _sums(scales: NestedScales) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arithmetic of both ways, each in wordings from the longest to the shortest."""
    block, nested = scales.block_size, scales.nested_block
    plain, both = (short_quantity(bits) for bits in (scales.plain_bits, scales.nested_bits))
    saved = short_quantity(scales.plain_bits - scales.nested_bits)
    formula = f"8/{block} + 32/({block} × {nested}) = {both}"
    return (
        (f"32/{block} = {plain} bits per parameter", f"32/{block} = {plain} bits", plain),
        (
            f"{formula} bits per parameter: {saved} saved",
            f"{formula} bits: {saved} saved",
            f"{formula} bits",
            f"{both} bits",
        ),
    )
