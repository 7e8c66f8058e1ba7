"""Formats in practice: scales, memory of a whole model, outputs, kernels and the report; one picture at a time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import Text, listed, sentences, tr, tr_in, verbatim
from core.topics.quantization.labels import FORMAT_LABELS
from core.topics.quantization.result import Agreement
from gui.charts import impl_rows
from gui.charts.row_chart import RowChart
from gui.pages.quantization import deployment_rows, view_data
from gui.pages.quantization.report_table import ReportTable
from gui.pages.quantization.scales_view import ScalesView
from gui.pages.quantization.view_data import State
from gui.widgets.switcher import Switcher

SCALES, MODEL, OUTPUTS, KERNELS, REPORT = range(5)
_OUTPUTS_OFF = tr("Turn on Effect on outputs and run (F5) to measure the loss of a small trained model in each format.")
_UNBROKEN = "\N{NO-BREAK SPACE}"
_COMPARED = tr(
    "On a GPU the times and errors of dequantize, GEMV and matrix product are compared, on a CPU those of the report's "
    "arithmetic."
)
_NOT_TIMED = tr("Turn on Benchmark kernels and run (F5) to compare the kernels with bitsandbytes.")
_NOT_YET = tr("Run (F5) to compare the kernels with bitsandbytes.")


class DeploymentView(Switcher):
    """Draws only the picture that is shown; the others are drawn when the user switches to them.

    `drawn` carries the provenance of the shown picture (None for an empty one), and whether it is outdated (None if
    that follows from the whole run).
    """

    drawn = Signal(object, object)

    def __init__(self) -> None:
        self.scales, self.report = ScalesView(), ReportTable()
        self.budget = RowChart(deployment_rows.NO_BUDGET, tr("Whole model"))
        self.outputs = RowChart(deployment_rows.NO_LOSSES, tr("Effect on outputs"))
        self.kernels = KernelsView()
        super().__init__(
            [
                ("scales", tr("Scales"), self.scales),
                ("memory", tr_in("quantization", "Memory"), self.budget),
                ("outputs", tr("Outputs"), self.outputs),
                ("kernels", tr("Kernels"), self.kernels),
                ("report", tr("Report"), self.report),
            ],
            "practice_view",
        )
        self._state: State | None = None
        self._tensor: str | None = None
        self._drawn: dict[int, object] = {}
        self.switched.connect(lambda _: self._draw())

    def draw(self, state: State) -> None:
        if self._state is None or state.result is not self._state.result:
            self._drawn.clear()
        self._state = state
        self._draw()

    def select_tensor(self, tensor: str | None) -> None:
        """Highlight a tensor in the report."""
        self._tensor = tensor
        self.report.select_tensor(tensor)

    def _draw(self) -> None:
        state = self._state
        if state is None:
            return
        provenance: Provenance | None = Provenance.MODELLED
        outdated: bool | None = None
        if self.index == SCALES:
            provenance = self._draw_scales(state)
        elif self.index == MODEL:
            self.budget.choose(state.plan.params.format)
            self.budget.set_rows(deployment_rows.budget_rows(state.plan.memory, state.plan.gpu_memories))
        elif self.index == OUTPUTS:
            provenance, outdated = self._draw_outputs(state)
        elif self.index == KERNELS:
            provenance = self.kernels.draw(state)
        else:
            self._draw_report(state)
            provenance = None if state.result is None else Provenance.MEASURED_CPU
        self.drawn.emit(provenance, outdated)

    def _draw_scales(self, state: State) -> Provenance:
        """Draw the scales. They do not depend on the format, so another format draws nothing anew."""
        params, result = state.plan.params, state.result
        by_run = result is not None and params.asks_for_the_scales_of(result.params) and result.scales is not None
        key = by_run, params.changed(format="nf4"), language.current()
        if self._drawn.get(SCALES) != key:
            self._drawn[SCALES] = key
            scales = result.scales if by_run and result is not None else state.plan.scales
            self.scales.set_scales(scales, used=params.double_quantization)
        return view_data.measured(by_run)

    def _draw_outputs(self, state: State) -> tuple[Provenance | None, bool]:
        """Draw the losses of the last run, whatever its weights. A run with other texts is outdated too."""
        params, result = state.plan.params, state.result
        losses = () if result is None else result.outputs
        self.outputs.choose(params.format)
        pinned = None if state.of_a is None else deployment_rows.loss_rows(state.of_a.outputs)
        self.outputs.set_rows(deployment_rows.loss_rows(losses), pinned)
        if not losses and not params.outputs:
            self.outputs.show_empty(_OUTPUTS_OFF)
        outdated = result is not None and not params.asks_for_the_outputs_of(result.params)
        return Provenance.MEASURED_CPU if losses else None, outdated

    def _draw_report(self, state: State) -> None:
        plan, result = state.plan, state.result
        key = plan.params.checkpoint if result is None else "", result is None, language.current()
        if self._drawn.get(REPORT) != key:
            self._drawn[REPORT] = key
            self.report.set_report(view_data.report_rows(plan, result), FORMAT_LABELS, view_data.saver(result))
        self.report.set_format(plan.params.format)
        self.report.select_tensor(self._tensor)


class KernelsView(QWidget):
    """The comparison, above a line with the number of differing codes, which runs without timing have too."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.comparison, self.agreement = RowChart(impl_rows.EMPTY, tr("Implementations")), QLabel()
        self.agreement.setWordWrap(True)
        self.agreement.setProperty("role", "small")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.comparison, 1)
        column.addWidget(self.agreement)

    def draw(self, state: State) -> Provenance | None:
        """Show what a run compared. Returns the provenance of the numbers, None without any."""
        result = state.result
        compared = view_data.implementations(result)
        rows = () if result is None else result.agreement
        of_a = None if state.of_a is None else view_data.implementations(state.of_a)
        self.comparison.set_rows(impl_rows.implementation_rows(compared), impl_rows.pinned_rows(of_a))
        self.agreement.setText(agreement_text(rows))
        self.agreement.setVisible(bool(self.agreement.text()))
        if not compared:
            self.comparison.show_empty(sentences(_NOT_YET if state.plan.params.timing else _NOT_TIMED, _COMPARED))
        if impl_rows.ran_on_gpu(compared) or any(row.runs_on == "cuda" for row in rows):
            return Provenance.MEASURED
        if compared:
            return Provenance.MEASURED_CPU
        return Provenance.TRACED if self.agreement.text() else None


def agreement_text(rows: Sequence[Agreement]) -> str:
    """How many codes differ, one line per other implementation; '' if nothing was compared."""
    return "\n".join(
        str(_agreement_line(other, [row for row in rows if row.other == other]))
        for other in dict.fromkeys(row.other for row in rows)
    )


def _agreement_line(other: str, rows: Sequence[Agreement]) -> Text:
    compared = [row for row in rows if row.differing_codes is not None]
    counts = listed(_difference(row) for row in rows)
    if not compared:
        return tr("Codes that differ between Triton and {other}: {counts}.", other=other, counts=counts)
    values = {"other": other, "elements": compared[0].elements, "counts": counts}
    if any(row.runs_on == "emulated" for row in compared):
        return tr(
            "Codes that differ between Triton (traced) and {other}, of {elements:,} per format: {counts}.", **values
        )
    return tr("Codes that differ between Triton and {other}, of {elements:,} per format: {counts}.", **values)


def _difference(row: Agreement) -> Text:
    name = view_data.label(row.format).replace(" ", _UNBROKEN)
    if row.differing_codes is None:
        return tr("{format} not compared", format=name)
    return verbatim(f"{name}{_UNBROKEN}{row.differing_codes:,}")
