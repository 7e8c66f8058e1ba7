"""The view of fine-tuning: where each method trains, its losses, its costs, what is said before and after."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from core.contracts.params import Params
from core.contracts.result import Provenance, Result
from core.contracts.result_builder import from_partial
from core.topics.fine_tuning.model.plan import Plan
from core.topics.fine_tuning.params import FineTuningParams
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.page.page import Page
from gui.page.selection import Selection
from gui.pages.fine_tuning import key_metrics, method_costs, view_data
from gui.pages.fine_tuning.details import DetailsView
from gui.pages.fine_tuning.modules_view import PlacesView
from gui.widgets.badged_metrics import BadgedMetrics
from gui.widgets.switcher import Switcher

_PLACES_HELP = (
    "Columns are the layers of the transformer, rows their parts; vectors that a method adds stand above. Coloured "
    "places train, after a run by the scale of gradients beside them (log, the same for every method); grey is frozen. "
    "Click a method or press 1 to 7; click a place, or walk with the arrows, to see its numbers. Play goes through the "
    "steps."
)
_LOSS_HELP = (
    "Nats a token: of each batch as it is learned from, and on rows of people who are in none. All methods see "
    "the same batches. Click a step to see the gradients of then."
)
_COST_HELP = (
    "How many parameters train (log axis, with their share of all), what the memory of one training step holds, and "
    "how many held-out rows are answered letter by letter. Click a row to choose the method."
)
_DETAILS_HELP = (
    "What the model says before and after (right in green, wrong in red). Before, it has not learned the task: it goes "
    "on with the text, even from the middle of a word. Marks under 0 are of before, under 1 to 7 of the methods as "
    "numbered above. Also: who sees whom, what is trained where, and every number, sortable."
)
_HERO_PX, _LOWER_PX = 352, 244
LOSSES, HELD_OUT = range(2)
_BEFORE_LOSSES = "Run (F5): the loss of every method appears here while they train."
_BEFORE_HELD_OUT = "Run (F5): the loss on held-out rows appears here while they train."


class FineTuningPage(Page):
    """Selection kinds: method (its id), place (its id), step (of the training; none is the newest)."""

    def build(self) -> None:
        self._plan: Plan | None = None
        self._result: Result | None = None
        self._stale = False
        self._drawn: Selection | None = None
        self.headline, self.places = BadgedMetrics(), PlacesView()
        step = Axis("step", steps="whole")
        self.losses = LineChart(_BEFORE_LOSSES, step, Axis("training loss", "nats"))
        self.held_out = LineChart(_BEFORE_HELD_OUT, step, Axis("held-out loss", "nats"))
        self.curves = Switcher([("Training", self.losses), ("Held out", self.held_out)])
        self.board, self.details = RowChart(method_costs.EMPTY, "Costs and results"), DetailsView()
        self.add_strip(self.headline)
        self.places_card = self.add_plot(self.places, 0, 0, "Where it trains", _PLACES_HELP, width=8, height=4)
        self.curves_card = self.add_plot(self.curves, 0, 1, "Loss", _LOSS_HELP, width=5, height=4)
        self.board_card = self.add_plot(self.board, 1, 0, "Costs and results", _COST_HELP, width=6, height=3)
        self.details_card = self.add_plot(self.details, 1, 1, "In detail", _DETAILS_HELP, width=7, height=3)
        for card in (self.places_card, self.curves_card):
            card.setMinimumHeight(_HERO_PX)
        for card in (self.board_card, self.details_card):
            card.setMinimumHeight(_LOWER_PX)
        self._link()

    # What the controller calls.

    def show_plan(self, plan: Plan, params: Params) -> None:
        self._plan = plan
        if plan.problem:
            self.form.show_fault(plan.problem, plan.blames)
        self._drawn = None  # what is selected is drawn with the rest, once
        self.selection.update(method=plan.params.method)
        self._draw()

    def show_partial(self, payload: dict[str, Any]) -> None:
        """Curves, gradients and rows grow."""
        self._take(from_partial(payload))

    def show_result(self, result: Result) -> None:
        self._take(result)

    def clear_result(self) -> None:
        self._take(None)
        self.selection.update(step=None)

    def set_stale(self, stale: bool) -> None:
        """Another method shown makes nothing stale: a run has all of them. What is modelled follows the parameters."""
        self._stale = stale
        old = stale and self._result is not None and not view_data.fits(self._plan, self._result)
        has_costs = self._result is not None and bool(self._result.tables.get("methods"))
        self.places_card.set_stale(old and view_data.has_run(self._result, self._method))
        self.curves_card.set_stale(old and self._has_curves)
        self.board_card.set_stale(old and has_costs)
        self.details_card.set_stale(old and self.details.shows_run)

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Each setter is silent when nothing changes, so nothing loops."""
        step = self._step
        self.places.map.select(self._place)
        self.details.select_place(self._place)
        for curves in (self.losses, self.held_out):
            curves.select_x(step)
        drawn = self._drawn
        if drawn is not None and (drawn.get("method"), drawn.get("step")) != (self._method, step):
            self._draw()

    def step(self, delta: int) -> None:
        """Left and Right go from frame to frame of the gradients."""
        self.places.player.set_step(self.places.player.step + delta)

    def toggle_play(self) -> None:
        self.places.player.toggle()

    def dismiss(self) -> bool:
        """Escape lets a selected place, then a step, go when there is nothing else to close."""
        if super().dismiss():
            return True
        kind = next((kind for kind in ("place", "step") if kind in self.selection.selection), None)
        if kind is not None:
            self.selection.update(**{kind: None})
        return kind is not None

    # What a person does.

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """1 to 7 choose a method."""
        number = event.key() - Qt.Key.Key_1.value
        if 0 <= number < len(view_data.ORDER) and not event.modifiers():
            self._choose(view_data.ORDER[number])
        else:
            super().keyPressEvent(event)

    def _link(self) -> None:
        for view in (self.places.tiles, self.board):
            view.picked.connect(self._choose)
        self.details.method_picked.connect(self._choose)
        self.details.place_picked.connect(lambda place: self.selection.update(place=place))
        self.places.map.place_picked.connect(self._on_place)
        self.places.step_changed.connect(lambda step: self.selection.update(step=step))
        for curves in (self.losses, self.held_out):
            curves.x_picked.connect(lambda step: self.selection.update(step=step))
        self.details.provenance_changed.connect(self.details_card.set_provenance)
        self.details.switched.connect(lambda _: self.set_stale(self._stale))
        self.curves.switched.connect(lambda _: self._draw_curves(self._result, self._method))

    def _choose(self, method: str) -> None:
        """Another method shown: the form, and with it every picture, follows."""
        if method != self._params.method:
            self.form.propose(self._params.changed(method=method))

    def _on_place(self, place: str) -> None:
        self.selection.update(place=None if place == self._place else place)

    # Drawing.

    @property
    def _params(self) -> FineTuningParams:
        params = self.params
        assert isinstance(params, FineTuningParams)
        return params

    @property
    def _method(self) -> str:
        found = self.selection.selection.get("method")
        return found if isinstance(found, str) else self._params.method

    @property
    def _place(self) -> str | None:
        found = self.selection.selection.get("place")
        return found if isinstance(found, str) else None

    @property
    def _step(self) -> int | None:
        found = self.selection.selection.get("step")
        return found if isinstance(found, int) else None

    @property
    def _has_curves(self) -> bool:
        return any(view_data.has_run(self._result, method) for method in view_data.ORDER)

    def _take(self, result: Result | None) -> None:
        self._result = result
        if self._plan is None and result is not None:
            self._plan = self.topic.plan(FineTuningParams(**result.params))
        self._draw()

    def _draw(self) -> None:
        plan, result, method = self._plan, self._result, self._method
        if plan is None:
            return
        self._drawn = self.selection.selection
        self.headline.set_groups(key_metrics.groups(plan, result, method))
        self.places.draw(plan, result, method, self._step)
        self.places.map.select(self._place)
        self._draw_curves(result, method)
        self.board.choose(method)
        self.board.set_rows(method_costs.cost_rows(view_data.costs(plan, result)))
        self.details.draw(plan, result, method)
        self.details.select_place(self._place)
        self._write_badges(result, method)
        self.set_stale(self._stale)

    def _draw_curves(self, result: Result | None, method: str) -> None:
        steps = None if result is None else (0.0, float(FineTuningParams(**result.params).steps))
        if self.curves.index == LOSSES:
            self.losses.set_series(view_data.losses(result, method), x_range=steps)
        else:
            self.held_out.set_series(view_data.held_out(result, method), x_range=steps)

    def _write_badges(self, result: Result | None, method: str) -> None:
        measured = None if result is None else view_data.provenance(result)
        lit = self.places.map.is_measured and measured is not None
        self.places_card.set_provenance(measured if lit else Provenance.MODELLED)
        self.curves_card.set_provenance(measured if self._has_curves else None)
        has_costs = result is not None and bool(result.tables.get("methods"))
        self.board_card.set_provenance(measured if has_costs else Provenance.MODELLED)
