"""Which streaming multiprocessor ran which program when: a Gantt of a real launch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Signal
from PySide6.QtWidgets import QGraphicsRectItem, QVBoxLayout, QWidget

from core.format import format_quantity
from gui.charts.axis import Axis
from gui.charts.chart import Chart, read_out
from gui.theme import Theme, colour, mix
from gui.widgets.figure import Figure

_BAR = 0.82
"""Thickness of a program's bar, in SMs."""
_OUTLINED_SMS = 48
"""With more SMs than this the bars are too thin for an outline."""


@dataclass(frozen=True)
class Launch:
    """One launch on a GPU: int32 [programs] `sm`, float64 [programs] `start_us` and `end_us` from its beginning."""

    sm: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray

    @property
    def programs(self) -> int:
        return int(self.sm.size)

    @property
    def duration_us(self) -> float:
        return float(self.end_us.max() - self.start_us.min())

    @property
    def busy_share(self) -> float:
        """The share of the SMs' time, over those that ran anything, in which at least one program ran."""
        busy = sum(_covered(self.start_us[self.sm == sm], self.end_us[self.sm == sm]) for sm in np.unique(self.sm))
        return busy / (self.duration_us * np.unique(self.sm).size) if self.duration_us else 0.0


class Timeline(Figure):
    """One bar a program, at its SM, coloured by program id. `program_picked` says which was clicked."""

    program_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Measured on a GPU only: which SM ran which program when. This run had none, so nothing is shown.", parent
        )
        self._launch: Launch | None = None
        self.chart = Chart(Axis("time", "s"), Axis("SM", steps="whole"))
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

    def set_launch(self, launch: Launch | None) -> None:
        """Show another launch; None, one without programs or without a GPU, shows the empty state."""
        self._launch = launch if launch is not None and launch.programs else None
        self._chosen.hide()
        if self._launch is None:
            self.show_empty()
            return
        self._draw()
        sms = int(self._launch.sm.max()) + 1
        self.chart.set_home((0, self._launch.duration_us * 1e-6), (-0.5, sms - 0.5))
        busy = f"{self._launch.busy_share:.0%} of the time of {np.unique(self._launch.sm).size} SMs"
        self.chart.label("bottom", f"time · {self._launch.programs:,} programs, busy {busy}")
        self.show_content()

    def select_program(self, program: int | None) -> None:
        """Frame one program's bar; None unframes."""
        launch = self._launch
        if launch is None or program is None or not 0 <= program < launch.programs:
            self._chosen.hide()
            return
        start, end = (float(t[program] - launch.start_us.min()) * 1e-6 for t in (launch.start_us, launch.end_us))
        self._chosen.setRect(QRectF(start, float(launch.sm[program]) - _BAR / 2, end - start, _BAR))
        self._chosen.show()

    def program_at(self, time_s: float, sm: float) -> int | None:
        """The program that ran at a time on an SM; the latest started where several shared it."""
        launch = self._launch
        if launch is None:
            return None
        at = time_s * 1e6 + float(launch.start_us.min())
        found = np.flatnonzero((launch.sm == round(sm)) & (launch.start_us <= at) & (at <= launch.end_us))
        return int(found[np.argmax(launch.start_us[found])]) if found.size else None

    def describe(self, time_s: float, sm: float) -> str | None:
        program, launch = self.program_at(time_s, sm), self._launch
        if program is None or launch is None:
            return None
        start, end = (float(t[program] - launch.start_us.min()) * 1e-6 for t in (launch.start_us, launch.end_us))
        return (
            f"program {program:,} on SM {launch.sm[program]}\n"
            f"{format_quantity(start, 's')} to {format_quantity(end, 's')}: ran {format_quantity(end - start, 's')}"
        )

    def restyle(self, theme: Theme) -> None:
        self._theme = theme
        self.chart.restyle(theme)
        self._chosen.setBrush(colour(theme.tiles["current"], 0.35))
        self._chosen.setPen(pg.mkPen(theme.tiles["current"], width=2))
        self._draw()

    def _draw(self) -> None:
        launch, theme = self._launch, self._theme
        if launch is None or theme is None:
            return
        start = (launch.start_us - launch.start_us.min()) * 1e-6
        steps = [mix(theme.tensor("Q"), theme.tensor("O"), share) for share in np.linspace(0, 1, 16)]
        shade = (np.arange(launch.programs) * 16) // launch.programs
        self._bars.setOpts(
            x0=start,
            width=(launch.end_us - launch.start_us) * 1e-6,
            y0=launch.sm - _BAR / 2,
            height=_BAR,
            brushes=[colour(steps[index], 0.85) for index in shade],
            pen=pg.mkPen(theme.sunken, width=0.6) if int(launch.sm.max()) < _OUTLINED_SMS else pg.mkPen(None),
        )

    def _on_click(self, time_s: float, sm: float) -> None:
        program = self.program_at(time_s, sm)
        if program is not None:
            self.program_picked.emit(program)


def _covered(start: np.ndarray, end: np.ndarray) -> float:
    """The length of the union of intervals."""
    order = np.argsort(start)
    start, latest = start[order], np.maximum.accumulate(end[order])
    gaps = np.maximum(0.0, start[1:] - latest[:-1]).sum()
    return float(latest[-1] - start[0] - gaps)
