"""Panning and zooming through 10 million accesses. Target: 33 ms a frame at p95, which is 30 frames a second.

A frame is everything from the new range to the repainted widget, while the worker thread rasterises beside it.
"""

from __future__ import annotations

import os
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from core.trace.affine import Affine, Term
from core.trace.record import Access, Buffer, Launch

PROGRAMS, STEPS, ROWS, COLUMNS = 256, 40, 16, 64
FRAMES = 120
SIZE_PX = (900, 420)


def tiled_launch(stride: int) -> Launch:
    """Each program walks along a band of a matrix, a tile of [ROWS, COLUMNS] a step: 10.5 M loads.

    With stride 1 a row of a tile is contiguous; with 2 no two of its elements are, the costliest case to draw.
    """
    programs = np.arange(PROGRAMS)
    width = STEPS * COLUMNS * stride
    lane = Term(1, (programs * ROWS * width).reshape(-1, 1, 1), 0, (PROGRAMS - 1) * ROWS * width)
    row = Term(2, (np.arange(ROWS) * width).reshape(1, -1, 1), 0, (ROWS - 1) * width)
    column = Term(4, (np.arange(COLUMNS) * stride).reshape(1, 1, -1), 0, (COLUMNS - 1) * stride)
    accesses = tuple(
        Access(
            kind="load",
            buffer=0,
            file="kernel.py",
            line=10,
            iteration=(step,),
            programs=programs,
            shape=(ROWS, COLUMNS),
            offset=Affine(2, step * COLUMNS * stride, (lane, row, column)),
            mask=None,
            element_bytes=4,
            order=step,
        )
        for step in range(STEPS)
    )
    elements = PROGRAMS * ROWS * width
    buffer = Buffer("x_ptr", "float32", 4, 4 * elements, 1 << 20, (PROGRAMS * ROWS, width), (width, 1))
    return Launch("kernel", "kernel.py", 1, "", "", (PROGRAMS, 1, 1), (buffer,), accesses)


def views(accesses: float, total_bytes: float) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Zooms to a thousandth of each axis about a point, pans across it and zooms out again: (x, y) ranges."""
    third = FRAMES // 3
    sizes = np.concatenate((np.geomspace(1, 1e-3, third), np.full(third, 1e-3), np.geomspace(1e-3, 1, third)))
    centres = 0.4 + np.concatenate((np.zeros(third), np.linspace(0, 0.005, third), np.full(third, 0.005)))
    ranges = []
    for size, centre in zip(sizes, centres, strict=True):
        low = min(max(0.0, centre - size / 2), 1 - size)
        ranges.append(((low * accesses, (low + size) * accesses), (low * total_bytes, (low + size) * total_bytes)))
    return ranges


def measure(launch: Launch) -> tuple[float, np.ndarray, float]:
    """ms from launch to picture, ms of each frame [FRAMES], and ms from the last one to the fine picture."""
    from PySide6.QtWidgets import QApplication

    from gui.charts.trace_map import TraceMap

    view = TraceMap()
    view.resize(*SIZE_PX)
    view.show()

    def wait() -> float:
        start = time.perf_counter()
        while not view.idle:
            QApplication.processEvents()
        return (time.perf_counter() - start) * 1e3

    view.set_launches([launch])
    first = wait()
    assert view.order is not None
    frames = []
    for x, y in views(view.order.accesses, view.total_bytes):
        start = time.perf_counter()
        view.chart.setRange(xRange=x, yRange=y, padding=0)
        QApplication.processEvents()
        view.chart.viewport().repaint()  # a platform without a display puts painting off; a frame has it in it
        frames.append((time.perf_counter() - start) * 1e3)
    last = wait()
    view.close()
    return first, np.array(frames), last


def main() -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from gui.theme import configure_pyqtgraph
    from gui.window.app import build_app

    build_app("dark")
    configure_pyqtgraph()
    table = Table(
        "10.5 M accesses", "trace", "first picture", "frame, median", "p95", "max", "last fine picture", "target"
    )
    for name, stride in (("contiguous rows", 1), ("scattered elements", 2)):
        launch = tiled_launch(stride)
        first, frames, last = measure(launch)
        table.add_row(
            name,
            f"{launch.trace_bytes() / 1e3:.0f} kB",
            f"{first:.0f} ms",
            f"{np.median(frames):.1f} ms",
            f"{np.percentile(frames, 95):.1f} ms",
            f"{frames.max():.1f} ms",
            f"{last:.0f} ms",
            "p95 below 33 ms",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
