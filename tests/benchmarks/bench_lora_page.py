"""How long the page lora holds the GUI thread while a run grows, and while the user plays, picks and zooms.

Results are made up (tests/gui/pages/lora/lora_result.py); only drawing is measured. Target: 50 ms per event.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.window import Heartbeat

BEAT_MS, APART_MS = 2, 120
SIZES = ((300, 4), (2000, 29))
"""Steps and layers of seven matrices each."""


def longest_holds_ms(works: Sequence[Callable[[], None]]) -> np.ndarray:
    """The longest time between two beats of a timer on the GUI thread, from each piece of work to the next [works]."""
    loop, starts, next_work, heartbeat = QEventLoop(), [], QTimer(), Heartbeat()
    queue = list(works)

    def work() -> None:
        starts.append(time.perf_counter())
        if queue:
            queue.pop(0)()
        else:
            loop.quit()

    next_work.timeout.connect(work)
    with heartbeat.beating(BEAT_MS):
        next_work.start(APART_MS)
        loop.exec()
    next_work.stop()
    ends, gaps = np.array(heartbeat.times[1:]), heartbeat.gaps_ms
    spans = itertools.pairwise(starts)
    return np.array([gaps[(ends >= first) & (ends <= last)].max() for first, last in spans])


def measure(table: Table, steps: int, layers: int) -> None:
    from core.topics.lora import TOPIC
    from core.topics.lora.params import LoraParams
    from gui.pages.lora import LoraPage
    from tests.gui.pages.lora.lora_result import lora_result

    params = LoraParams(steps=steps, tinit=steps // 8, tfinal=steps // 3)
    page = LoraPage(TOPIC)
    page.resize(1495, 975)
    page.show_plan(TOPIC.plan(params), params)
    page.show()
    partials = [lora_result(params, layers=layers, done=int(n)) for n in np.linspace(10, steps, 30)]
    finished = lora_result(params, layers=layers)
    rng = np.random.default_rng(0)
    view = page.history_view

    def zoomed(first: float) -> Callable[[], None]:
        return lambda: view.map.chart.setXRange(first, first + steps / 3, padding=0)

    def calls(call: Callable[..., Any], values: Sequence[Any]) -> list[Callable[[], None]]:
        return [lambda value=value: call(value) for value in values]  # type: ignore[misc]

    for what, works in (
        ("partial result", calls(page.show_partial, partials)),
        ("finished result", [lambda: page.present(finished, {})]),
        ("another step", calls(view.player.set_step, rng.integers(0, steps, 30).tolist())),
        ("another matrix", calls(view.matrix_picked.emit, rng.integers(0, 7 * layers, 30).tolist())),
        ("another view of a matrix", calls(page.details.show_picture, [1, 2, 3, 4, 5, 0])),
        ("zoom", [zoomed(first) for first in np.linspace(1, steps / 2, 20)]),
    ):
        holds = longest_holds_ms(works)
        row = (f"{value:.1f} ms" for value in (np.median(holds), np.percentile(holds, 95), holds.max()))
        table.add_row(f"{what}, {steps} steps x {7 * layers} matrices", *row, str(holds.size), "max below 50 ms")
    page.close()
    page.deleteLater()


def main() -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from gui.window.app import build_app

    build_app("dark")
    table = Table("what", "median", "p95", "max", "samples", "target")
    for steps, layers in SIZES:
        measure(table, steps, layers)
    Console().print(table)


if __name__ == "__main__":
    main()
