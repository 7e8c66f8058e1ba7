"""The numbers above the page, of the plan or of a run at a step, and why the ranks stay as they are there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent, QTextDocument
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.contracts.result import Provenance, Result
from core.contracts.text import Language
from core.topics.lora.model.plan import Plan
from gui.charts.ticks import short_quantity
from gui.pages.lora import view_data
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.metric_bar import MetricBar, Number

_LEFT_PX, _RIGHT_PX, _BELOW_PX = 12, 8, 6
_TRAINED = "AdaLoRA trains the triplets that it masks, too, so it counts those of its first rank to the end."
_WHY = {"en": "Why is nothing changing?", "zh": "为什么没有变化？"}
_WHAT = {"en": "What is changing?", "zh": "什么在变？"}


class Headline(QWidget):
    """A strip of numbers with where they come from, and one sentence below it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.strip, self.badge, self.sentence = MetricBar(), ProvenanceBadge(), QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setTextFormat(Qt.TextFormat.RichText)
        self.sentence.setContentsMargins(_LEFT_PX, 0, _RIGHT_PX, _BELOW_PX)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 8, 0)
        line.addWidget(self.strip, 1)
        line.addWidget(self.badge, 0, Qt.AlignmentFlag.AlignVCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(line)
        column.addWidget(self.sentence)

    @property
    def numbers(self) -> tuple[Number, ...]:
        return self.strip.numbers

    def show_numbers(self, numbers: Sequence[Number], provenance: Provenance, question: str, answer: str) -> None:
        self.strip.set_numbers(numbers)
        self.badge.set_provenance(provenance)
        self.sentence.setText(f"<b>{question}</b> {answer}")
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """As many lines as the sentence needs, as a fixed height: one that depends on the width, which a label asks for
        at each text, would let the page scroll however much room its plots have."""
        written = QTextDocument()
        written.setDefaultFont(self.sentence.font())
        written.setDocumentMargin(0)
        written.setHtml(self.sentence.text())
        written.setTextWidth(max(200, self.width() - _LEFT_PX - _RIGHT_PX))
        self.sentence.setFixedHeight(int(written.size().height()) + 1 + _BELOW_PX)
        policy = self.sentence.sizePolicy()
        policy.setHeightForWidth(False)
        self.sentence.setSizePolicy(policy)


def planned_numbers(plan: Plan) -> list[Number]:
    """Before a run: what the parameters ask for."""
    params, count = plan.params, len(plan.matrices)
    schedule = plan.schedule
    return [
        Number("steps to train", f"{params.steps:,}"),
        Number("matrices adapted", f"{count:,}"),
        Number("triplets in all", f"{schedule.first:,} → {schedule.target:,}",
               f"{count} matrices: {params.init_r} each at the start, {params.target_r} on average at the end"),
        Number("LoRA trains", short_quantity(plan.lora_parameters), "parameters, from the shapes"),
        Number("AdaLoRA trains", short_quantity(plan.adalora_parameters), f"parameters. {_TRAINED}"),
    ]  # fmt: skip


def run_numbers(plan: Plan, result: Result, step: int) -> list[Number]:
    """Of a run at a step; `plan` is of the run's own parameters."""
    arrays, count = result.arrays, len(view_data.matrices(result))
    total, allowed = int(arrays["total_rank"][step - 1]), int(arrays["budget"][step - 1])
    numbers = [
        Number(f"step · {plan.phase(step).value}", f"{step:,} of {plan.params.steps:,}"),
        Number("rank of budget", f"{total:,} of {allowed:,}", "triplets that AdaLoRA keeps in all, and may keep"),
        Number("mean rank", f"{total / max(1, count):.3g}", f"triplets a matrix, {count} matrices"),
    ]
    found = [(label, view_data.run_row(result, run)) for run, label in (("lora", "LoRA"), ("adalora", "AdaLoRA"))]
    rows = [(label, row) for label, row in found if row is not None]
    for label, row in rows:
        share = f"{100 * row['share']:.3g}%"
        detail = f"{row['trainable_parameters']:,} of {row['total_parameters']:,} parameters." + (
            f" {_TRAINED}" if label == "AdaLoRA" else ""
        )
        value = f"{short_quantity(row['trainable_parameters'])} · {share}"
        numbers.append(Number(f"{label} trains", value, detail))
    speeds = [(label, row["steps_per_s"]) for label, row in rows if row.get("steps_per_s") is not None]
    if speeds:
        detail = ", ".join(label for label, _ in speeds) + ": steps a second on this machine, evaluation left out"
        numbers.append(Number("steps/s", " · ".join(f"{speed:.3g}" for _, speed in speeds), detail))
    stopped = [str(row["error"]) for row in result.tables.get("runs", []) if row.get("error")]
    if stopped:
        numbers.append(Number("stopped early", f"{len(stopped)} of the runs", "\n".join(stopped), "bad"))
    elif "orthogonality" in arrays and np.isfinite(arrays["orthogonality"][step - 1]):
        off = float(arrays["orthogonality"][step - 1])
        detail = "mean of the norms of PᵀP - I and QQᵀ - I: AdaLoRA's regulariser, unweighted; orthonormal: 0"
        numbers.append(Number("off orthogonal ↓", f"{off:.3g}", detail))
    return numbers


def why(plan: Plan, step: int, language: Language) -> tuple[str, str]:
    """The question and its answer at a step, 0 being before training."""
    reason = plan.why(step)
    return (_WHAT if reason.changes else _WHY)[language], reason.sentence.in_language(language)
