"""What is behind a matrix and a step: triplets, pictures, spectrum; and the size, what is said, the kernel."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from core.contracts.result import Provenance, Result
from core.topics.lora.model.plan import Plan
from gui.charts import impl_rows, traffic_rows
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.pages.lora import planned, view_data
from gui.pages.lora.factor_pictures import FactorPictures
from gui.pages.lora.triplet_view import TripletView
from gui.widgets.samples_table import SamplesTable
from gui.widgets.switcher import Switcher

TRIPLETS, PICTURES, SPECTRUM, SIZE, TEXT, KERNEL = range(6)
_NO_SPECTRUM = "Run (F5): the singular values of each matrix's trained update appear here when training has ended."
_NO_SIZE = "The curves appear here once there is something to compare."
_NO_TEXT = "Run (F5) with Answers on: what the model says of rows that it has not seen, before and after, appears here."
_NO_KERNEL = "Run (F5) with Triton kernels on: the bytes that the fused and the unfused forward pass move appear here."
_NO_PICTURE = (
    "Training has not ended, or there are too many matrices for each to have its pictures: pick one of the first."
)


class Details(Switcher):
    """Only what is looked at is drawn. `provenance_changed` carries where it comes from, None for nothing."""

    provenance_changed = Signal(object)

    def __init__(self) -> None:
        self.triplets, self.pictures, self.kernel = TripletView(), FactorPictures(), KernelView()
        self.spectrum = LineChart(_NO_SPECTRUM, Axis("singular value", steps="whole"), Axis("value"))
        self.size = LineChart(
            _NO_SIZE, Axis("rank", log=True), Axis("parameters", log=True), selected_label="set in the form"
        )
        self.spectrum_title, self.size_title = QLabel(), QLabel()
        self.text = SamplesTable(_NO_TEXT)
        super().__init__(
            [
                ("Triplets", self.triplets),
                ("W + BA", self.pictures),
                ("Spectrum", _under(self.spectrum_title, self.spectrum)),
                ("Size", _under(self.size_title, self.size)),
                ("Text", self.text),
                ("Kernel", self.kernel),
            ]
        )
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._matrix, self._step = 0, 0
        self.switched.connect(lambda _: self._draw())
        self.kernel.switched.connect(lambda _: self._draw())
        self.text.variant_picked.connect(self.text.choose)

    @property
    def follows_form(self) -> bool:
        """Whether what is shown is the plan's, whatever ran."""
        return self.index == SIZE

    def draw(self, plan: Plan, result: Result | None, matrix: int, step: int) -> None:
        """Show a matrix (its index) at a step of the last run, if there is one."""
        self._plan, self._result, self._matrix, self._step = plan, result, matrix, step
        self._draw()

    def select_triplet(self, triplet: int | None) -> None:
        self.triplets.select_triplet(triplet)

    def _draw(self) -> None:
        plan, result = self._plan, self._result
        if plan is None:
            return
        shown = False
        if self.index == TRIPLETS:
            found = view_data.triplets(result, self._matrix, self._step)
            self.triplets.set_triplets(found)
            shown = found is not None
        elif self.index == PICTURES:
            pictures = view_data.factors(result, self._matrix)
            self.pictures.set_factors(pictures)
            if pictures is None and result is not None:
                self.pictures.show_empty(_NO_PICTURE)
            shown = pictures is not None
        elif self.index == SPECTRUM:
            shown = self._draw_spectrum()
        elif self.index == SIZE:
            self.size.set_series(planned.size_curves(plan))
            self.size.select_x(plan.params.preset_rank)
            self.size_title.setText(planned.size_sentence(plan))
        elif self.index == TEXT:
            self.text.set_samples(*view_data.text_samples(result))
            shown = not self.text.is_empty
        elif self.index == KERNEL:
            self.provenance_changed.emit(self.kernel.draw(result))
            return
        measured = view_data.where_measured(result) if result is not None and shown else None
        self.provenance_changed.emit(Provenance.MODELLED if self.index == SIZE else measured)

    def _draw_spectrum(self) -> bool:
        series, marks = view_data.spectrum(self._result, self._matrix)
        self.spectrum.set_series(series, marks=marks, from_zero=True)
        rows = view_data.matrices(self._result)
        self.spectrum_title.setVisible(bool(series))
        if series:
            row = rows[self._matrix]
            energy, rank = row.get("energy_in_rank"), row["lora_rank"]
            first = "first" if rank == 1 else f"first {rank}"
            share = "" if energy is None else f", trained whole: {100 * energy:.3g}% of its energy in the {first}"
            self.spectrum_title.setText(f"{view_data.title_of(row)}{share}")
        return bool(series)


class KernelView(Switcher):
    """Bytes of the forward pass, traced; and the implementations side by side."""

    def __init__(self) -> None:
        self.traffic = RowChart(_NO_KERNEL, "HBM bytes")
        self.comparison = RowChart(impl_rows.EMPTY, "Implementations")
        super().__init__([("Bytes", self.traffic), ("Implementations", self.comparison)])

    def draw(self, result: Result | None) -> Provenance | None:
        """Show what was traced and compared; returns where the numbers in front come from, None for none."""
        variants, moved = view_data.traffic(result)
        self.traffic.set_rows(traffic_rows.traffic_rows(variants, moved))
        rows = view_data.implementations(result)
        self.comparison.set_rows(impl_rows.implementation_rows(rows))
        if self.index == 0:
            return Provenance.TRACED if moved else None
        if impl_rows.ran_on_gpu(rows):
            return Provenance.MEASURED
        return Provenance.MEASURED_CPU if rows else None


def _under(title: QLabel, picture: QWidget) -> QWidget:
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    title.setProperty("role", "small")
    title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # a long one is no wider than the plot
    column.addWidget(title)
    column.addWidget(picture, 1)
    return whole
