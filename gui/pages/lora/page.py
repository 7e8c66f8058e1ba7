"""The view of LoRA and AdaLoRA: ranks over steps against the budget, losses, and what is behind a matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.contracts.params import Params
from core.contracts.result import Provenance, Result
from core.contracts.result_builder import from_partial
from core.contracts.text import Language
from core.topics.lora.model.plan import Plan
from core.topics.lora.params import LoraParams
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.page.page import Page
from gui.page.selection import Selection
from gui.pages.lora import view_data
from gui.pages.lora.details import Details
from gui.pages.lora.key_metrics import Headline, planned_numbers, run_numbers, why
from gui.pages.lora.rank_history import RankHistory

_RANKS_HELP = (
    "How many triplets AdaLoRA keeps in each matrix after each step, from peft's own masks: a row a matrix, grouped by "
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
_ROOM = 1.015
"""Of the steps, that the axis of the losses spans: the last ring is whole."""
_NOT_OF_A_RUN = ("model_preset", "preset_rank", "preset_targets")


class LoraPage(Page):
    """Selection kinds: matrix (its index in the table), step (from 1), triplet (its index)."""

    def build(self) -> None:
        self._plan: Plan | None = None
        self._ran: Plan | None = None
        self._result: Result | None = None
        self._follows = True
        self._stale = False
        self.headline, self.history_view, self.details = Headline(), RankHistory(), Details()
        self.losses = LineChart(_NO_LOSSES, Axis("step", steps="whole"), Axis("loss per token", "nats"))
        self.add_strip(self.headline)
        self.ranks_card = self.add_plot(self.history_view, 0, 0, "Rank of each matrix", _RANKS_HELP, width=6)
        self.loss_card = self.add_plot(self.losses, 0, 1, "Losses", _LOSS_HELP, width=5)
        self.details_card = self.add_plot_under(
            self.details, self.loss_card, "Matrix and method", _DETAILS_HELP, heights=(5, 6)
        )
        self._link()

    # What the controller and the window call.

    def show_plan(self, plan: Plan, params: Params) -> None:
        self._plan = plan
        if plan.problem:
            self.form.show_fault(plan.problem, plan.blames)
        self._draw()

    def show_started(self, phase: str) -> None:
        super().show_started(phase)
        self._follows = True

    def show_partial(self, payload: dict[str, Any]) -> None:
        """Curves and ranks grow; the picture stays at the newest step until a person goes elsewhere."""
        self._take(from_partial(payload))

    def show_result(self, result: Result) -> None:
        self._take(result)
        if self._matrix is None:  # this run does not have the one that was picked
            self.selection.update(matrix=None)

    def clear_result(self) -> None:
        self._take(None)
        self.selection.update(matrix=None, step=None, triplet=None)

    def set_stale(self, stale: bool) -> None:
        """What follows the form is never stale, nor is a run that differs only in the public model that is counted."""
        self._stale = stale
        old = stale and self._result is not None and not self._is_of_form(self._result.params)
        self.ranks_card.set_stale(old)
        self.loss_card.set_stale(old)
        self.details_card.set_stale(old and not self.details.follows_form)

    def set_language(self, language: Language) -> None:
        super().set_language(language)
        self._language: Language = language
        if getattr(self, "_plan", None) is not None:
            self._draw_headline()

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Each setter is silent when nothing changes, so nothing loops."""
        matrix, step = self._matrix, self._step
        self.history_view.select(matrix, step or None)
        self.losses.select_x(step or None)
        self._draw_headline()
        self._draw_details()
        triplet = selection.get("triplet")
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

    # What a person does.

    def _link(self) -> None:
        self.history_view.matrix_picked.connect(self._on_matrix)
        self.history_view.step_picked.connect(self._on_step)
        self.losses.x_picked.connect(self._on_loss)
        self.details.triplets.triplet_picked.connect(self._on_triplet)
        self.details.provenance_changed.connect(self.details_card.set_provenance)
        self.details.switched.connect(lambda _: self.set_stale(self._stale))

    def _on_matrix(self, matrix: int) -> None:
        self.selection.update(matrix=matrix, triplet=None)

    def _on_step(self, step: int) -> None:
        """A person who goes to the newest step follows it again."""
        self._follows = step >= self._done
        self.selection.update(step=step)

    def _on_loss(self, step: int) -> None:
        if self._done:
            self._on_step(min(max(1, step), self._done))

    def _on_triplet(self, triplet: int) -> None:
        same = self.selection.selection.get("triplet") == triplet
        self.selection.update(matrix=self._matrix or 0, triplet=None if same else triplet)

    # Drawing.

    @property
    def _done(self) -> int:
        return view_data.steps_done(self._result)

    @property
    def _matrix(self) -> int | None:
        found = self.selection.selection.index("matrix")
        return found if 0 <= found < len(view_data.matrices(self._result)) else None

    @property
    def _step(self) -> int:
        """The step that is shown, 0 without a run."""
        return min(self._done, max(1, self.selection.selection.index("step", self._done)))

    def _is_of_form(self, ran: Mapping[str, Any]) -> bool:
        now = self.params.model_dump(mode="json")
        return all(now[name] == value for name, value in ran.items() if name not in _NOT_OF_A_RUN)

    def _take(self, result: Result | None) -> None:
        if result is not None and (self._ran is None or self._ran.params.model_dump(mode="json") != result.params):
            self._ran = self.topic.plan(LoraParams(**result.params))
        self._result = result
        if self._plan is None:
            self._plan = self.topic.plan(self.params)
        self._draw()

    def _draw(self) -> None:
        plan, result = self._plan, self._result
        if plan is None:
            return
        shown = plan if result is None or self._ran is None else self._ran
        params = shown.params
        grid = view_data.rank_grid(result)
        marks = view_data.phase_marks(params.model_dump(mode="json"))
        budget = view_data.budget_series(shown.budget, result)
        self.history_view.set_history(grid, budget, marks, params.steps)
        self.ranks_card.set_provenance(self._measured if grid is not None else Provenance.MODELLED)
        losses = view_data.loss_series(result)
        self.losses.set_series(losses, x_range=(0.0, _ROOM * params.steps))
        self.loss_card.set_provenance(self._measured if losses else None)
        if self._done and self._follows and self.selection.selection.get("step") != self._done:
            self.selection.update(step=self._done)
        else:
            self.select(self.selection.selection)
        self.set_stale(self._stale)

    @property
    def _measured(self) -> Provenance | None:
        return None if self._result is None else view_data.where_measured(self._result)

    def _draw_headline(self) -> None:
        plan, ran, result, step = self._plan, self._ran, self._result, self._step
        if plan is None:
            return
        if result is None or ran is None or not step:
            self.headline.show_numbers(planned_numbers(plan), Provenance.MODELLED, *why(plan, 0, self._language))
        else:
            provenance = view_data.where_measured(result)
            numbers = run_numbers(ran, result, step)
            self.headline.show_numbers(numbers, provenance, *why(ran, step, self._language))

    def _draw_details(self) -> None:
        if self._plan is not None:
            self.details.draw(self._plan, self._result, self._matrix or 0, self._step)
