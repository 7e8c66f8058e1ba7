"""Answers after every stage, data of the selected stage, and one sampled answer token by token."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import tr
from core.topics.training.plan import Plan
from core.topics.training.result import TrainingResult
from core.topics.training.stage_ids import GRPO, PPO, SFT
from gui.pages.training.answer_texts import answers_html, data_of, samples_html
from gui.pages.training.rollout_view import RolloutView
from gui.widgets.html_view import HtmlView
from gui.widgets.switcher import Switcher

DATA, ANSWERS, ROLLOUT = range(3)


class SamplesView(QWidget):
    """`drawn` carries the provenance of the picture in view; `step_picked` the step of a sampled answer."""

    drawn = Signal(object)
    step_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._user_chose = self._has_moved = False
        self._plan: Plan | None = None
        self._result: TrainingResult | None = None
        self._stage = ""
        self.data, self.answers = HtmlView(tr("Samples of the data")), HtmlView(tr("Answers after every stage"))
        self.rollout = RolloutView()
        self.switcher = Switcher(
            [
                ("data", tr("Data"), self.data),
                ("answers", tr("Answers by stage"), self.answers),
                ("tokens", tr("Token by token"), self.rollout),
            ],
            "samples_view",
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.switcher)
        self.switcher.switched.connect(self._on_switched)
        self.rollout.step_picked.connect(self.step_picked)

    def draw(self, plan: Plan, result: TrainingResult | None, stage: str) -> None:
        """Draw the picture in view: data until there are answers, unless the user chose another."""
        if stage != self._stage or (result is None) != (self._result is None):
            self.rollout.start_over()
        self._plan, self._result, self._stage = plan, result, stage
        wanted = ANSWERS if result is not None and result.answers else DATA
        if not self._user_chose and self.switcher.index != wanted:
            self._has_moved = True
            self.switcher.show_picture(wanted)
            self._has_moved = False
        self._draw()

    def show_picture(self, index: int) -> None:
        """Press a button, as the user does."""
        self.switcher.show_picture(index)

    def _on_switched(self, _: int) -> None:
        self._user_chose = self._user_chose or not self._has_moved
        self._draw()

    def _draw(self) -> None:
        plan, result, stage = self._plan, self._result, self._stage
        if plan is None:
            return
        index = self.switcher.index
        if index == DATA:
            shown = stage if stage in plan.stages else SFT
            samples, is_measured = data_of(plan, result, shown)
            self.data.show_html((shown, samples, language.current()), lambda theme: samples_html(shown, samples, theme))
            self.drawn.emit(result.measured if is_measured and result is not None else Provenance.MODELLED)
        elif index == ANSWERS:
            prompts = () if result is None else result.answers
            self.answers.show_html((prompts, language.current()), lambda theme: answers_html(prompts, theme))
            self.drawn.emit(result.measured if result is not None and prompts else None)
        else:
            run = None if result is None else result.stages.get(stage)
            sampled = () if run is None else run.samples
            self.rollout.draw(sampled, samples_here=stage in (PPO, GRPO))
            self.drawn.emit(result.measured if result is not None and sampled else None)
