"""The key metrics of the plan or of a run at a step, and why the ranks change or stay the same there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent, QTextDocument
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.contracts.text import Text, listed, sentences, tr, tr_plural
from core.topics.lora.plan import Plan
from core.topics.lora.result import LoraResult, RankHistory
from core.topics.lora.schedule import Reason, total_step_mismatch
from gui.charts.ticks import short_quantity
from gui.widgets.badge import ProvenanceBadge
from gui.widgets.metric_bar import MetricBar, Number
from gui.zoom import Px

_LEFT_PX, _RIGHT_PX, _BELOW_PX = Px(12), Px(8), Px(6)
_TRAINED = tr("AdaLoRA also trains masked triplets, so all triplets of its initial rank count until the end.")
_ADAPTERS = (("lora", "LoRA"), ("adalora", "AdaLoRA"))
_WHY_UNCHANGED = tr("Why is nothing changing?")
_WHAT_CHANGES = tr("What is changing?")


class KeyMetrics(QWidget):
    """A row of numbers, and below it one sentence and the provenance of the numbers."""

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
        """Show a run at a step, which counts from 1; or the plan, without a run or at step 0."""
        if result is None or result.history is None or not step:
            self._show(planned_numbers(plan), Provenance.MODELLED, plan.explain_ranks(0), plan.total_step_mismatch)
        else:
            reason, mismatch = result.explain_ranks(step), total_step_mismatch(result.params)
            self._show(run_numbers(result, result.history, step), result.measured, reason, mismatch)

    def _show(self, numbers: Sequence[Number], provenance: Provenance, reason: Reason, mismatch: Text) -> None:
        self.strip.set_numbers(numbers)
        self.badge.set_provenance(provenance)
        question = _WHAT_CHANGES if reason.changes else _WHY_UNCHANGED
        self.sentence.setText(f"<b>{question}</b> {sentences(mismatch, reason.sentence)}")
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Fix the height to the number of lines that the sentence needs, and to two at least: most need them, and the
        plots keep their place. A label whose height depends on its width would make the page scroll even if its plots
        have enough room."""
        document = QTextDocument()
        document.setDefaultFont(self.sentence.font())
        document.setDocumentMargin(0)
        document.setHtml(self.sentence.text())
        document.setTextWidth(max(200, self.width() - _LEFT_PX - 2 * _RIGHT_PX - self.badge.sizeHint().width()))
        two_lines = 2 * self.sentence.fontMetrics().size(0, "Ag中文").height()
        self.sentence.setFixedHeight(max(two_lines, int(document.size().height()) + 1))
        policy = self.sentence.sizePolicy()
        policy.setHeightForWidth(False)
        self.sentence.setSizePolicy(policy)


def planned_numbers(plan: Plan) -> list[Number]:
    """Before a run: the numbers that follow from the parameters."""
    params, count = plan.params, len(plan.matrices)
    schedule = plan.schedule
    triplets = tr_plural(
        "{count} matrix: {init_r} triplets at the start, {target_r} at the end",
        "{count} matrices: {init_r} triplets each at the start, {target_r} on average at the end",
        count=count,
        init_r=params.init_r,
        target_r=params.target_r,
    )
    lora, adalora = (
        tr("{count:,} trainable parameters, from the shapes.", count=parameters)
        for parameters in (plan.lora_parameters, plan.adalora_parameters)
    )
    return [
        Number(str(tr("training steps")), f"{params.steps:,}", short=str(tr("steps"))),
        Number(str(tr("adapted matrices")), f"{count:,}", short=str(tr("matrices"))),
        Number(
            str(tr("total triplets")),
            f"{schedule.first:,} → {schedule.final_budget:,}",
            str(sentences(triplets, plan.total_step_mismatch)),
            "plain" if schedule.final_budget == schedule.target or not plan.total_step_mismatch else "bad",
            short=str(tr("triplets")),
        ),
        Number(_trains("LoRA"), short_quantity(plan.lora_parameters), str(lora), short="LoRA"),
        Number(
            _trains("AdaLoRA"),
            short_quantity(plan.adalora_parameters),
            str(sentences(adalora, _TRAINED)),
            short="AdaLoRA",
        ),
    ]


def _trains(adapter: str) -> str:
    return str(tr("{adapter} trains", adapter=adapter))


def run_numbers(result: LoraResult, history: RankHistory, step: int) -> list[Number]:
    """The numbers of a run at a step, which counts from 1."""
    total, allowed = int(history.total_rank[step - 1]), int(history.budget[step - 1])
    numbers = [
        Number(
            str(tr("step · {phase}", phase=result.phase(step).label)),
            str(tr("{part:,} of {total:,}", part=step, total=result.params.steps)),
            short=str(tr("step")),
        ),
        Number(
            str(tr("total rank / budget")),
            f"{total:,} / {allowed:,}",
            str(tr("Triplets that AdaLoRA keeps in all matrices together, and the number that the budget allows.")),
            short=str(tr("rank / budget")),
        ),
        Number(
            str(tr("mean rank")),
            f"{history.mean_rank(step):.3g}",
            str(tr("Triplets per matrix, over {matrices} matrices.", matrices=len(result.matrices))),
        ),
    ]
    adapters = [(label, result.runs[run]) for run, label in _ADAPTERS if run in result.runs]
    for label, run in adapters:
        parameters = tr(
            "{trainable:,} of {total:,} parameters.", trainable=run.trainable_parameters, total=run.total_parameters
        )
        detail = sentences(parameters, _TRAINED) if label == "AdaLoRA" else parameters
        value = f"{short_quantity(run.trainable_parameters)} · {100 * run.share:.3g}%"
        numbers.append(Number(_trains(label), value, str(detail), short=label))
    speeds = [(label, run.steps_per_s) for label, run in adapters if run.steps_per_s is not None]
    if speeds:
        detail = tr(
            "{adapters}: steps per second on this machine, without evaluations.",
            adapters=listed(label for label, _ in speeds),
        )
        numbers.append(Number(str(tr("steps/s")), " · ".join(f"{speed:.3g}" for _, speed in speeds), str(detail)))
    errors = [run.error for run in result.runs.values() if run.error]
    orthogonality = float(history.orthogonality[step - 1])
    if errors:
        count = tr_plural("{count} run", "{count} runs", count=len(errors))
        numbers.append(Number(str(tr("stopped early")), str(count), "\n".join(map(str, errors)), "bad"))
    elif np.isfinite(orthogonality):
        detail = tr(
            "The mean of the norms of PᵀP - I and QQᵀ - I: AdaLoRA's regulariser without its weight. Orthonormal "
            "factors give 0."
        )
        label, short = tr("orthogonality error ↓"), tr("orthog. error ↓")
        numbers.append(Number(str(label), f"{orthogonality:.3g}", str(detail), short=str(short)))
    return numbers
