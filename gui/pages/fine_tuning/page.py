"""The fine-tuning page: where each method trains, its losses, its costs, and the answers before and after training."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from core import language
from core.contracts.result import Provenance
from core.contracts.text import tr
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import Plan
from core.topics.fine_tuning.result import FineTuningResult
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.fine_tuning import method_costs, view_data
from gui.pages.fine_tuning.details import DetailsView
from gui.pages.fine_tuning.modules_view import ModulesView
from gui.widgets.badged_metrics import BadgedMetrics
from gui.widgets.switcher import Switcher
from gui.zoom import Px

_MODULES_HELP = tr(
    "Columns are the layers of the transformer and rows their parts; vectors that a method adds are above the layers. "
    "Coloured places train; after a run, the colour shows the gradient norm on a log scale that all methods share. "
    "Grey places are frozen. Click a method or press 1 to 7. Click a place, or use the arrow keys, to see its "
    "numbers. Play goes through the steps."
)
_LOSS_HELP = tr(
    "Nats per token, of each training batch and on held-out rows about people who are in no batch. All methods see the "
    "same batches. Click a step to see its gradients."
)
_COST_HELP = tr(
    "The number of trainable parameters (log axis) with their share of all parameters, the memory of one training step "
    "by part, and the share of held-out rows with exactly the expected answer. Click a row to select the method."
)
_DETAILS_HELP = tr(
    "The model's answers before and after training (correct in green, wrong in red). Before training, the model does "
    "not know the task: it continues the text, even from the middle of a word. Column 0 marks the answers before "
    "training, columns 1 to 7 those of the numbered methods. Also: the attention mask, the trained parameters by "
    "place, and a sortable table of all numbers."
)
_HERO_PX, _LOWER_PX = Px(352), Px(244)
LOSSES, HELD_OUT = range(2)
_BEFORE_LOSSES = tr("Run (F5) to see the loss of all methods here while they train.")
_BEFORE_HELD_OUT = tr("Run (F5) to see the loss on held-out rows here while the methods train.")


class FineTuningPage(Page[Plan, FineTuningResult]):
    """Selection kinds: method (its id), place (its id), step (of the training; none stands for the newest),
    curves_view, details_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._drawn: tuple[str, int | None] | None = None
        self._curves_language = language.current()
        self.key_metrics, self.modules = BadgedMetrics(), ModulesView()
        step = Axis(tr("step"), steps="whole")
        self.losses = LineChart(_BEFORE_LOSSES, step, Axis(tr("training loss"), "nats"))
        self.held_out = LineChart(_BEFORE_HELD_OUT, step, Axis(tr("held-out loss"), "nats"))
        self.curves = Switcher(
            [("training", tr("Training"), self.losses), ("held-out", tr("Held out"), self.held_out)], "curves_view"
        )
        self.costs, self.details = RowChart(method_costs.EMPTY, tr("Costs and results")), DetailsView()
        return (
            Strip(self.key_metrics),
            CardSpec(
                "modules",
                self.modules,
                tr("Trained modules"),
                _MODULES_HELP,
                width=8,
                height=4,
                minimum_px=_HERO_PX,
            ),
            CardSpec("curves", self.curves, tr("Loss"), _LOSS_HELP, column=1, width=5, height=4, minimum_px=_HERO_PX),
            CardSpec(
                "costs",
                self.costs,
                tr("Costs and results"),
                _COST_HELP,
                row=1,
                width=6,
                height=3,
                minimum_px=_LOWER_PX,
            ),
            CardSpec(
                "details",
                self.details,
                tr("Details"),
                _DETAILS_HELP,
                row=1,
                column=1,
                width=7,
                height=3,
                minimum_px=_LOWER_PX,
            ),
        )

    def link(self) -> None:
        for view in (self.modules.picker, self.costs):
            view.picked.connect(self._choose)
        self.details.method_picked.connect(self._choose)
        self.details.place_picked.connect(lambda place: self.selection.update(place=place))
        self.modules.map.place_picked.connect(self._on_place)
        self.modules.step_changed.connect(lambda step: self.selection.update(step=step))
        for curves in (self.losses, self.held_out):
            curves.x_picked.connect(lambda step: self.selection.update(step=step))
        self.details.provenance_changed.connect(self.cards["details"].set_provenance)
        self.curves.switched.connect(lambda _: self._draw_curves())

    def draw(self, state: PageState[Plan, FineTuningResult]) -> None:
        """Draw the form's plan and the last run with the selected method."""
        if state.plan.problem:
            self.form.show_problem(state.plan.problem, state.plan.blames)
        self._drawn = None  # avoids drawing twice: the selection is drawn with the rest
        self.selection.update(method=state.plan.params.method)
        self._draw(state)

    def draw_result(self, result: FineTuningResult | None) -> None:
        if result is None:
            self._drawn = None
            self.selection.update(step=None)

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Each setter is silent when nothing changes, so nothing loops."""
        self.modules.map.select(self._selected_place)
        self.details.select_place(self._selected_place)
        for curves in (self.losses, self.held_out):
            curves.select_x(self._step)
        if self.state is not None and self._drawn not in (None, (self._method, self._step)):
            self._draw(self.state)

    def step(self, delta: int) -> None:
        """Left and Right go to the previous and the next frame of the gradients."""
        self.modules.player.set_step(self.modules.player.step + delta)

    def toggle_play(self) -> None:
        self.modules.player.toggle()

    def dismiss(self) -> bool:
        """Escape deselects a place, then a step, if there is nothing else to close."""
        if super().dismiss():
            return True
        kind = next((kind for kind in ("place", "step") if kind in self.selection.selection), None)
        if kind is not None:
            self.selection.update(**{kind: None})
        return kind is not None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The keys 1 to 7 select a method."""
        number = event.key() - Qt.Key.Key_1.value
        if 0 <= number < len(view_data.ORDER) and not event.modifiers():
            self._choose(view_data.ORDER[number])
        else:
            super().keyPressEvent(event)

    def _choose(self, method: str) -> None:
        """Select a method in the form; all pictures follow the form."""
        if method != self._params.method:
            self.form.propose(self._params.changed(method=method))

    def _on_place(self, place: str) -> None:
        self.selection.update(place=None if place == self._selected_place else place)

    @property
    def _params(self) -> FineTuningParams:
        params = self.params
        assert isinstance(params, FineTuningParams)
        return params

    @property
    def _method(self) -> str:
        method = self.selection.selection.get("method")
        return method if isinstance(method, str) else self._params.method

    @property
    def _selected_place(self) -> str | None:
        place = self.selection.selection.get("place")
        return place if isinstance(place, str) else None

    @property
    def _step(self) -> int | None:
        step = self.selection.selection.get("step")
        return step if isinstance(step, int) else None

    def _draw(self, state: PageState[Plan, FineTuningResult]) -> None:
        plan, result, method = state.plan, state.result, self._method
        self._drawn = method, self._step
        self.key_metrics.set_groups(view_data.key_metrics(plan, result, method))
        self.modules.draw(plan, result, method, self._step)
        self._draw_curves()
        self.costs.choose(method)
        pinned = None if state.of_a is None else method_costs.cost_rows(view_data.costs(plan, state.of_a))
        self.costs.set_rows(method_costs.cost_rows(view_data.costs(plan, result)), pinned)
        self.details.draw(plan, result, method)
        self._write_badges(result)

    def _draw_curves(self) -> None:
        result = None if self.state is None else self.state.result
        steps = None if result is None else (0.0, float(result.params.steps))
        # In a new language the names of the hidden curves change too.
        draw_all, self._curves_language = self._curves_language != language.current(), language.current()
        if draw_all or self.curves.index == LOSSES:
            pinned = view_data.losses(self.of_a, self._method)
            self.losses.set_series(view_data.losses(result, self._method), x_range=steps, pinned=pinned)
        if draw_all or self.curves.index == HELD_OUT:
            pinned = view_data.held_out_losses(self.of_a, self._method)
            self.held_out.set_series(view_data.held_out_losses(result, self._method), x_range=steps, pinned=pinned)

    def _write_badges(self, result: FineTuningResult | None) -> None:
        measured = None if result is None else result.measured
        is_measured = self.modules.map.is_measured
        self.cards["modules"].set_provenance(measured if is_measured else Provenance.MODELLED)
        has_curves = any(view_data.has_losses(result, method) for method in view_data.ORDER)
        self.cards["curves"].set_provenance(measured if has_curves else None)
        has_costs = result is not None and result.has_summaries
        self.cards["costs"].set_provenance(measured if has_costs else Provenance.MODELLED)
