"""The pictures of one launch: its map, its programs, one of its tensors, its reuse. Counting happens in threads."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from PySide6.QtCore import QObject, Signal

from core.format import format_quantity
from core.trace.heatmap import tensor_heatmap
from core.trace.order import Order
from core.trace.record import Buffer, Launch
from core.trace.reuse import Reuse, reuse
from gui.charts.axis import Axis
from gui.charts.line_chart import LineChart
from gui.charts.series import Series
from gui.charts.trace_map import TraceMap
from gui.page.selection import Selection
from gui.pages.kernel_lab import view_data
from gui.pages.kernel_lab.program_grid import ProgramGrid
from gui.pages.kernel_lab.tensor_heatmap import TensorCounts, TensorHeatmap
from gui.widgets.latest_work import LatestWork

_MOST_CELLS = 512
"""The most rows and columns of a heatmap: a cell is a whole number of elements where more would be needed."""
_NO_REUSE = "The reuse of bytes appears here after a run."


class LaunchViews(QObject):
    """Shows one launch at a time in plots that follow each other."""

    moment_picked = Signal(object, str)
    program_picked = Signal(int)
    tensor_picked = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.launch: Launch | None = None
        self.map, self.grid, self.heatmap = TraceMap(), ProgramGrid(), TensorHeatmap()
        self.reuse = LineChart(_NO_REUSE, Axis("size of an LRU cache", "bytes", log=True), Axis("requests served", "%"))
        accesses = Axis("accesses, program after program")
        self.working_set = LineChart(_NO_REUSE, accesses, Axis("distinct bytes", "bytes"))
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
        self.heatmap.wanted.connect(self._count_heat)

    @property
    def idle(self) -> bool:
        """Whether everything is drawn."""
        works = (self._programs_work, self._heat_work, self._reuse_work)
        return self.map.idle and not any(work.busy for work in works)

    def set_launch(self, launch: Launch | None) -> None:
        """Show another launch; None empties every plot."""
        self.launch = launch
        self.map.set_launches([] if launch is None else [launch])
        self.heatmap.set_tensors([] if launch is None else view_data.tensor_labels(launch))
        for work in (self._programs_work, self._heat_work, self._reuse_work):
            work.forget()
        if launch is None:
            self.grid.set_grid((0, 0, 0), np.zeros(0))
            self._show_no_reuse(None)
            return
        self._programs_work.request(lambda: (launch, Order([launch]).accesses_of_program()))
        self._reuse_work.request(lambda: reuse([launch]))
        self._count_heat()

    def select(self, selection: Selection) -> None:
        """Show the selection in every plot."""
        file, line = selection.get("file"), selection.get("line")
        program, access = (_number(selection.get(kind)) for kind in ("program", "access"))
        tensor = selection.get("tensor")
        tensor = self._same_tensor(str(tensor)) if tensor is not None else None
        self._program = program
        self.map.select_line(str(file) if file is not None else None, _number(line))
        self.map.select_program(program)
        self.map.select_tensor(tensor)
        self.map.select_access(program, access)
        self.grid.select_program(program)
        self.heatmap.select_tensor(tensor)
        self.heatmap.select_program(program)

    def _same_tensor(self, name: str) -> str:
        """Arguments that are one tensor go by the name of the first of them."""
        buffers = () if self.launch is None else self.launch.buffers
        mine = next((buffer for buffer in buffers if buffer.name == name), None)
        return name if mine is None else next(b.name for b in buffers if b.data_ptr == mine.data_ptr and b.size_bytes)

    def _count_heat(self) -> None:
        launch, name = self.launch, self.heatmap.tensor
        if launch is None or not name:
            return
        buffer = next(buffer for buffer in launch.buffers if buffer.name == name)
        program = self._program if self.heatmap.only_picked else None
        self._heat_work.request(partial(_heat, launch, buffer, program))

    def _show_programs(self, answer: tuple[Launch, np.ndarray]) -> None:
        launch, accesses = answer
        self.grid.set_grid(launch.grid, accesses)
        self.grid.select_program(self._program)

    def _show_heat(self, answer: tuple[str, TensorCounts]) -> None:
        name, counts = answer
        self.heatmap.set_counts(counts, self.map.inks().get(name, "#888888"))

    def _show_reuse(self, found: Reuse) -> None:
        sizes = Series("hits", found.cache_bytes, 100 * found.hit_share, 0)
        sampled = "" if found.sampled_share == 1 else f", {found.sampled_share:.1%} of the lines sampled"
        requests = f"{found.requests:,} requests of {found.line_bytes} B lines{sampled}"
        self.reuse.set_series([sizes], y_range=(0, 100), note=f"{requests}, in program order")
        ends = found.window_ends.astype(np.float64)
        window = format_quantity(float(ends[0]) if ends.size else 0.0, "")
        self.working_set.set_series(
            [
                Series("so far", ends, found.seen_bytes.astype(np.float64), 0),
                Series("asked", ends, found.window_bytes.astype(np.float64), 1),
                Series("distinct", ends, found.window_distinct_bytes.astype(np.float64), 2),
            ],
            from_zero=True,
            note=f"asked and distinct: per {window} accesses; {found.line_bytes} B lines",
        )

    def _show_no_reuse(self, sentence: str | None) -> None:
        for curve in (self.reuse, self.working_set):
            curve.set_series([])
            curve.show_empty(sentence)


def _heat(launch: Launch, buffer: Buffer, program: int | None) -> tuple[str, TensorCounts]:
    """A tensor with gaps between its rows is drawn as the memory that it spans, in one row."""
    elements = buffer.size_bytes // buffer.element_bytes
    shape = buffer.shape if math.prod(buffer.shape) == elements else (elements,)
    height, width = (_cells(extent) for extent in (math.prod(shape[:-1]), shape[-1] if shape else 1))
    found = tensor_heatmap([launch], buffer.data_ptr, buffer.size_bytes, shape, height, width, program=program)
    return buffer.name, TensorCounts(found.read, found.write, (found.rows, found.columns))


def _cells(extent: int) -> int:
    """Cells along an axis, each of as many elements as the others."""
    each = -(-extent // _MOST_CELLS)
    return -(-extent // max(1, each))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
