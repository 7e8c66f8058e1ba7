"""Mistakes on purpose: training losses that look alike, beside what the models do, which does not."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import tr
from core.topics.dialogue.result import DialogueResult
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.pages.dialogue import mistake_data
from gui.pages.dialogue.mistake_data import SOUND
from gui.widgets.html_view import HtmlView
from gui.widgets.splitter import SharedSplitter


class MistakesView(QWidget):
    """`drawn` carries the provenance; `picked` the training whose line was clicked."""

    drawn = Signal(object)
    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result: DialogueResult | None = None
        self._chosen = ""
        self.losses = LineChart(
            tr("Run to train with each mistake on purpose: the loss will not show it, the generations will."),
            Axis(tr("step"), steps="whole"),
            Axis(tr("training loss"), "nats"),
        )
        self.losses.series_picked.connect(self.picked)
        self.losses.x_picked.connect(self.losses.select_x)
        self.behaviour = HtmlView(tr("What the trained models do when they speak"))
        self.behaviour.hide()
        self.splitter = SharedSplitter(Qt.Orientation.Horizontal, ((self.losses, 1), (self.behaviour, 1)))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.splitter)

    @property
    def chosen(self) -> str:
        """The training whose generations are shown: the newest mistake until one is chosen."""
        models = mistake_data.trained_models(self._result)
        names = [model.name for model in models]
        spoke = [model.name for model in models if model.behaviour is not None and model.name != SOUND]
        return self._chosen if self._chosen in names else (spoke or names or [""])[0]

    def choose(self, name: str) -> None:
        """Show the generations of a training; emits nothing."""
        self._chosen = name
        self._draw_behaviour()

    def show_result(self, result: DialogueResult | None, of_a: DialogueResult | None = None) -> None:
        """Show the trainings so far, and those of run A behind them; None before a run."""
        self._result = result
        models = mistake_data.trained_models(result)
        pinned = mistake_data.loss_series(mistake_data.trained_models(of_a))
        self.losses.set_series(mistake_data.loss_series(models), pinned=pinned)
        self.behaviour.setVisible(bool(models))
        self._draw_behaviour()
        self.drawn.emit(self.provenance)

    @property
    def provenance(self) -> Provenance | None:
        return None if self.losses.is_empty or self._result is None else self._result.measured

    def _draw_behaviour(self) -> None:
        models, chosen, result = mistake_data.trained_models(self._result), self.chosen, self._result
        about = (id(result), chosen, language.current())
        self.behaviour.show_html(about, lambda theme: mistake_data.behaviour_html(models, chosen, result, theme))
