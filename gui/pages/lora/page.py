"""The view of LoRA and AdaLoRA: ranks over steps against the budget, losses, and what is behind a matrix."""

from __future__ import annotations

from core.contracts.result import Provenance
from core.topics.lora.plan import Plan
from core.topics.lora.result import LoraResult
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.lora import view_data
from gui.pages.lora.details import Details
from gui.pages.lora.key_metrics import KeyMetrics
from gui.pages.lora.rank_history import RankHistoryView

_RANKS_HELP = (
    "How many triplets AdaLoRA keeps in each matrix after each step, from peft's own masks: one row per matrix, by "
    "layer. Small marks at its lower edge are allocations (every deltaT). Below, all matrices together against the "
    "budget of the cubic schedule. Click a cell, walk with the arrows, or play; wheel: zoom, double click: all."
)
_LOSS_HELP = (
    "Loss in nats per learned token on the same batches from the same model: each batch as a faint line, held-out rows "
    "as rings. LoRA gives every matrix the same rank; AdaLoRA ends with the same number of triplets in all."
)
_DETAILS_HELP = (
    "Triplets of the picked matrix at the picked step; W + BA of LoRA; singular values of the trained updates; "
    "trainable parameters of a public model by rank; what the model says before and after; and the kernels."
)
_NO_LOSSES = "Run (F5): the losses of LoRA, AdaLoRA and whole matrices grow here, side by side."
_PAST_END = 1.015
"""Of the steps, that the axis of the losses spans: the last ring is whole."""


class LoraPage(Page[Plan, LoraResult]):
    """Selection kinds: matrix (its index), step (from 1), triplet (its index)."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._follows = True
        self.key_metrics, self.history_view, self.details = KeyMetrics(), RankHistoryView(), Details()
        self.losses = LineChart(_NO_LOSSES, Axis("step", steps="whole"), Axis("loss per token", "nats"))
        return (
            Strip(self.key_metrics),
            CardSpec("ranks", self.history_view, "Rank of each matrix", _RANKS_HELP, width=6),
            CardSpec("losses", self.losses, "Losses", _LOSS_HELP, column=1, width=5),
            CardSpec(
                "details", self.details, "Matrix and method", _DETAILS_HELP, under="losses", upper_height=5, height=6
            ),
        )

    def link(self) -> None:
        self.history_view.matrix_picked.connect(self._on_matrix)
        self.history_view.step_picked.connect(self._on_step)
        self.losses.x_picked.connect(self._on_loss)
        self.details.triplets.triplet_picked.connect(self._on_triplet)
        self.details.provenance_changed.connect(self.cards["details"].set_provenance)

    # What the controller and the window call.

    def show_started(self, phase: str) -> None:
        super().show_started(phase)
        self._follows = True

    def draw(self, state: PageState[Plan, LoraResult]) -> None:
        plan = state.plan
        if plan.problem:
            self.form.show_fault(plan.problem, plan.blames)
        if not self._done:
            self.history_view.set_planned(
                view_data.planned_budget(plan), view_data.phase_marks(plan.schedule), plan.params.steps
            )
            self.losses.set_series([], x_range=(0.0, _PAST_END * plan.params.steps))
            self.cards["ranks"].set_provenance(Provenance.MODELLED)
            self.cards["losses"].set_provenance(None)

    def draw_result(self, result: LoraResult | None) -> None:
        """Curves and ranks grow; the picture stays at the newest step until the user goes elsewhere."""
        if result is None or result.history is None:
            self.selection.update(matrix=None, step=None, triplet=None)
            return
        steps = result.params.steps
        marks = view_data.phase_marks(result.schedule)
        self.history_view.set_history(
            view_data.rank_grid(result), view_data.budget_series(result.history), marks, steps
        )
        self.losses.set_series(view_data.loss_series(result), x_range=(0.0, _PAST_END * steps))
        for key in ("ranks", "losses"):
            self.cards[key].set_provenance(result.measured)
        if self._follows:
            self.selection.update(step=self._done)
        if self._matrix is None:  # this run does not have the one that was picked
            self.selection.update(matrix=None)

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Each setter is silent when nothing changes, so nothing loops."""
        if self.state is None:
            return
        matrix, step, triplet = self._matrix, self._step, selection.get("triplet")
        self.history_view.select(matrix, step or None)
        self.losses.select_x(step or None)
        self._draw_key_metrics()
        self.details.draw(self.state.plan, self.state.result, matrix or 0, step)
        self.details.select_triplet(triplet if isinstance(triplet, int) else None)

    def step(self, delta: int) -> None:
        player = self.history_view.player
        player.step_forward() if delta > 0 else player.step_back()

    def toggle_play(self) -> None:
        self.history_view.player.toggle()

    def dismiss(self) -> bool:
        """Escape lets a triplet, then a matrix go when there is nothing else to close."""
        if super().dismiss():
            return True
        for kind in ("triplet", "matrix"):
            if kind in self.selection.selection:
                self.selection.update(**{kind: None})
                return True
        return False

    # What the user does.

    def _on_matrix(self, matrix: int) -> None:
        self.selection.update(matrix=matrix, triplet=None)

    def _on_step(self, step: int) -> None:
        """A user who goes to the newest step follows it again."""
        self._follows = step >= self._done
        self.selection.update(step=step)

    def _on_loss(self, step: int) -> None:
        if self._done:
            self._on_step(min(max(1, step), self._done))

    def _on_triplet(self, triplet: int) -> None:
        same = self.selection.selection.get("triplet") == triplet
        self.selection.update(matrix=self._matrix or 0, triplet=None if same else triplet)

    # What is shown.

    @property
    def _run(self) -> LoraResult | None:
        return None if self.state is None else self.state.result

    @property
    def _done(self) -> int:
        return 0 if self._run is None else self._run.steps_done

    @property
    def _matrix(self) -> int | None:
        index = self.selection.selection.index("matrix")
        return index if self._run is not None and 0 <= index < len(self._run.matrices) else None

    @property
    def _step(self) -> int:
        """The step that is shown, 0 without a run."""
        return min(self._done, max(1, self.selection.selection.index("step", self._done)))

    def _draw_key_metrics(self) -> None:
        if self.state is not None:
            self.key_metrics.draw(self.state.plan, self._run, self._step)
