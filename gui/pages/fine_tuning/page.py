"""The view of fine-tuning: where each method trains, its losses, its costs, the answers before and after."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from core.contracts.result import Provenance
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

_MODULES_HELP = (
    "Columns are the layers of the transformer, rows their parts; vectors that a method adds stand above. Coloured "
    "places train, after a run by the scale of gradients beside them (log, the same for every method); grey is frozen. "
    "Click a method or press 1 to 7; click a place, or walk with the arrows, to see its numbers. Play goes through the "
    "steps."
)
_LOSS_HELP = (
    "Nats per token: of each batch as it is learned from, and on rows of people who are in no batch. All methods see "
    "the same batches. Click a step to see the gradients of then."
)
_COST_HELP = (
    "How many parameters train (log axis, with their share of all), what the memory of one training step holds, and "
    "how many held-out rows are answered letter by letter. Click a row to choose the method."
)
_DETAILS_HELP = (
    "What the model answers before and after (right in green, wrong in red). Before, it has not learned the task: it "
    "goes on with the text, even from the middle of a word. Marks under 0 are of before, under 1 to 7 of the methods "
    "as numbered above. Also: who sees whom, what is trained where, and every number, sortable."
)
_HERO_PX, _LOWER_PX = 352, 244
LOSSES, HELD_OUT = range(2)
_BEFORE_LOSSES = "Run (F5): the loss of every method appears here while they train."
_BEFORE_HELD_OUT = "Run (F5): the loss on held-out rows appears here while they train."


class FineTuningPage(Page[Plan, FineTuningResult]):
    """Selection kinds: method (its id), place (its id), step (of the training; none is the newest)."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._drawn: tuple[str, int | None] | None = None
        self.key_metrics, self.modules = BadgedMetrics(), ModulesView()
        step = Axis("step", steps="whole")
        self.losses = LineChart(_BEFORE_LOSSES, step, Axis("training loss", "nats"))
        self.held_out = LineChart(_BEFORE_HELD_OUT, step, Axis("held-out loss", "nats"))
        self.curves = Switcher([("Training", self.losses), ("Held out", self.held_out)])
        self.costs, self.details = RowChart(method_costs.EMPTY, "Costs and results"), DetailsView()
        return (
            Strip(self.key_metrics),
            CardSpec("modules", self.modules, "Where it trains", _MODULES_HELP, width=8, height=4, minimum_px=_HERO_PX),
            CardSpec("curves", self.curves, "Loss", _LOSS_HELP, column=1, width=5, height=4, minimum_px=_HERO_PX),
            CardSpec(
                "costs",
                self.costs,
                "Costs and results",
                _COST_HELP,
                row=1,
                width=6,
                height=3,
                minimum_px=_LOWER_PX,
            ),
            CardSpec(
                "details",
                self.details,
                "In detail",
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
        """The form's plan and the last run, whichever method of it is shown."""
        if state.plan.problem:
            self.form.show_fault(state.plan.problem, state.plan.blames)
        self._drawn = None  # what follows the selection is drawn with the rest, once
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
        """Left and Right go from frame to frame of the gradients."""
        self.modules.player.set_step(self.modules.player.step + delta)

    def toggle_play(self) -> None:
        self.modules.player.toggle()

    def dismiss(self) -> bool:
        """Escape lets a selected place, then a step, go when there is nothing else to close."""
        if super().dismiss():
            return True
        kind = next((kind for kind in ("place", "step") if kind in self.selection.selection), None)
        if kind is not None:
            self.selection.update(**{kind: None})
        return kind is not None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """1 to 7 choose a method."""
        number = event.key() - Qt.Key.Key_1.value
        if 0 <= number < len(view_data.ORDER) and not event.modifiers():
            self._choose(view_data.ORDER[number])
        else:
            super().keyPressEvent(event)

    def _choose(self, method: str) -> None:
        """Another method shown: the form, and with it every picture, follows."""
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
        self.costs.set_rows(method_costs.cost_rows(view_data.costs(plan, result)))
        self.details.draw(plan, result, method)
        self._write_badges(result)

    def _draw_curves(self) -> None:
        result = None if self.state is None else self.state.result
        steps = None if result is None else (0.0, float(result.params.steps))
        if self.curves.index == LOSSES:
            self.losses.set_series(view_data.losses(result, self._method), x_range=steps)
        else:
            self.held_out.set_series(view_data.held_out_losses(result, self._method), x_range=steps)

    def _write_badges(self, result: FineTuningResult | None) -> None:
        measured = None if result is None else result.measured
        is_measured = self.modules.map.is_measured
        self.cards["modules"].set_provenance(measured if is_measured else Provenance.MODELLED)
        has_curves = any(view_data.has_losses(result, method) for method in view_data.ORDER)
        self.cards["curves"].set_provenance(measured if has_curves else None)
        has_costs = result is not None and result.has_summaries
        self.cards["costs"].set_provenance(measured if has_costs else Provenance.MODELLED)
