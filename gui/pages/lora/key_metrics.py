"""The numbers above the page, of the plan or of a run at a step, and why the ranks stay as they are there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent, QTextDocument
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.contracts.text import tr
from core.topics.lora.plan import Plan
from core.topics.lora.result import LoraResult, RankHistory
from core.topics.lora.schedule import Reason
from gui.charts.ticks import short_quantity
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.metric_bar import MetricBar, Number

_LEFT_PX, _RIGHT_PX, _BELOW_PX = 12, 8, 6
_TRAINED = "AdaLoRA trains the triplets that it masks, too, so it counts those of its first rank to the end."
_ADAPTERS = (("lora", "LoRA"), ("adalora", "AdaLoRA"))
_WHY = tr("Why is nothing changing?")
_WHAT = tr("What is changing?")


class KeyMetrics(QWidget):
    """A strip of numbers, and below it one sentence and where the numbers come from."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.strip, self.badge, self.sentence = MetricBar(), ProvenanceBadge(), QLabel()
        self.sentence.setWordWrap(True)
        self.sentence.setTextFormat(Qt.TextFormat.RichText)
        self.sentence.setContentsMargins(_LEFT_PX, 0, _RIGHT_PX, 0)
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, _RIGHT_PX, _BELOW_PX)
        line.setSpacing(0)
        line.addWidget(self.sentence, 1)
        line.addWidget(self.badge, 0, Qt.AlignmentFlag.AlignVCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.strip)
        column.addLayout(line)

    @property
    def numbers(self) -> tuple[Number, ...]:
        return self.strip.numbers

    def draw(self, plan: Plan, result: LoraResult | None, step: int) -> None:
        """Of a run at a step, counted from 1; of the plan without a run, or at step 0."""
        if result is None or result.history is None or not step:
            self._show(planned_numbers(plan), Provenance.MODELLED, plan.explain_ranks(0))
        else:
            self._show(run_numbers(result, result.history, step), result.measured, result.explain_ranks(step))

    def _show(self, numbers: Sequence[Number], provenance: Provenance, reason: Reason) -> None:
        self.strip.set_numbers(numbers)
        self.badge.set_provenance(provenance)
        question = _WHAT if reason.changes else _WHY
        self.sentence.setText(f"<b>{question}</b> {reason.sentence}")
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
        written.setTextWidth(max(200, self.width() - _LEFT_PX - 2 * _RIGHT_PX - self.badge.sizeHint().width()))
        self.sentence.setFixedHeight(int(written.size().height()) + 1)
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


def run_numbers(result: LoraResult, history: RankHistory, step: int) -> list[Number]:
    """Of a run at a step, counted from 1."""
    total, allowed = int(history.total_rank[step - 1]), int(history.budget[step - 1])
    numbers = [
        Number(f"step · {result.phase(step).value}", f"{step:,} of {result.params.steps:,}"),
        Number("rank of budget", f"{total:,} of {allowed:,}", "triplets that AdaLoRA keeps in all, and may keep"),
        Number("mean rank", f"{history.mean_rank(step):.3g}", f"triplets per matrix, {len(result.matrices)} matrices"),
    ]
    adapters = [(label, result.runs[run]) for run, label in _ADAPTERS if run in result.runs]
    for label, run in adapters:
        detail = f"{run.trainable_parameters:,} of {run.total_parameters:,} parameters." + (
            f" {_TRAINED}" if label == "AdaLoRA" else ""
        )
        value = f"{short_quantity(run.trainable_parameters)} · {100 * run.share:.3g}%"
        numbers.append(Number(f"{label} trains", value, detail))
    speeds = [(label, run.steps_per_s) for label, run in adapters if run.steps_per_s is not None]
    if speeds:
        detail = ", ".join(label for label, _ in speeds) + ": steps per second on this machine, evaluation left out"
        numbers.append(Number("steps/s", " · ".join(f"{speed:.3g}" for _, speed in speeds), detail))
    stopped = [run.error for run in result.runs.values() if run.error]
    orthogonality = float(history.orthogonality[step - 1])
    if stopped:
        numbers.append(Number("stopped early", f"{len(stopped)} of the runs", "\n".join(stopped), "bad"))
    elif np.isfinite(orthogonality):
        detail = "mean of the norms of PᵀP - I and QQᵀ - I: AdaLoRA's regulariser, unweighted; orthonormal: 0"
        numbers.append(Number("off orthogonal ↓", f"{orthogonality:.3g}", detail))
    return numbers
