"""Three ways to train on a conversation: what they compute, how good the model gets, and that gradients are equal."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.contracts.text import tr, tr_in
from core.topics.dialogue.plan import Plan
from core.topics.dialogue.result import DialogueResult
from core.topics.dialogue.ways import WayCost
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.pages.dialogue import way_data
from gui.widgets.switcher import Switcher

TOKENS, ACCURACY, GRADIENTS = range(3)


class WaysView(QWidget):
    """`drawn` carries the provenance of the picture in view."""

    drawn = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._result: DialogueResult | None = None
        self._plan: Plan | None = None
        self._training: Sequence[WayCost] = ()
        self.costs = RowChart(
            tr("What the three ways compute appears here once the template can be rendered."), tr("Three ways to train")
        )
        self.accuracy = LineChart(
            tr("Run to train the small model in each of the three ways."),
            Axis(tr("tokens computed")),
            Axis(tr("right answers")),
        )
        self.gradients = LineChart(
            tr("Run to compare the gradients of one pass with those of one example per turn."),
            Axis(tr("parameter"), steps="whole"),
            Axis(tr("relative difference"), log=True, short=tr("difference")),
        )
        self.gradients.x_picked.connect(self.gradients.select_x)
        self.switcher = Switcher(
            [
                ("tokens", tr("Tokens"), self.costs),
                ("answers", tr_in("training", "Right answers"), self.accuracy),
                ("gradients", tr("Gradients"), self.gradients),
            ],
            "ways_view",
        )
        self.switcher.switched.connect(self._tell)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.switcher)

    def set_costs(self, plan: Plan, training: Sequence[WayCost]) -> None:
        """What the ways compute for the conversation of a plan, and for the training set."""
        self._plan, self._training = plan, training
        if self.costs.isVisible():  # drawing it takes longer than all else that a key changes
            self._draw_costs()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._draw_costs()

    def _draw_costs(self) -> None:
        conversation = () if self._plan is None else self._plan.ways
        self.costs.set_rows(way_data.cost_rows(conversation, self._training))

    def show_result(self, result: DialogueResult | None) -> None:
        """Show the trainings and the gradients of a run; None before one."""
        self._result = result
        runs = () if result is None else result.ways
        self.accuracy.set_series(
            way_data.accuracy_series(runs), y_range=(0.0, 1.0), read=way_data.accuracy_read_out(runs),
            note=way_data.history_note(result),
        )  # fmt: skip
        equality = None if result is None else result.equality
        self.gradients.set_series(
            way_data.gradient_series(equality), read=way_data.gradient_read_out(equality),
            note=way_data.gradient_note(equality),
        )  # fmt: skip
        self._tell()

    @property
    def provenance(self) -> Provenance | None:
        """That of the picture in view."""
        if self.switcher.index == TOKENS:
            return Provenance.MODELLED
        chart = self.accuracy if self.switcher.index == ACCURACY else self.gradients
        return None if chart.is_empty or self._result is None else self._result.measured

    def _tell(self) -> None:
        self._draw_costs()
        self.drawn.emit(self.provenance)
