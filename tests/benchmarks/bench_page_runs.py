"""Default runs of the pages that train, in the window: when the first curve is there, how long the whole run takes, and
how long the GUI thread is ever held up.

Each page starts with nothing cached and a worker that is ready. Targets: first curve 5 s; whole default run of the
training page five minutes; pauses of the GUI thread 50 ms. A pause is also given in CPU time of the GUI thread: on a
busy machine the thread waits for its turn, which is not the page's doing.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.window import Heartbeat, benchmark_window

BEAT_MS, SETTLE_MS, LONG_MS = 2, 500, 50
PAGES = ("lora", "fine-tuning", "training")
CURVES_OF = {"lora": "losses", "fine-tuning": "losses", "training": "curves.charts"}
"""Where each page has its curves of a run: an attribute of the page, a LineChart or several."""


@dataclass
class RunTimes:
    """Seconds since Run."""

    first_curve_s: float = float("nan")
    whole_s: float = float("nan")
    heartbeat: Heartbeat = field(default_factory=Heartbeat)


def curves(page: Any) -> tuple[Any, ...]:
    """The charts of a page's curves."""
    charts: Any = page
    for name in CURVES_OF[page.topic.id].split("."):
        charts = getattr(charts, name)
    return charts if isinstance(charts, tuple) else (charts,)


def has_curve(page: Any) -> bool:
    """Whether a line with two points is drawn."""
    return any(np.isfinite(one.y).sum() > 1 for chart in curves(page) for one in chart.series)


def timed_run(bridge: Any, opened: Any) -> RunTimes:
    """One run of the page as its form stands, from Run to its drawn result."""
    loop, times, started = QEventLoop(), RunTimes(), time.perf_counter()

    def on_event(*_: object) -> None:
        since = time.perf_counter() - started
        if np.isnan(times.first_curve_s) and has_curve(opened.page):
            times.first_curve_s = since
        if not opened.controller.running and np.isnan(times.whole_s):
            times.whole_s = since
            QTimer.singleShot(SETTLE_MS, loop.quit)

    bridge.run_event.connect(on_event)
    with times.heartbeat.beating(BEAT_MS):
        opened.controller.run("cpu")
        loop.exec()
    bridge.run_event.disconnect(on_event)
    return times


def wait_for_worker(bridge: Any) -> None:
    from gui.window.app import start_engine

    loop = QEventLoop()
    bridge.state_changed.connect(lambda state: loop.quit() if state.phase == "ready" else None)
    start_engine(bridge)
    loop.exec()


def main() -> None:
    table = Table("page", "first curve", "whole run", "longest pause", "in CPU time", f"above {LONG_MS} ms", "beats")
    with tempfile.TemporaryDirectory() as folder:
        for name, variable in (("data", "XDG_DATA_HOME"), ("cache", "XDG_CACHE_HOME"), ("state", "XDG_STATE_HOME")):
            os.environ[variable] = str(Path(folder) / name)
        with benchmark_window((1600, 1000)) as (window, bridge):
            wait_for_worker(bridge)
            for name in [name for name in sys.argv[1:] if name in PAGES] or PAGES:
                opened = window.open_page(name)
                assert opened is not None
                opened.controller.show_plan()
                table.add_row(name, *row(timed_run(bridge, opened)))
    Console().print(table)


def row(times: RunTimes) -> tuple[str, ...]:
    gaps = times.heartbeat.gaps_ms
    return (
        f"{times.first_curve_s:.1f} s",
        f"{times.whole_s:.0f} s",
        f"{gaps.max():.0f} ms",
        f"{times.heartbeat.cpu_gaps_ms.max():.0f} ms",
        str(int((gaps > LONG_MS).sum())),
        f"{gaps.size:,}",
    )


if __name__ == "__main__":
    main()
