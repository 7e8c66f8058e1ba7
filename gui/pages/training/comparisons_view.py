"""What the stages achieved and cost, one picture at a time. Only the one in view is drawn."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.contracts.text import Text, tr
from core.topics.training.plan import Plan
from core.topics.training.result import TrainingResult
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.pages.training import comparisons
from gui.pages.training.comparisons import CALIBRATION, EPOCHS, EQUAL, FRONTIER, KNOWLEDGE, MODELS
from gui.widgets.switcher import Switcher

_MARGIN = 0.03
"""Room beside the first and the last ring, as a share of the axis."""

_STEP = Axis(tr("step"), steps="whole")


class ComparisonsView(QWidget):
    """`stage_picked` carries a stage that was clicked in a picture; `drawn` the provenance of the picture in view."""

    stage_picked = Signal(str)
    drawn = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drawn_from: dict[int, object] = {}
        self._plan: Plan | None = None
        self._result: TrainingResult | None = None
        self._user_chose = self._has_moved = False
        self.models = RowChart(tr("The models appear here once the parameters are valid."), tr("Models in memory"))
        self.frontier = LineChart(
            tr("Run (F5) with PPO, DPO or GRPO to see how much reward each of them gets for its KL to the SFT model."),
            Axis(tr("KL to the SFT model"), "nats"),
            Axis(tr("true reward")),
        )
        self.equal = RowChart(
            tr("Run (F5) with at least two of PPO, DPO and GRPO to compare them at equal cost here."),
            tr("Stages at equal cost"),
        )
        self.calibration = LineChart(
            tr("Run (F5) with the reward model to see here whether it is as often right as it is sure."),
            Axis(tr("confidence")),
            Axis(tr("right")),
        )
        self.knowledge = RowChart(
            tr("Run (F5) to see here what the model knows after each stage, and what it invents."),
            tr("Knowledge after each stage"),
        )
        self.epochs = LineChart(
            tr("Switch on the experiment on epochs in the form, then run (F5): why does the loss drop in steps?"),
            _STEP,
            Axis(tr("loss"), "nats"),
        )
        pictures = (self.models, self.frontier, self.equal, self.calibration, self.knowledge, self.epochs)
        self.switcher = Switcher(
            list(zip(comparisons.NAMES, comparisons.TITLES, pictures, strict=True)), "compare_view"
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.switcher)
        self.switcher.switched.connect(self._on_switched)
        for rows in (self.models, self.equal, self.knowledge):
            rows.picked.connect(self.stage_picked)
        self.frontier.series_picked.connect(self.stage_picked)

    def draw(self, plan: Plan, result: TrainingResult | None) -> None:
        """Draw the picture in view. Before the first evaluation it is the models, then the frontier."""
        self._plan, self._result = plan, result
        wanted = MODELS if result is None or not result.frontier else FRONTIER
        if not self._user_chose and self.switcher.index != wanted:
            self._has_moved = True
            self.switcher.show_picture(wanted)
            self._has_moved = False
        self._draw()

    def redraw(self) -> None:
        """Draw everything again in another language, also what is behind."""
        drawn = [index for index in self._drawn_from if index != self.switcher.index]
        self._drawn_from.clear()
        if self._plan is not None:
            for index in drawn:
                self._draw_picture(index, self._plan, self._result)

    def show_picture(self, index: int) -> None:
        """Press a button, as the user does."""
        self.switcher.show_picture(index)

    def choose(self, stage: str) -> None:
        for rows in (self.models, self.equal, self.knowledge):
            rows.choose(stage)

    def _on_switched(self, _: int) -> None:
        self._user_chose = self._user_chose or not self._has_moved
        self._draw()

    def _draw(self) -> None:
        plan, result, index = self._plan, self._result, self.switcher.index
        if plan is None:
            return
        source = self._source(index)
        if self._drawn_from.get(index, _DRAWN_NOTHING) != source:
            self._drawn_from[index] = source
            self._draw_picture(index, plan, result)
        self.drawn.emit(self._provenance(index))

    def _source(self, index: int) -> object:
        """What a picture is drawn from: while it is the same, so is the picture."""
        result, plan = self._result, self._plan
        assert plan is not None
        if index == MODELS:
            runs = {} if result is None else result.stages
            return tuple(plan.stages[s].models for s in plan.stages), tuple((s, runs[s].models) for s in runs)
        if result is None:
            return None
        parts = {
            FRONTIER: (result.start, result.frontier),
            EQUAL: result.comparisons,
            CALIBRATION: None if result.reliability is None else id(result.reliability),
            KNOWLEDGE: (result.abilities, result.knowledge),
            EPOCHS: None if result.epochs is None else id(result.epochs),
        }
        return parts[index]

    def _provenance(self, index: int) -> Provenance | None:
        result = self._result
        if index == MODELS:
            counted = result is not None and any(run.models for run in result.stages.values())
            return result.measured if counted and result is not None else Provenance.MODELLED
        pictures = {
            FRONTIER: self.frontier,
            EQUAL: self.equal,
            CALIBRATION: self.calibration,
            KNOWLEDGE: self.knowledge,
            EPOCHS: self.epochs,
        }
        return None if result is None or pictures[index].is_empty else result.measured

    def _draw_picture(self, index: int, plan: Plan, result: TrainingResult | None) -> None:
        note: Text | str
        if index == MODELS:
            self.models.set_rows(comparisons.memory_rows(plan, result))
        elif index == FRONTIER:
            series = [] if result is None else comparisons.frontier_series(result)
            read = None if result is None else comparisons.frontier_read_out(result)
            note = tr("Rings are evaluations on newly sampled answers, joined in order of steps from the SFT model.")
            furthest = max((float(one.x.max()) for one in series), default=0.0) or 1.0
            ends = (-_MARGIN * furthest, (1 + _MARGIN) * furthest)
            self.frontier.set_series(series, x_range=ends, note=note if series else "", read=read)
        elif index == EQUAL:
            self.equal.set_rows(None if result is None else comparisons.equal_rows(result))
        elif index == CALIBRATION:
            reliability = None if result is None else result.reliability
            series = [] if reliability is None else comparisons.calibration_series(reliability)
            note = "" if reliability is None else comparisons.calibration_note(reliability)
            self.calibration.set_series(series, x_range=(0.49, 1.01), note=note)
        elif index == KNOWLEDGE:
            self.knowledge.set_rows(None if result is None else comparisons.knowledge_rows(result))
        else:
            epochs = None if result is None else result.epochs
            series = [] if epochs is None else comparisons.epochs_series(epochs)
            marks = [] if epochs is None else comparisons.epochs_marks(epochs)
            note = "" if epochs is None else comparisons.epochs_note(epochs)
            self.epochs.set_series(series, marks=marks, note=note)


_DRAWN_NOTHING = object()
