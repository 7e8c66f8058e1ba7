"""Details of a matrix and a step: triplets, pictures, spectrum, merges; and the parameter count, answers, kernels."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import EMPTY, tr
from core.topics.lora.plan import Plan
from core.topics.lora.result import LoraResult
from gui.charts import impl_rows, traffic_rows
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.pages.lora import view_data
from gui.pages.lora.factor_pictures import FactorPictures
from gui.pages.lora.merges_view import MergesView
from gui.pages.lora.triplet_view import TripletView
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.samples_table import SamplesTable
from gui.widgets.switcher import Switcher

TRIPLETS, PICTURES, SPECTRUM, MERGES, SIZE, TEXT, KERNEL = range(7)
_NO_SPECTRUM = tr("Run (F5). After training, the singular values of each matrix's update appear here.")
_NO_SIZE = tr("The curves appear here once the parameters are valid.")
_NO_TEXT = tr("Run (F5) with Answers on to see the model's answers to held-out rows before and after training.")
_NO_KERNEL = tr("Run (F5) with Triton kernels on to see the memory traffic of the fused and the unfused forward pass.")
_NO_PICTURE = tr("Pictures appear after training, for the first matrices only: select one of the first matrices.")


class Details(Switcher):
    """Draws only the visible picture. `provenance_changed` carries its provenance, None for an empty picture."""

    provenance_changed = Signal(object)

    def __init__(self) -> None:
        self.triplets, self.pictures, self.kernel = TripletView(), FactorPictures(), KernelView()
        self.merges = MergesView()
        self.spectrum = LineChart(
            _NO_SPECTRUM, Axis(tr("index of the singular value"), steps="whole"), Axis(tr("singular value"))
        )
        self.size = LineChart(
            _NO_SIZE,
            Axis(tr("rank"), log=True),
            Axis(tr("parameters"), log=True),
            selected_label=tr("rank set in the form"),
        )
        self.spectrum_title, self.size_title = FittedLabel(), FittedLabel()
        self.text = SamplesTable(_NO_TEXT)
        super().__init__(
            [
                ("triplets", tr("Triplets"), self.triplets),
                ("pictures", "W + BA", self.pictures),
                ("spectrum", tr("Spectra"), _under(self.spectrum_title, self.spectrum)),
                ("merges", tr("Merge"), self.merges),
                ("size", tr("Size"), _under(self.size_title, self.size)),
                ("answers", tr("Answers"), self.text),
                ("kernel", tr("Kernel"), self.kernel),
            ],
            "details_view",
        )
        self._shown: tuple[Plan, LoraResult | None, int, int] | None = None
        self._of_a: LoraResult | None = None
        self._language = language.current()
        self.switched.connect(lambda _: self._draw())
        self.kernel.switched.connect(lambda _: self._draw())
        self.text.variant_picked.connect(self.text.choose)

    def draw(
        self, plan: Plan, result: LoraResult | None, matrix: int, step: int, of_a: LoraResult | None = None
    ) -> None:
        """Show a matrix (its index) at a step of the last run, if there is one, and what run A had behind it."""
        before, self._shown = self._shown, (plan, result, matrix, step)
        same = before is not None and before[0] is plan and before[1] is result and before[2:] == (matrix, step)
        same, self._of_a = same and of_a is self._of_a, of_a
        if self._language != language.current():  # hidden pictures have texts of the former language too
            self._language = language.current()
            for index in range(KERNEL + 1):
                self._draw_picture(index)
        elif not same:
            self._draw()

    def select_triplet(self, triplet: int | None) -> None:
        self.triplets.select_triplet(triplet)

    def _draw(self) -> None:
        if self._shown is not None:
            self.provenance_changed.emit(self._draw_picture(self.index))

    def _draw_picture(self, index: int) -> Provenance | None:
        """Draw one picture and return its provenance."""
        if self._shown is None:
            return None
        plan, result, matrix, step = self._shown
        measured = None if result is None else result.measured
        if index == TRIPLETS:
            return measured if self._draw_triplets(result, matrix, step) else None
        if index == PICTURES:
            return measured if self._draw_pictures(result, matrix) else None
        if index == SPECTRUM:
            return measured if self._draw_spectrum(result, matrix) else None
        if index == MERGES:
            return measured if self.merges.draw(result) else None
        if index == SIZE:
            self._draw_size(plan)
            return Provenance.MODELLED
        if index == TEXT:
            self.text.set_samples(*view_data.text_samples(result))
            return None if self.text.is_empty else measured
        return self.kernel.draw(result, self._of_a)

    def _draw_triplets(self, result: LoraResult | None, index: int, step: int) -> bool:
        frames = None if result is None or result.history is None else result.history.frames
        if result is None or frames is None:
            self.triplets.set_triplets(EMPTY, None)
            return False
        self.triplets.set_triplets(result.matrices[index].title, frames.triplets(index, step))
        return True

    def _draw_pictures(self, result: LoraResult | None, index: int) -> bool:
        if result is None or index >= len(result.factors):
            self.pictures.set_factors(EMPTY, None)
            if result is not None:
                self.pictures.show_empty(_NO_PICTURE)
            return False
        self.pictures.set_factors(result.matrices[index].title, result.factors[index])
        return True

    def _draw_spectrum(self, result: LoraResult | None, index: int) -> bool:
        series, marks = view_data.spectrum(result, index)
        self.spectrum.set_series(series, marks=marks, from_zero=True)
        self.spectrum_title.setVisible(bool(series))
        if result is not None and series:
            self.spectrum_title.set_wordings(view_data.spectrum_title(result.matrices[index]))
        return bool(series)

    def _draw_size(self, plan: Plan) -> None:
        self.size.set_series(view_data.size_curves(plan))
        self.size.select_x(plan.params.preset_rank)
        self.size_title.set_wordings(view_data.size_sentence(plan))


class KernelView(Switcher):
    """The traced bytes of the forward pass, and a comparison of its implementations."""

    def __init__(self) -> None:
        self.traffic = RowChart(_NO_KERNEL, tr("HBM bytes"))
        self.comparison = RowChart(impl_rows.EMPTY, tr("Implementations"))
        super().__init__(
            [("bytes", tr("Bytes"), self.traffic), ("implementations", tr("Implementations"), self.comparison)],
            "kernel_view",
        )

    def draw(self, result: LoraResult | None, of_a: LoraResult | None) -> Provenance | None:
        """Show traffic and comparison, with run A behind. Returns the provenance of the visible numbers, None if there
        are none."""
        variants, moved = view_data.traffic(result)
        pinned = None if of_a is None else traffic_rows.traffic_rows(*view_data.traffic(of_a))
        self.traffic.set_rows(traffic_rows.traffic_rows(variants, moved), pinned)
        rows = () if result is None else result.comparison
        pinned = impl_rows.pinned_rows(None if of_a is None else of_a.comparison)
        self.comparison.set_rows(impl_rows.implementation_rows(rows), pinned)
        if self.index == 0:
            return Provenance.TRACED if moved else None
        if impl_rows.ran_on_gpu(rows):
            return Provenance.MEASURED
        return Provenance.MEASURED_CPU if rows else None


def _under(title: FittedLabel, picture: QWidget) -> QWidget:
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    column.addWidget(title)
    column.addWidget(picture, 1)
    return content
