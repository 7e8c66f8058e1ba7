"""The conversion of a trained model's MHA to GQA and MQA: losses, errors by head, and what a short tuning recovers."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import language
from core.contracts.text import Text, tr
from core.topics.attention_heads.conversion_result import ConversionStudy
from core.topics.attention_heads.params import AttentionHeadsParams
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.charts.row_map import RowMap
from gui.pages.attention_heads import conversion_rows
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.switcher import Switcher

LOSSES, ERRORS, TUNING = range(3)
_NOT_RUN = tr(
    "Run (F5) with Convert heads on to turn a trained model's MHA into GQA and MQA by mean-pooling its K and V heads, "
    "and to see what that costs."
)
_OFF = tr("Switch Convert heads on, and run (F5), to see what converting a trained model costs.")
_NEEDS_FOLDER = tr(
    "With a config.json of your own, choose a model folder to convert: a configuration has no weights. Then run (F5)."
)
_NO_TUNING = tr("No tuning yet: the losses of each training batch appear here. Steps of fine-tuning sets how many.")
_NO_ERRORS = tr("The errors appear here after the first conversion.")


class ConversionView(Switcher):
    """Draws only the visible picture. `head_picked` carries the query head of the converted model that was picked."""

    head_picked = Signal(int)

    def __init__(self) -> None:
        self.losses = RowChart(_NOT_RUN, tr("Losses of converted models"))
        self.errors = RowMap(_NOT_RUN, tr("Errors by layer and head"))
        self.tuning = LineChart(_NOT_RUN, Axis(tr("step"), steps="whole"), Axis(tr("loss"), "nats"))
        self.title = FittedLabel()
        losses = QWidget()
        column = QVBoxLayout(losses)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.title)
        column.addWidget(self.losses, 1)
        super().__init__(
            [
                ("losses", tr("Losses"), losses),
                ("errors", tr("Errors"), self.errors),
                ("tuning", tr("Tuning"), self.tuning),
            ],
            "conversion_view",
        )
        self._study: ConversionStudy | None = None
        self._params = AttentionHeadsParams()
        self._language = language.current()
        self.switched.connect(lambda _: self._draw())
        self.errors.picked.connect(self._on_error)

    def draw(self, study: ConversionStudy | None, params: AttentionHeadsParams) -> bool:
        """Show a study, or say what to do for one. Returns whether there is one."""
        self._study, self._params = study, params
        has_results = study is not None and bool(study.results)
        if has_results and self._language != language.current():
            # Hidden pictures have texts of the former language too. Without results they would only be emptied.
            self._language = language.current()
            for index in range(TUNING + 1):
                self._draw_picture(index)
        self._draw()
        return has_results

    def select_head(self, head: int | None, heads: int) -> None:
        """Mark a query head of a model with so many heads, if the converted model has as many."""
        fits = self._study is not None and self._study.heads == heads
        row = self.errors.row
        column = head if fits else self.errors.column
        if column is None or self.errors.grid is None:
            self.errors.select(None, None)
        else:
            self.errors.select(0 if row is None else row, column)

    def _draw(self) -> None:
        self._draw_picture(self.index)

    def _draw_picture(self, index: int) -> None:
        study = self._study
        self.title.setVisible(study is not None and bool(study.results))
        if study is None or not study.results:
            self.losses.set_rows(None)
            self.errors.set_grid(None)
            self.tuning.set_series([])
            for picture in (self.losses, self.errors, self.tuning):
                picture.show_empty(self._what_to_do())
            return
        if index == LOSSES:
            self.title.set_wordings(*conversion_rows.title(study))
            self.losses.set_rows(conversion_rows.loss_rows(study))
        elif index == ERRORS:
            grid = conversion_rows.error_grid(study)
            self.errors.set_grid(grid)
            if grid is None:
                self.errors.show_empty(_NO_ERRORS)
        else:
            steps = float(max(study.steps, 2))
            self.tuning.set_series(conversion_rows.tuning_series(study), x_range=(1.0, steps))
            if not any(result.curve.size for result in study.results):
                self.tuning.show_empty(_NO_TUNING)

    def _what_to_do(self) -> Text:
        if not self._params.convert:
            return _OFF
        return _NOT_RUN if self._params.converts else _NEEDS_FOLDER

    def _on_error(self, row: int, column: int) -> None:
        self.errors.select(row if row >= 0 else None, column if column >= 0 else None)
        if column >= 0:
            self.head_picked.emit(column)
