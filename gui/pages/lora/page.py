"""The page of LoRA and AdaLoRA: ranks and budget over steps, losses, and details of a matrix."""

from __future__ import annotations

from core.contracts.result import Provenance
from core.contracts.text import Text, tr
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

_RANKS_HELP = tr(
    "The number of triplets that AdaLoRA keeps in each matrix after each step, from PEFT's own masks, with one row "
    "per matrix. Small marks at the lower edge are allocations (every deltaT). Below: the total of all matrices and "
    "the budget of the cubic schedule. Click a cell, use the arrow keys, or play. Mouse wheel: zoom. Double click: "
    "show all."
)
_LOSS_HELP = tr(
    "Loss in nats per labelled token, on the same batches and from the same model. Faint lines are batches, rings are "
    "held-out rows. LoRA gives every matrix the same rank; AdaLoRA ends with the same total number of triplets."
)
_DETAILS_HELP = tr(
    "The triplets of the selected matrix at the selected step; LoRA's W + BA; the singular values of the trained "
    "updates; what merging into stored precisions and saving leave of them; the trainable parameters of a public "
    "model by rank; the model's answers before and after training; and the kernels."
)
_NO_LOSSES = tr("Run (F5) to see the losses of LoRA, AdaLoRA and full matrices here.")
_AXIS_SHARE = 1.015
"""The axis of the losses is this many times as long as the run, so that the last ring is not cut."""


class LoraPage(Page[Plan, LoraResult]):
    """Selection kinds: matrix (its index), step (from 1), triplet (its index), details_view, kernel_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._follows = True
        self._followed: LoraResult | None = None
        self.key_metrics, self.history_view, self.details = KeyMetrics(), RankHistoryView(), Details()
        self.losses = LineChart(_NO_LOSSES, Axis(tr("step"), steps="whole"), Axis(tr("loss per token"), "nats"))
        return (
            Strip(self.key_metrics),
            CardSpec("ranks", self.history_view, tr("Rank of each matrix"), _RANKS_HELP, width=6),
            CardSpec("losses", self.losses, tr("Losses"), _LOSS_HELP, column=1, width=5),
            CardSpec(
                "details",
                self.details,
                tr("Details"),
                _DETAILS_HELP,
                under="losses",
                upper_height=5,
                height=6,
            ),
        )

    def link(self) -> None:
        self.history_view.matrix_picked.connect(self._on_matrix)
        self.history_view.step_picked.connect(self._on_step)
        self.losses.x_picked.connect(self._on_loss)
        self.details.triplets.triplet_picked.connect(self._on_triplet)
        self.details.provenance_changed.connect(self.cards["details"].set_provenance)

    # What the controller and the window call.

    def show_started(self, phase: Text | str) -> None:
        super().show_started(phase)
        self._follows = True

    def draw(self, state: PageState[Plan, LoraResult]) -> None:
        plan = state.plan
        if plan.problem:
            self.form.show_problem(plan.problem, plan.blames)
        if not self._done:
            self.history_view.set_planned(
                view_data.planned_budget(plan), view_data.planned_marks(plan.schedule), plan.budget.size
            )
            self.losses.set_series([], x_range=(0.0, _AXIS_SHARE * plan.params.steps))
            self.cards["ranks"].set_provenance(Provenance.MODELLED)
            self.cards["losses"].set_provenance(None)

    def draw_result(self, result: LoraResult | None) -> None:
        """Curves and ranks grow. The page follows the newest step until the user selects another one."""
        if result is None or result.history is None:
            self.selection.update(matrix=None, step=None, triplet=None)
            return
        steps = result.params.steps
        marks = view_data.phase_marks(result.schedule)
        self.history_view.set_history(
            view_data.rank_grid(result), view_data.budget_series(result.history), marks, steps
        )
        of_a = () if self.of_a is None else view_data.loss_series(self.of_a)
        self.losses.set_series(view_data.loss_series(result), x_range=(0.0, _AXIS_SHARE * steps), pinned=of_a)
        for key in ("ranks", "losses"):
            self.cards[key].set_provenance(result.measured)
        if self._follows and result is not self._followed:  # the same result in another language moves nothing
            self.selection.update(step=self._done)
        self._followed = result
        if self._matrix is None:  # this run does not have the selected matrix
            self.selection.update(matrix=None)

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Setters emit no signal if nothing changes, so there are no loops."""
        if self.state is None:
            return
        matrix, step, triplet = self._matrix, self._step, selection.get("triplet")
        self.history_view.select(matrix, step or None)
        self.losses.select_x(step or None)
        self._draw_key_metrics()
        self.details.draw(self.state.plan, self.state.result, matrix or 0, step, self.of_a)
        self.details.select_triplet(triplet if isinstance(triplet, int) else None)

    def step(self, delta: int) -> None:
        player = self.history_view.player
        player.step_forward() if delta > 0 else player.step_back()

    def toggle_play(self) -> None:
        self.history_view.player.toggle()

    def dismiss(self) -> bool:
        """Escape deselects a triplet, then a matrix, if there is nothing else to close."""
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
        """Selecting the newest step makes the page follow the run again."""
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
        """The visible step, 0 without a run."""
        return min(self._done, max(1, self.selection.selection.index("step", self._done)))

    def _draw_key_metrics(self) -> None:
        if self.state is not None:
            self.key_metrics.draw(self.state.plan, self._run, self._step)
