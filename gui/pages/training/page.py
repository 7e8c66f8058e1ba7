"""The page of the training stages: routes, curves, data and answers, and what the stages achieved."""

from __future__ import annotations

from core import language
from core.contracts.result import Provenance
from core.contracts.text import Text, tr
from core.topics.training.params import TrainingParams
from core.topics.training.plan import Plan
from core.topics.training.result import TrainingResult
from core.topics.training.stage_ids import SFT, STAGES
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.training import key_metrics
from gui.pages.training.comparisons_view import ComparisonsView
from gui.pages.training.curve_source import curve_source
from gui.pages.training.curves_view import CurvesView
from gui.pages.training.route_layout import OWN_LOG
from gui.pages.training.route_map import RouteMap
from gui.pages.training.samples_view import ROLLOUT, SamplesView
from gui.pages.training.stage_nodes import newest_stage, nodes
from gui.widgets.badged_metrics import BadgedMetrics
from gui.zoom import Px

_ROUTES_HELP = tr(
    "From pretraining to the routes that people take. Lines are routes; they are bright up to the last stage that was "
    "run here. Squares are the models that a stage holds in memory: filled ones train, outlined ones are frozen. Click "
    "a stage or use the arrow keys to see its curves, data and answers. An amber exclamation mark: the curves of the "
    "stage have a serious remark. Drop a log of your own on the map."
)
_CURVES_HELP = tr(
    "The log of the selected stage, under TRL's names. Lines are values of each step, rings are evaluations on "
    "held-out prompts. Below: what is conspicuous, and what to look for after a mistake on purpose. Click a step or "
    "use the arrow keys to select it; mouse wheel: zoom. CSV… saves the whole log."
)
_SAMPLES_HELP = tr(
    "What the selected stage learns from; the same prompts answered after every stage, with the changed words marked; "
    "and one answer that PPO or GRPO sampled, token by token. Click a token or use the arrow keys to read its numbers."
)
_COMPARE_HELP = tr(
    "The models in memory; the reward that PPO, DPO and GRPO get for their KL to the SFT model, also at equal cost; "
    "whether the reward model is as often right as it is sure; where knowledge comes from; and why the loss drops in "
    "steps. True reward is the rule's score, which no training sees. Each evaluation samples its answers anew, so the "
    "first rings have different heights."
)
_UPPER_PX, _LOWER_PX = Px(330), Px(262)


class TrainingPage(Page[Plan, TrainingResult]):
    """Selection kinds: stage (its id, or that of the user's log), step (of the training), samples_view,
    compare_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._follows = True
        self._shown_log = ""
        self._language = language.current()
        self.key_metrics, self.routes, self.curves = BadgedMetrics(), RouteMap(), CurvesView()
        self.samples, self.compare = SamplesView(), ComparisonsView()
        return (
            Strip(self.key_metrics),
            CardSpec(
                "routes", self.routes, tr("Routes"), _ROUTES_HELP, width=6, height=5, minimum_px=_UPPER_PX,
                provenance=Provenance.MODELLED,
            ),
            CardSpec(
                "curves", self.curves, tr("Curves"), _CURVES_HELP, column=1, width=5, height=5, minimum_px=_UPPER_PX
            ),
            CardSpec(
                "samples", self.samples, tr("Data and answers"), _SAMPLES_HELP, row=1, width=1, height=4,
                minimum_px=_LOWER_PX,
            ),
            CardSpec(
                "compare", self.compare, tr("Compare"), _COMPARE_HELP, row=1, column=1, width=1, height=4,
                minimum_px=_LOWER_PX,
            ),
        )  # fmt: skip

    def link(self) -> None:
        self.routes.picked.connect(self._choose_stage)
        self.routes.file_dropped.connect(self._open_log)
        self.compare.stage_picked.connect(self._choose_stage)
        self.compare.drawn.connect(self.cards["compare"].set_provenance)
        self.samples.drawn.connect(self.cards["samples"].set_provenance)
        for view in (self.curves, self.samples):
            view.step_picked.connect(lambda step: self.selection.update(step=step))

    # What the controller and the window call.

    def show_started(self, phase: Text | str) -> None:
        super().show_started(phase)
        self._follows = True
        self.selection.update(step=None)

    def draw(self, state: PageState[Plan, TrainingResult]) -> None:
        """Draw the plan with what a run adds."""
        if state.plan.problem:
            self.form.show_problem(state.plan.problem, state.plan.blames)
        elif state.plan.log_problem:
            self.form.show_problem(state.plan.log_problem, "log")
        if self._language != language.current():
            self._language = language.current()
            self.compare.redraw()
        self._follow(state)
        self.routes.set_nodes(nodes(state.plan, state.result))
        self.cards["routes"].set_provenance(Provenance.MODELLED if state.result is None else state.result.measured)

    def select(self, selection: Selection) -> None:
        """Show the selected stage and step everywhere. Setters emit nothing, so there is no loop."""
        state = self.state
        if state is None:
            return
        stage, plan, result = self.stage_shown, state.plan, state.result
        shown = stage if stage in STAGES else SFT
        self.routes.choose(stage)
        self.compare.choose(stage)
        self.key_metrics.set_groups(key_metrics.numbers(plan, result, stage if plan.own_log else shown))
        source = curve_source(plan, result, stage)
        of_a = (
            None if state.pinned is None or state.of_a is None else curve_source(state.pinned.plan, state.of_a, stage)
        )
        self.curves.draw(source, None if of_a is None else of_a.curves)
        self.cards["curves"].set_provenance(source.provenance)
        self.samples.draw(plan, result, shown)
        self.compare.draw(plan, result)
        step = selection.index("step", 0) or None
        self.curves.select_step(step)
        self.samples.rollout.go_to(step)

    def step(self, delta: int) -> None:
        """Left and Right go from token to token, else from step to step."""
        if self.samples.switcher.index == ROLLOUT:
            self.samples.rollout.move(delta)
        else:
            self.curves.charts[0].walk(delta)

    def toggle_play(self) -> None:
        self.samples.rollout.player.toggle()

    def dismiss(self) -> bool:
        """Escape deselects the step if there is nothing else to close."""
        if super().dismiss():
            return True
        if "step" not in self.selection.selection:
            return False
        self.selection.update(step=None)
        return True

    # What is selected.

    @property
    def stage_shown(self) -> str:
        """The selected stage, or OWN_LOG."""
        stage = self.selection.selection.get("stage")
        return stage if isinstance(stage, str) and stage in (*STAGES, OWN_LOG) else SFT

    def _follow(self, state: PageState[Plan, TrainingResult]) -> None:
        """Until the user selects a stage, show the one that runs; a log that was just opened is shown at once."""
        log = "" if state.plan.own_log is None else state.plan.own_log.path
        if log and log != self._shown_log:
            self.selection.update(stage=OWN_LOG, step=None)
            self._follows = False
        self._shown_log = log
        if not self._follows:
            return
        newest = newest_stage(state.plan, state.result)
        if newest is not None:
            self.selection.update(stage=newest)

    def _choose_stage(self, stage: str) -> None:
        self._follows = False
        if stage != self.stage_shown:
            self.selection.update(stage=stage, step=None)

    def _open_log(self, path: str) -> None:
        """The form follows, and with it the plan, which reads the log."""
        params = self.params
        assert isinstance(params, TrainingParams)
        self._shown_log = ""
        self.form.propose(params.changed(log=path))
        self.selection.update(stage=OWN_LOG, step=None)
        self._follows = False
