"""The kernels beside bitsandbytes, and how many of their codes differ from another implementation's."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from core.contracts.result import Provenance, Result, Row
from core.topics.quantization.model.plan import Plan
from gui.charts import impl_rows
from gui.charts.row_chart import RowChart
from gui.pages.quantization import view_data
from gui.pages.quantization.report_figures import LABELS

_UNBROKEN = "\N{NO-BREAK SPACE}"
_WHAT = "dequantize, GEMV and matmul with bitsandbytes: times and errors on a GPU, of the report's arithmetic on a CPU"
_NOT_TIMED = "Switch Time them on and run (F5) to compare"
_NOT_YET = "Run (F5) to compare"


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

    @property
    def shows_nothing(self) -> bool:
        return self.comparison.is_empty and not self.agreement.text()

    def draw(self, plan: Plan, result: Result | None) -> Provenance | None:
        """Show what a run compared; returns where the numbers come from, None for none."""
        compared = view_data.implementations(result)
        rows = [] if result is None else list(result.tables.get("agreement", []))
        self.comparison.set_rows(impl_rows.implementation_rows(compared))
        self.agreement.setText(agreement_text(rows))
        self.agreement.setVisible(bool(self.agreement.text()))
        if not compared:
            self.comparison.show_empty(f"{_NOT_YET if plan.params.timing else _NOT_TIMED} {_WHAT}.")
        if impl_rows.ran_on_gpu(compared) or any(row["runs_on"] == "cuda" for row in rows):
            return Provenance.MEASURED
        if compared:
            return Provenance.MEASURED_CPU
        return Provenance.TRACED if self.agreement.text() else None


def agreement_text(rows: list[Row]) -> str:
    """How many codes differ, a line for each other implementation; '' where nothing was compared."""
    lines = []
    for other in dict.fromkeys(row["other"] for row in rows):
        own = [row for row in rows if row["other"] == other]
        known = [row for row in own if row["differing_codes"] is not None]
        told = [f"{LABELS[row['format']]} {row['differing_codes']:,}".replace(" ", _UNBROKEN) for row in known]
        missing = [f"{LABELS[row['format']]} not compared" for row in own if row["differing_codes"] is None]
        how = " (traced)" if any(row["runs_on"] == "emulated" for row in known) else ""
        of = f", of {known[0]['elements']:,} each" if known else ""
        lines.append(f"Codes that differ, Triton{how} and {other}{of}: {', '.join(told + missing)}.")
    return "\n".join(lines)
