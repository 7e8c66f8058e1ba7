"""The curves of one stage in groups, two charts at a time, with remarks and the export of its log."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from core.contracts.text import tr
from core.topics.training.curves import Curves
from core.topics.training.remarks import LN_2
from core.topics.training.stage_ids import DPO, REWARD
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.series import Mark, Series
from gui.page.export import write_numbers
from gui.page.file_writing import FileWriter
from gui.pages.training.curve_source import REMARK_NAMES, CurveSource
from gui.pages.training.metric_groups import LOSS, VIEWS, MetricGroup, first_view, style_of, view_of
from gui.pages.training.metric_meanings import meanings_html
from gui.pages.training.remarks_view import RemarksView
from gui.pages.training.route_layout import OWN_LOG
from gui.theme import Theme
from gui.translation import show_text
from gui.widgets.html_view import HtmlView, coloured, safe
from gui.widgets.segments import Segments

ANY = len(VIEWS)
"""The view that shows one metric of the user's choice."""

_AXIS_SHARE = 1.015
"""The axis is this many times as long as the run, so that the last ring is not cut."""

_LABEL_HEIGHTS = {"reward-hacking": 0.15}
"""Where the name of a mark covers no curve: both rewards are high where hacking begins, others are named above."""


class CurvesView(QWidget):
    """`step_picked` carries the step that was clicked or walked to in a chart."""

    step_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.source: CurveSource | None = None
        self.chosen_view: dict[str, int] = {}
        """The view that the user chose, by source: a stage begins with what says most about it."""
        step = Axis(tr("step"), steps="whole")
        self.charts = tuple(LineChart(tr("This log has no metric of this kind."), step, Axis()) for _ in range(2))
        self.views = Segments([*(view.title for view in VIEWS), tr("Other…")])
        self.metric_box, self.save = QComboBox(), QToolButton()
        self.remarks, self.meanings = RemarksView(tr("Remarks on the curves")), HtmlView(tr("What the metrics mean"))
        self._pinned: Curves | None = None
        self._writer = FileWriter(self)
        self._lay_out()
        self.views.chosen.connect(self._on_view)
        self.metric_box.currentIndexChanged.connect(lambda _: self._draw())
        self.save.clicked.connect(self._ask_and_save)
        for chart in self.charts:
            chart.x_picked.connect(self.step_picked)

    def draw(self, source: CurveSource, pinned: Curves | None = None) -> None:
        """Show the curves of a source, with those of run A behind, or what to do to get some."""
        self._pinned = pinned
        is_other = self.source is None or self.source.key != source.key
        began = not is_other and self.source is not None and self.source.curves is None and source.curves is not None
        self.source = source
        self._fill_metrics(source.curves, source.sabotaged)
        if is_other or began:
            first = LOSS if source.curves is None else first_view(source.key, source.curves)
            self._show_view(
                self.chosen_view.get(source.key, first_view(source.key) if source.curves is None else first)
            )
        self._draw()

    def select_step(self, step: int | None) -> None:
        for chart in self.charts:
            chart.select_x(step)

    def show_view(self, index: int) -> None:
        """Press a button, as the user does."""
        self.views.choose(index)

    def write_csv(self, path: Path | str) -> None:
        """Write the log of the source as CSV, beside the GUI thread."""
        if self.source is not None and self.source.curves is not None:
            curves = self.source.curves
            self._writer.write(path, lambda: write_numbers(str(path), curves.csv()))

    def _lay_out(self) -> None:
        self.metric_box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.metric_box.setMinimumContentsLength(10)
        self.metric_box.hide()
        show_text(self.metric_box.setAccessibleName, tr("Metric"))
        self.save.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        show_text(self.save.setText, "CSV…")
        show_text(self.save.setToolTip, tr("Save the log of this stage as CSV: one row per step, all metrics"))
        show_text(self.save.setAccessibleName, tr("Save the log as CSV"))
        bar = QHBoxLayout()
        bar.setContentsMargins(0, 0, 0, 0)
        bar.addWidget(self.views, 1)
        bar.addWidget(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(bar)
        column.addWidget(self.metric_box)
        for chart in self.charts:
            column.addWidget(chart, 1)
        column.addWidget(self.meanings, 1)
        column.addWidget(self.remarks)

    def _fill_metrics(self, curves: Curves | None, sabotaged: tuple[str, ...]) -> None:
        names = [] if curves is None else list(curves.metrics)
        if names != [self.metric_box.itemText(i) for i in range(self.metric_box.count())]:
            before = self.metric_box.currentText()
            self.metric_box.blockSignals(True)
            self.metric_box.clear()
            self.metric_box.addItems(names)
            told, unknown = (n for n in sabotaged if n in names), (n for n in names if view_of(n) is None)
            self.metric_box.setCurrentText(before if before in names else next(chain(told, unknown, names), ""))
            self.metric_box.blockSignals(False)

    def _show_view(self, index: int) -> None:
        self.views.blockSignals(True)
        self.views.choose(index)
        self.views.blockSignals(False)

    def _on_view(self, index: int) -> None:
        if self.source is not None:
            self.chosen_view[self.source.key] = index
        self._draw()

    def _draw(self) -> None:
        source, index = self.source, self.views.index
        if source is None:
            return
        curves = source.curves
        self.metric_box.setVisible(index == ANY and curves is not None)
        self.save.setEnabled(curves is not None)
        groups: tuple[MetricGroup, ...] = ()
        if curves is not None:
            chosen = self.metric_box.currentText()
            groups = (MetricGroup(tr("value"), (chosen,)),) if index == ANY else VIEWS[index].present(curves)
        self.meanings.setVisible(curves is None)
        for place, chart in enumerate(self.charts):
            chart.setVisible(curves is not None and place < max(1, len(groups)))
            # Two charts have the steps in common: the upper one leaves them to the lower one.
            chart.chart.getPlotItem().showAxis("bottom", place == len(groups) - 1)
            if curves is not None and place < len(groups):
                self._draw_group(chart, source, curves, groups[place])
            elif chart.series:
                chart.set_series(())  # what is behind would keep the language of before
        if curves is None:
            about = (source.key, str(source.empty))
            self.meanings.show_html(about, lambda theme: meanings_html(source.key, source.empty, theme))
        elif not groups:
            self.charts[0].show_empty(None)
        self._write_remarks(source)

    def _draw_group(self, chart: LineChart, source: CurveSource, curves: Curves, group: MetricGroup) -> None:
        series = [_series(curves, name, colour) for colour, name in enumerate(group.present(curves))]
        first = 0.0 if source.key != OWN_LOG else min(0.0, float(curves.steps[0]))
        last = float(max(source.steps, int(curves.steps[-1]), 1))
        ends = first, _AXIS_SHARE * last
        if source.key in (REWARD, DPO) and "loss" in group.metrics and series:
            series.append(Series("ln 2", np.array(ends), np.full(2, LN_2), 6, "dashed"))
        marks = [
            Mark(float(remark.step), str(REMARK_NAMES.get(remark.id, remark.id)), _LABEL_HEIGHTS.get(remark.id, 0.88))
            for remark in source.remarks
            if remark.step is not None and set(remark.metrics) & set(group.metrics)
        ]
        chart.chart.label("left", group.axis)
        of_a = self._pinned
        common = [] if of_a is None else [name for name in group.present(curves) if name in of_a.metrics]
        pinned = [] if of_a is None else [_series(of_a, name, group.present(curves).index(name)) for name in common]
        chart.set_series(series, x_range=ends, marks=marks, pinned=pinned)

    def _write_remarks(self, source: CurveSource) -> None:
        about = tuple(map(str, (*source.notes, *(remark.text for remark in source.remarks))))
        self.remarks.setVisible(bool(about))

        def build(theme: Theme) -> str:
            found = [coloured(safe(remark.text), theme.warn) for remark in source.remarks]
            found += [coloured(safe(note), theme.muted) for note in source.notes]
            return "".join(f'<p style="margin: 0">{paragraph}</p>' for paragraph in found)

        self.remarks.show_html(about, build)

    def _ask_and_save(self) -> None:
        if self.source is None or self.source.curves is None:
            return
        title = str(tr("Save the log of {stage}", stage=self.source.title))
        path, _ = QFileDialog.getSaveFileName(self, title, f"{self.source.key}.csv", "CSV (*.csv)")
        if path:
            self.write_csv(path)


def _series(curves: Curves, metric: str, colour: int) -> Series:
    steps, values = curves.points(metric)
    return Series(metric, steps, values, colour, style_of(metric))
