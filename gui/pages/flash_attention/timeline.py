"""Which streaming multiprocessor ran which program when: a Gantt chart of a real launch."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Signal
from PySide6.QtWidgets import QGraphicsRectItem, QVBoxLayout, QWidget

from core.contracts.text import tr, tr_in, verbatim
from core.format import quantity
from core.topics.flash_attention.result import GpuTimeline
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.theme import Theme, colour, mix
from gui.widgets.data_table import DataTable, table_of
from gui.widgets.figure import Figure

_BAR = 0.82
"""Thickness of a program's bar, in SMs."""
_OUTLINED_SMS = 48
"""With more SMs than this the bars are too thin for an outline."""


class Timeline(Figure):
    """One bar per program, at its SM, coloured by program id. `program_picked` carries the clicked program."""

    program_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            tr("The timeline shows which SM ran which program when. It needs a GPU, and this run had none."), parent
        )
        self._timeline: GpuTimeline | None = None
        self.chart = Chart(Axis(tr_in("axis", "time"), "s"), Axis(verbatim("SM"), steps="whole"))
        self._bars = pg.BarGraphItem(x0=[0], y0=[0], width=[0], height=0)
        self._chosen = QGraphicsRectItem()
        self._chosen.hide()
        self.chart.addItem(self._bars, ignoreBounds=True)
        self.chart.addItem(self._chosen, ignoreBounds=True)
        self._theme: Theme | None = None
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.chart)
        self.chart.clicked.connect(self._on_click)
        read_out(self.chart, self, self.describe)
        self.set_content(content)

    def set_timeline(self, timeline: GpuTimeline | None) -> None:
        """Show another timeline; None, or one without programs, shows the empty state."""
        self._timeline = timeline if timeline is not None and timeline.programs else None
        self._chosen.hide()
        if self._timeline is None:
            self.show_empty()
            return
        self._draw()
        sms = int(self._timeline.sm.max()) + 1
        self.chart.set_home((0, self._timeline.duration_us * 1e-6), (-0.5, sms - 0.5))
        summary = tr(
            "time · {programs:,} programs, {sms} SMs busy {share:.0%} of the time",
            programs=self._timeline.programs,
            sms=int(np.unique(self._timeline.sm).size),
            share=self._timeline.busy_share,
        )
        self.chart.label("bottom", summary)
        self.show_content()

    def select_program(self, program: int | None) -> None:
        """Frame one program's bar; None removes the frame."""
        timeline = self._timeline
        if timeline is None or program is None or not 0 <= program < timeline.programs:
            self._chosen.hide()
            return
        start, end = (float(t[program] - timeline.start_us.min()) * 1e-6 for t in (timeline.start_us, timeline.end_us))
        self._chosen.setRect(QRectF(start, float(timeline.sm[program]) - _BAR / 2, end - start, _BAR))
        self._chosen.show()

    def program_at(self, time_s: float, sm: float) -> int | None:
        """The program that ran on an SM at a time; the last one started if several shared it."""
        timeline = self._timeline
        if timeline is None:
            return None
        time_us = time_s * 1e6 + float(timeline.start_us.min())
        running = np.flatnonzero(
            (timeline.sm == round(sm)) & (timeline.start_us <= time_us) & (time_us <= timeline.end_us)
        )
        return int(running[np.argmax(timeline.start_us[running])]) if running.size else None

    def describe(self, time_s: float, sm: float) -> str | None:
        program, timeline = self.program_at(time_s, sm), self._timeline
        if program is None or timeline is None:
            return None
        start, end = (float(t[program] - timeline.start_us.min()) * 1e-6 for t in (timeline.start_us, timeline.end_us))
        lines = (
            tr("program {program:,} on SM {sm}", program=program, sm=int(timeline.sm[program])),
            tr(
                "{start} to {end}: ran {duration}",
                start=quantity(start, "s"),
                end=quantity(end, "s"),
                duration=quantity(end - start, "s"),
            ),
        )
        return "\n".join(map(str, lines))

    def data_table(self) -> DataTable | None:
        """One row per program, with times from the first start on."""
        timeline = self._timeline
        if timeline is None:
            return None
        begin_us = timeline.start_us.min()
        return table_of(
            {
                "program": range(timeline.programs),
                "sm": timeline.sm,
                "start_us": timeline.start_us - begin_us,
                "end_us": timeline.end_us - begin_us,
            }
        )

    def restyle(self, theme: Theme) -> None:
        self._theme = theme
        self.chart.restyle(theme)
        self._chosen.setBrush(colour(theme.tiles["current"], 0.35))
        self._chosen.setPen(pg.mkPen(theme.tiles["current"], width=2))
        self._draw()

    def _draw(self) -> None:
        timeline, theme = self._timeline, self._theme
        if timeline is None or theme is None:
            return
        start = (timeline.start_us - timeline.start_us.min()) * 1e-6
        steps = [mix(theme.tensor("Q"), theme.tensor("O"), share) for share in np.linspace(0, 1, 16)]
        shade = (np.arange(timeline.programs) * 16) // timeline.programs
        self._bars.setOpts(
            x0=start,
            width=(timeline.end_us - timeline.start_us) * 1e-6,
            y0=timeline.sm - _BAR / 2,
            height=_BAR,
            brushes=[colour(steps[index], 0.85) for index in shade],
            pen=pg.mkPen(theme.sunken, width=0.6) if int(timeline.sm.max()) < _OUTLINED_SMS else pg.mkPen(None),
        )

    def _on_click(self, time_s: float, sm: float) -> None:
        program = self.program_at(time_s, sm)
        if program is not None:
            self.program_picked.emit(program)
