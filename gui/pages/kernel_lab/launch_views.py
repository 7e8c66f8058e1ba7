"""The pictures of one launch: its memory access map, its programs, one of its tensors, its reuse.

A run brings most of them. The others, and those that depend on a selection, are computed off the GUI thread.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtCore import QObject, Signal

from core.contracts.text import Text, tr
from core.format import quantity
from core.topics.kernel_lab import analysis
from core.topics.kernel_lab.result import LaunchViews as RunViews
from core.trace.heatmap import TensorHeatmap
from core.trace.record import Buffer, Launch
from core.trace.reuse import Reuse, reuse
from gui import theme
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.series import Series
from gui.charts.trace_map import TraceMap
from gui.page.selection import Selection
from gui.pages.kernel_lab import view_data
from gui.pages.kernel_lab.program_grid import ProgramGrid
from gui.pages.kernel_lab.tensor_heatmap import HeatmapView
from gui.widgets.latest_work import LatestWork

_NO_REUSE = tr("The reuse of bytes appears here after a run.")


class LaunchViews(QObject):
    """Shows one launch at a time in linked plots."""

    moment_picked = Signal(object, str)
    program_picked = Signal(int)
    tensor_picked = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.launch: Launch | None = None
        self.map, self.grid, self.heatmap = TraceMap(), ProgramGrid(), HeatmapView()
        self.reuse = LineChart(_NO_REUSE, Axis(tr("LRU cache size"), "bytes", log=True), Axis(tr("hit rate"), "%"))
        accesses = Axis(tr("accesses in order"))
        self.working_set = LineChart(_NO_REUSE, accesses, Axis(tr("distinct bytes"), "bytes"))
        self._run_views: RunViews | None = None
        self._reuse: Reuse | None = None
        self._program: int | None = None
        self._programs_work, self._heat_work, self._reuse_work = (LatestWork(self) for _ in range(3))
        self._programs_work.done.connect(self._show_programs)
        self._heat_work.done.connect(self._show_heat)
        self._reuse_work.done.connect(self._show_reuse)
        self._programs_work.failed.connect(self.grid.show_empty)
        self._heat_work.failed.connect(self.heatmap.show_empty)
        self._reuse_work.failed.connect(self._show_no_reuse)
        self.map.picked.connect(self.moment_picked)
        self.grid.program_picked.connect(self.program_picked)
        self.heatmap.tensor_picked.connect(self.tensor_picked)
        self.heatmap.heat_requested.connect(self._draw_heat)

    @property
    def idle(self) -> bool:
        """Whether all pictures are complete."""
        works = (self._programs_work, self._heat_work, self._reuse_work)
        return self.map.idle and not any(work.busy for work in works)

    def set_launch(self, launch: Launch | None, run_views: RunViews | None = None) -> None:
        """Show a launch, with the pictures that the run brought; None empties every plot."""
        self.launch, self._run_views = launch, run_views
        self.map.set_launches([] if launch is None else [launch])
        self.heatmap.set_tensors([] if launch is None else view_data.tensor_labels(launch))
        for work in (self._programs_work, self._heat_work, self._reuse_work):
            work.forget()
        if launch is None:
            self.grid.set_grid((0, 0, 0), np.zeros(0))
            self._show_no_reuse(None)
            return
        if run_views is not None:
            self._show_programs((launch, run_views.accesses))
            self._show_reuse(run_views.reuse)
        else:
            self._programs_work.request(lambda: (launch, analysis.accesses_of_programs(launch)))
            self._reuse_work.request(lambda: reuse([launch]))
        self._draw_heat()

    def redraw_texts(self) -> None:
        """Draw again what holds texts, in another language."""
        if self.launch is not None:
            self.heatmap.set_tensors(view_data.tensor_labels(self.launch))
        self.heatmap.restyle(theme.current())
        self.grid.restyle(theme.current())
        if self._reuse is not None:
            self._show_reuse(self._reuse)

    def select(self, selection: Selection) -> None:
        """Show the selection in every plot."""
        file, line = selection.get("file"), selection.get("line")
        program, access = (_number(selection.get(kind)) for kind in ("program", "access"))
        tensor = selection.get("tensor")
        tensor = self._first_alias(str(tensor)) if tensor is not None else None
        self._program = program
        self.map.select_line(str(file) if file is not None else None, _number(line))
        self.map.select_program(program)
        self.map.select_tensor(tensor)
        self.map.select_access(program, access)
        self.grid.select_program(program)
        self.heatmap.select_tensor(tensor)
        self.heatmap.select_program(program)

    def _first_alias(self, name: str) -> str:
        """The name of the first argument that is the same tensor."""
        buffers = () if self.launch is None else self.launch.buffers
        named = next((buffer for buffer in buffers if buffer.name == name), None)
        return name if named is None else next(b.name for b in buffers if b.data_ptr == named.data_ptr and b.size_bytes)

    def _draw_heat(self) -> None:
        """Draw the requested heatmap: the run's if it has it, else computed from the trace."""
        launch, name = self.launch, self.heatmap.tensor
        if launch is None or not name:
            return
        program = self._program if self.heatmap.only_picked else None
        if program is None and self._run_views is not None and name in self._run_views.heatmaps:
            self._heat_work.forget()
            self._show_heat((name, self._run_views.heatmaps[name]))
            return
        buffer = next(buffer for buffer in launch.buffers if buffer.name == name)
        self._heat_work.request(partial(_named_heatmap, launch, buffer, program))

    def _show_programs(self, answer: tuple[Launch, np.ndarray]) -> None:
        launch, accesses = answer
        self.grid.set_grid(launch.grid, accesses)
        self.grid.select_program(self._program)

    def _show_heat(self, answer: tuple[str, TensorHeatmap]) -> None:
        name, heatmap = answer
        self.heatmap.set_heatmap(heatmap, self.map.band_colours().get(name, "#888888"))

    def _show_reuse(self, curves: Reuse) -> None:
        self._reuse = curves
        sizes = Series(str(tr("hits")), curves.cache_bytes, 100 * curves.hit_share, 0)
        self.reuse.set_series([sizes], y_range=(0, 100), note=_reuse_note(curves))
        ends = curves.window_ends.astype(np.float64)
        window = quantity(float(ends[0]) if ends.size else 0.0)
        self.working_set.set_series(
            [
                Series(str(tr("distinct so far")), ends, curves.seen_bytes.astype(np.float64), 0),
                Series(str(tr("requested")), ends, curves.window_bytes.astype(np.float64), 1),
                Series(str(tr("distinct")), ends, curves.window_distinct_bytes.astype(np.float64), 2),
            ],
            from_zero=True,
            note=tr(
                "requested and distinct: per {window} accesses; {line_bytes} B cache lines",
                window=window,
                line_bytes=curves.line_bytes,
            ),
        )

    def _show_no_reuse(self, sentence: Text | None) -> None:
        self._reuse = None
        for curve in (self.reuse, self.working_set):
            curve.set_series([])
            curve.show_empty(sentence)


def _reuse_note(curves: Reuse) -> Text:
    """What the curve counts, and how much of it is a sample."""
    if curves.sampled_share == 1:
        return tr(
            "{requests:,} requests of {line_bytes} B cache lines, in program order",
            requests=curves.requests,
            line_bytes=curves.line_bytes,
        )
    return tr(
        "{requests:,} requests of {line_bytes} B cache lines, {share:.1%} of the lines sampled, in program order",
        requests=curves.requests,
        line_bytes=curves.line_bytes,
        share=curves.sampled_share,
    )


def _named_heatmap(launch: Launch, buffer: Buffer, program: int | None) -> tuple[str, TensorHeatmap]:
    return buffer.name, analysis.heatmap(launch, buffer, program)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
