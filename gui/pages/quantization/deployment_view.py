"""What a format means in practice: scales, memory of a whole model, outputs, kernels, the report, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.topics.quantization.result import Agreement
from gui.charts import impl_rows
from gui.charts.row_chart import RowChart
from gui.pages.quantization import deployment_rows, view_data
from gui.pages.quantization.report_table import ReportTable
from gui.pages.quantization.scales_view import ScalesView
from gui.pages.quantization.view_data import LABELS, State
from gui.widgets.switcher import Switcher

SCALES, MODEL, OUTPUTS, KERNELS, REPORT = range(5)
_OUTPUTS_OFF = "Switch Effect on outputs on and run (F5) to measure the loss of a small trained model in each format."
_UNBROKEN = "\N{NO-BREAK SPACE}"
_WHAT = "dequantize, GEMV and matmul with bitsandbytes: times and errors on a GPU, of the report's arithmetic on a CPU"
_NOT_TIMED = "Switch Benchmark kernels on and run (F5) to compare"
_NOT_YET = "Run (F5) to compare"


class DeploymentView(Switcher):
    """What is behind the other buttons is made when it is looked at.

    `drawn` carries where what is now shown comes from, None for nothing, and whether it is of other parameters; None
    for what goes with the whole run.
    """

    drawn = Signal(object, object)

    def __init__(self) -> None:
        self.scales, self.report = ScalesView(), ReportTable()
        self.budget = RowChart(deployment_rows.NO_BUDGET, "Whole model")
        self.outputs = RowChart(deployment_rows.NO_LOSSES, "Effect on outputs")
        self.kernels = KernelsView()
        super().__init__(
            [
                ("Scales", self.scales),
                ("Whole model", self.budget),
                ("Outputs", self.outputs),
                ("Kernels", self.kernels),
                ("Report", self.report),
            ]
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
        """Scales do not depend on the format: they are drawn anew when something else changed."""
        params, result = state.plan.params, state.result
        by_run = result is not None and params.asks_for_the_scales_of(result.params) and result.scales is not None
        key = by_run, params.changed(format="nf4")
        if self._drawn.get(SCALES) != key:
            self._drawn[SCALES] = key
            scales = result.scales if by_run and result is not None else state.plan.scales
            self.scales.set_scales(scales, used=params.double_quantization)
        return view_data.measured(by_run)

    def _draw_outputs(self, state: State) -> tuple[Provenance | None, bool]:
        """Of the last run, whatever its weights: a run of other texts is outdated too."""
        params, result = state.plan.params, state.result
        losses = () if result is None else result.outputs
        self.outputs.choose(params.format)
        self.outputs.set_rows(deployment_rows.loss_rows(losses))
        if not losses and not params.outputs:
            self.outputs.show_empty(_OUTPUTS_OFF)
        outdated = result is not None and not params.asks_for_the_outputs_of(result.params)
        return Provenance.MEASURED_CPU if losses else None, outdated

    def _draw_report(self, state: State) -> None:
        plan, result = state.plan, state.result
        key = plan.params.checkpoint if result is None else "", result is None
        if self._drawn.get(REPORT) != key:
            self._drawn[REPORT] = key
            self.report.set_report(view_data.report_rows(plan, result), LABELS, view_data.saver(result))
        self.report.set_format(plan.params.format)
        self.report.select_tensor(self._tensor)


class KernelsView(QWidget):
    """The comparison above a line of codes that differ, which is there for runs that timed nothing too."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.comparison, self.agreement = RowChart(impl_rows.EMPTY, "Implementations"), QLabel()
        self.agreement.setWordWrap(True)
        self.agreement.setProperty("role", "small")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.comparison, 1)
        column.addWidget(self.agreement)

    def draw(self, state: State) -> Provenance | None:
        """Show what a run compared; returns where the numbers come from, None for none."""
        result = state.result
        compared = view_data.implementations(result)
        rows = () if result is None else result.agreement
        self.comparison.set_rows(impl_rows.implementation_rows(compared))
        self.agreement.setText(agreement_text(rows))
        self.agreement.setVisible(bool(self.agreement.text()))
        if not compared:
            self.comparison.show_empty(f"{_NOT_YET if state.plan.params.timing else _NOT_TIMED} {_WHAT}.")
        if impl_rows.ran_on_gpu(compared) or any(row.runs_on == "cuda" for row in rows):
            return Provenance.MEASURED
        if compared:
            return Provenance.MEASURED_CPU
        return Provenance.TRACED if self.agreement.text() else None


def agreement_text(rows: Sequence[Agreement]) -> str:
    """How many codes differ, a line for each other implementation; '' where nothing was compared."""
    lines = []
    for other in dict.fromkeys(row.other for row in rows):
        of_other = [row for row in rows if row.other == other]
        known = [row for row in of_other if row.differing_codes is not None]
        counts = [f"{LABELS[row.format]} {row.differing_codes:,}".replace(" ", _UNBROKEN) for row in known]
        missing = [f"{LABELS[row.format]} not compared" for row in of_other if row.differing_codes is None]
        how = " (traced)" if any(row.runs_on == "emulated" for row in known) else ""
        of = f", of {known[0].elements:,} each" if known else ""
        lines.append(f"Codes that differ, Triton{how} and {other}{of}: {', '.join(counts + missing)}.")
    return "\n".join(lines)
