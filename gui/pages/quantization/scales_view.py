"""Double quantization in detail: the scales of one tensor, their 8-bit codes, their errors, and the saved bits."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from core.checkpoint.nested_scales import NestedScales
from core.contracts.text import tr, verbatim
from core.format import quantity
from core.topics.quantization.labels import source_label
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.charts.row_chart import RowChart
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity
from gui.theme import Theme, colour
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend
from gui.widgets.segments import Segments
from gui.zoom import Px

_SIDE_BY_SIDE_PX = Px(720)
"""From this width on all charts are shown at once."""
_BITS_PX = Px(57)
_CHARTS = (verbatim("absmax"), tr("8-bit codes"), tr("Errors"))


class ScalesView(Figure):
    """Charts of scales, codes and errors, above the bits per parameter that the scales take.

    If there is no room for the charts side by side, buttons choose which one is shown.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The scales of a tensor appear here once the parameters are valid."), parent)
        self.scales: NestedScales | None = None
        self.values = Chart(Axis(tr("blocks, absmax ascending"), steps="whole"), Axis("absmax"))
        self.codes = Chart(Axis(tr("8-bit code"), steps="whole"), Axis(tr("scales"), steps="whole"))
        self.errors = Chart(Axis(tr("error of a scale"), "%"), Axis(tr("scales"), steps="whole"))
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
            RowChart(tr("There are no scales."), tr("Bits of the scales")),
            Legend(),
        )
        self.bits.setFixedHeight(_BITS_PX)
        self.bits.tip = self.tip  # a read-out has more lines than the rows have room for
        self.segments.chosen.connect(lambda _: self._arrange())
        self._lay_out()

    def set_scales(self, scales: NestedScales | None, *, used: bool = True) -> None:
        """Show these scales in ascending order; None is the empty state. `used` says that double quantization is on."""
        self.scales = scales.ascending if scales is not None and scales.absmax.size else None
        if self.scales is None:
            self.show_empty()
            return
        self._draw(self.scales)
        self.bits.set_rows(scale_bit_rows(self.scales, used=used))
        self.show_content()

    def data_table(self) -> DataTable | None:
        """One row per scale, in ascending order, before and after double quantization."""
        scales = self.scales
        if scales is None:
            return None
        return table_of({"absmax": scales.absmax, "code": scales.codes, "restored": scales.restored})

    def describe_scale(self, x: float, y: float) -> str | None:
        """The scale under the pointer, before and after double quantization."""
        index = round(x)
        if self.scales is None or not 0 <= index < len(self.scales.absmax):
            return None
        value, restored = self.scales.absmax[index], self.scales.restored[index]
        lines = [
            tr("scale {number:,} of {count:,}, in ascending order", number=index + 1, count=len(self.scales.absmax)),
            tr("float32: {scale:.7g}", scale=float(value)),
        ]
        restored_from = {"code": int(self.scales.codes[index]), "restored": float(restored)}
        if value > 0:
            error = float(restored / value - 1)
            lines.append(tr("8 bits: code {code}, restored {restored:.7g}, {error:+.3%}", error=error, **restored_from))
        else:
            lines.append(tr("8 bits: code {code}, restored {restored:.7g}", **restored_from))
        return "\n".join(map(str, lines))

    def describe_code(self, x: float, y: float) -> str | None:
        """How many scales have the code under the pointer."""
        if self.scales is None or not 0 <= round(x) < len(self.scales.code_counts):
            return None
        return str(tr("code {code}: {count:,} scales", code=round(x), count=int(self.scales.code_counts[round(x)])))

    def describe_error(self, x: float, y: float) -> str | None:
        """How many scales have an error in the bin under the pointer."""
        if self.scales is None:
            return None
        counts, edges = self.scales.errors
        bin_ = int(np.searchsorted(edges, x, side="right")) - 1
        if not 0 <= bin_ < len(counts):
            return None
        in_bin = tr(
            "{low:+.3g}% to {high:+.3g}%: {count:,} scales",
            low=float(edges[bin_]),
            high=float(edges[bin_ + 1]),
            count=int(counts[bin_]),
        )
        overall = tr("all scales: RMS error {error} of their RMS", error=quantity(100 * self.scales.relative_rmse, "%"))
        return f"{in_bin}\n{overall}"

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
                Entry(tr("8 bits"), restored, "dot"),
                Entry(tr("float32 per group"), theme.series[3]),
            ]
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Show all charts if they fit side by side, otherwise the chosen one."""
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
        used_codes = np.flatnonzero(scales.code_counts)
        first, last = max(0, int(used_codes[0]) - 3), min(255, int(used_codes[-1]) + 3)
        self._fill(self.codes, np.arange(257) - 0.5, scales.code_counts, (first - 0.5, last + 0.5))
        counts, edges = scales.errors
        self._fill(self.errors, edges, counts, (float(edges[0]), float(edges[-1])))

    def _fill(self, chart: Chart, edges: np.ndarray, counts: np.ndarray, span: tuple[float, float]) -> None:
        self._bars[chart].setData(edges, counts)
        chart.setRange(xRange=span, yRange=(0, 1.08 * max(1, int(counts.max(initial=0)))), padding=0)


def scale_bit_rows(scales: NestedScales, *, used: bool = True) -> RowSpec:
    """One row for float32 scales and one for 8-bit scales on one axis, under a line that names the tensor. Read-outs
    have every digit."""
    plain, both = _sums(scales)
    rows = (
        Row("float32", (Cell(((Segment(scales.plain_bits, Ink("series.0"), labels=plain),),)),), _plain_text(scales)),
        Row(
            str(tr("8 bits")),
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
    return str(
        tr(
            "one float32 per block: 32/{block} = {bits:.7g} bits per parameter",
            block=scales.block_size,
            bits=scales.plain_bits,
        )
    )


def _nested_text(scales: NestedScales) -> str:
    lines = (
        tr(
            "8 bits per block: 8/{block} = {bits:.7g} bits per parameter",
            block=scales.block_size,
            bits=scales.code_bits,
        ),
        tr(
            "one float32 per {group} scales: 32/({block} × {group}) = {bits:.7g}",
            group=scales.nested_block,
            block=scales.block_size,
            bits=scales.second_bits,
        ),
        tr(
            "together {bits:.7g}, which saves {saved:.7g} bits per parameter (modelled)",
            bits=scales.nested_bits,
            saved=scales.saved_bits,
        ),
    )
    return "\n".join(map(str, lines))


def _captions(scales: NestedScales, used: bool) -> tuple[str, ...]:
    """The tensor of the scales, in wordings from the longest to the shortest: the beginning of its name is dropped
    first."""
    facts = str(
        tr(
            "{count:,} scales, RMS error {error}",
            count=len(scales.absmax),
            error=quantity(100 * scales.relative_rmse, "%"),
        )
    )
    parts = scales.tensor.split(".")
    endings = [f"….{'.'.join(parts[index:])}" for index in range(1, len(parts))]
    names = [str(source_label(scales.tensor)), *endings] if scales.tensor else []  # '' in a run of an earlier version
    wordings = [*(str(tr("{tensor}: {facts}", tensor=name, facts=facts)) for name in names), facts]
    if used:
        return tuple(wordings)
    longest = tr("double quantization is off; with it: {facts}", facts=wordings[0])
    return str(longest), *(str(tr("off · {facts}", facts=wording)) for wording in wordings)


def _sums(scales: NestedScales) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arithmetic of both kinds of scales, each in wordings from the longest to the shortest."""
    block, nested = scales.block_size, scales.nested_block
    plain, both = (short_quantity(bits) for bits in (scales.plain_bits, scales.nested_bits))
    saved = short_quantity(scales.saved_bits)
    plain_formula, formula = f"32/{block} = {plain}", f"8/{block} + 32/({block} × {nested}) = {both}"
    plain_texts = (
        tr("{formula} bits per parameter", formula=plain_formula),
        tr("{formula} bits", formula=plain_formula),
        verbatim(plain),
    )
    nested_texts = (
        tr("{formula} bits per parameter: {saved} saved", formula=formula, saved=saved),
        tr("{formula} bits: {saved} saved", formula=formula, saved=saved),
        tr("{formula} bits", formula=formula),
        tr("{bits} bits", bits=both),
    )
    return tuple(map(str, plain_texts)), tuple(map(str, nested_texts))
