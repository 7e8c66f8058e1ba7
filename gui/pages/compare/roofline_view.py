"""The roofline: of the device, from ceilings that were measured in the same run, or of a GPU by its data sheet."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.contracts.text import tr, verbatim
from core.format import quantity
from core.hardware.gpus import Gpu, gpus
from core.hardware.roofline import peak_dtype
from gui.charts.roofline_chart import Point, Roof, RooflineChart, gpu_roof
from gui.pages.compare.bar_rows import describe
from gui.pages.compare.shown import RUN, Shown, point_title
from gui.translation import show_text
from gui.widgets.segments import Segments

DEVICE, GPU = range(2)


class RooflineView(QWidget):
    """Until the user chooses, the device is shown as soon as something was timed on it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chart = RooflineChart(
            tr("Run (F5) to see here what was timed, under ceilings that are measured in the same run."),
            verbatim("TFLOP/s"),
            {},
            tr("traced intensity, at the attainable speed"),
        )
        self.of = Segments([tr("this device"), tr("GPU of the form")])
        show_text(self.of.setAccessibleName, tr("Whose roofline"))
        self._shown: Shown | None = None
        self._chosen: int | None = None
        self.of.chosen.connect(self._on_chosen)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.of)
        column.addWidget(self.chart, 1)

    @property
    def index(self) -> int:
        return self.of.index

    def draw(self, shown: Shown) -> Provenance | None:
        """Returns the provenance of the points, None without any."""
        self._shown = shown
        roof, points = _device_roof(shown), device_points(shown)
        if self._chosen is None:
            self.of.blockSignals(True)
            self.of.choose(DEVICE if roof is not None and points else GPU)
            self.of.blockSignals(False)
        if self.of.index == DEVICE:
            self.chart.set_points([] if roof is None else [roof], points)
            source = shown.source(RUN)
            return source.provenance if source is not None and roof is not None and points else None
        gpu = gpus()[shown.plan.params.gpu]
        planned = gpu_points(shown, gpu)
        self.chart.set_points([gpu_roof(gpu, _dtype(shown, gpu))], planned)
        return Provenance.MODELLED if planned else None

    def _on_chosen(self, index: int) -> None:
        self._chosen = index
        if self._shown is not None:
            self.draw(self._shown)


def device_points(shown: Shown) -> list[Point]:
    """What was timed at the point that is looked at, at the FLOPs and the bytes of the formula."""
    source, point = shown.source(RUN), shown.point(shown.run)
    if source is None or point is None or not (point.flops and point.least_bytes):
        return []
    return [
        Point(
            str(shown.label(outcome.impl, outcome)),
            describe(shown, source, point, outcome),
            point.flops / point.least_bytes,
            point.flops / (outcome.time_ms * 1e-3) / 1e12,
            shown.colour(outcome.impl),
        )
        for outcome in point.outcomes
        if outcome.time_ms is not None
    ]


def gpu_points(shown: Shown, gpu: Gpu) -> list[Point]:
    """Every point of the sweep by the formula, and what the Triton kernels were traced to do at the one looked at."""
    roof, points = gpu_roof(gpu, _dtype(shown, gpu)), []
    for index, planned in enumerate(shown.plan.points):
        cost = planned.cost
        if not (cost.flops and cost.least_bytes):
            continue
        intensity, title = cost.intensity_flops_per_byte, point_title(shown.plan, planned.case)
        lines = [title, tr("{intensity} FLOP per byte by the formula", intensity=quantity(intensity))]
        if planned.bound_ms is not None:
            lines.append(tr("at least {time} on {gpu}", time=quantity(planned.bound_ms, "ms"), gpu=gpu.name))
        label = title if index == shown.index else ""
        read_out = "\n".join(map(str, lines))
        points.append(Point(label, read_out, intensity, roof.at(intensity), shown.colour("")))
    source, point = shown.source(RUN), shown.point(shown.run)
    for outcome in () if point is None else point.outcomes:
        traced = outcome.traced
        if source is None or point is None or traced is None or not (traced.product_flops and traced.unique_bytes):
            continue
        intensity = traced.product_flops / traced.unique_bytes
        name, read_out = str(shown.label(outcome.impl, outcome)), describe(shown, source, point, outcome)
        points.append(Point(name, read_out, intensity, roof.at(intensity), shown.colour(outcome.impl), traced=True))
    return points


def _device_roof(shown: Shown) -> Roof | None:
    """From the measured copy and matrix product; None where one is missing."""
    run = shown.run
    copy, matmul = (None, None) if run is None else (run.ceiling("copy"), run.ceiling("matmul"))
    if run is None or copy is None or matmul is None or not (copy.per_s and matmul.per_s):
        return None
    return Roof(run.device.name, matmul.per_s / 1e12, copy.per_s / 1e9)


def _dtype(shown: Shown, gpu: Gpu) -> str:
    """The precision of the roof."""
    return peak_dtype(gpu, "fp32" if shown.planned is None else shown.planned.cost.dtype)
