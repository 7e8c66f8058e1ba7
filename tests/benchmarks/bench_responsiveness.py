"""How quickly the pages follow a slider, typing and dragging, and whether a run ever holds up the GUI thread.

Targets: 50 ms each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QObject, QTimer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.window import Heartbeat, benchmark_window

HEARTBEAT_MS = 5
_POLL_MS = 1
TOPIC = "flash-attention"


class RepaintWatch(QObject):
    """Ends `loop` when the window has been repainted after the page drew a plan."""

    def __init__(self, window: Any, page: Any, loop: QEventLoop) -> None:
        super().__init__(window)
        self._loop, self._drawn = loop, False
        original = page.show_plan

        def show_plan(plan: Any, params: Any) -> None:
            original(plan, params)
            self._drawn = True

        page.show_plan = show_plan
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if self._drawn and event.type() == QEvent.Type.UpdateRequest:
            self._drawn = False
            # The update request paints when it is handled, after this filter: the next turn of the loop is after it.
            QTimer.singleShot(0, self._loop.quit)
        return False


def slider_to_redrawn_ms(window: Any, page: Any, moves: int = 150) -> np.ndarray:
    """Milliseconds from a slider's new value to the repainted window, over values across the whole range [moves]."""
    from PySide6.QtWidgets import QSlider

    slider = page.form.findChild(QSlider)
    loop = QEventLoop()
    watch = RepaintWatch(window, page, loop)
    rng = np.random.default_rng(0)
    times = []
    low, high = slider.minimum(), slider.maximum()
    for position in rng.integers(low + (high - low) // 3, high + 1, moves):
        if position == slider.value():
            continue
        start = time.perf_counter()
        slider.setValue(int(position))
        loop.exec()
        times.append((time.perf_counter() - start) * 1e3)
    window.removeEventFilter(watch)
    return np.array(times)


def edits_to_redrawn_ms(window: Any, page: Any, edits: Iterable[Callable[[], None]]) -> np.ndarray:
    """Milliseconds from an edit to the repainted window, pictures made beside the GUI thread included [edits]."""
    loop = QEventLoop()
    watch = RepaintWatch(window, page, loop)
    times = []
    for edit in edits:
        start = time.perf_counter()
        edit()
        loop.exec()
        while page.drawing:  # asked now and then: asking all the time takes the GIL from the thread that draws
            QTimer.singleShot(_POLL_MS, loop.quit)
            loop.exec()
        times.append((time.perf_counter() - start) * 1e3)
    window.removeEventFilter(watch)
    return np.array(times)


def typing(page: Any) -> Iterator[Callable[[], None]]:
    """An expression typed key by key; only keys that make another mask are timed."""
    from PySide6.QtTest import QTest

    line = page.composer.line
    for number in range(100, 1000, 9):
        # The last digit of the window is typed: the text before it is a mask, too.
        before = f"causal & (documents | prefix({number // 10})) & window({number})"
        line.setText(before[:-1])
        page.form.fields["expression"].edited.emit(before)
        line.setText(before)
        line.setCursorPosition(len(before) - 1)
        yield lambda: QTest.keyClicks(line, "7")


def dragging(page: Any) -> Iterator[Callable[[], None]]:
    """A chip moved along the row and back, as at the end of each drag."""
    page.form.fields["expression"].edited.emit("causal & (documents | prefix(64)) & window(512)")
    for index in range(60):
        step = 1 if index % 4 < 2 else -1
        yield lambda step=step: page.composer.chips.move(step)


def heartbeat_gaps_ms(controller: Any, bridge: Any, *, start: Callable[[Any], None] | None = None) -> np.ndarray:
    """Milliseconds between beats of a 5 ms timer on the GUI thread, from Run to the drawn result.

    `start` starts the engine just before.
    """
    loop, heartbeat = QEventLoop(), Heartbeat()

    def end(*_: object) -> None:
        if not controller.running:
            QTimer.singleShot(500, loop.quit)  # the repaint of the result counts too

    bridge.run_event.connect(end)
    with heartbeat.beating(HEARTBEAT_MS):
        if start is not None:
            start(bridge)
        controller.run("cpu")
        loop.exec()
    bridge.run_event.disconnect(end)
    return heartbeat.gaps_ms


def main() -> None:
    from gui.window.app import start_engine

    table = Table("what", "median", "p95", "max", "samples", "target")
    with benchmark_window() as (window, bridge):
        opened = window.open_page(TOPIC)
        assert opened is not None
        slider = slider_to_redrawn_ms(window, opened.page)
        table.add_row("slider to redrawn page", *_row(slider), "p95 below 50 ms")
        opened.page.form.set_params(opened.page.topic.params(seq_len=2048))
        opened.controller.show_plan()
        cold = heartbeat_gaps_ms(opened.controller, bridge, start=start_engine)
        table.add_row("GUI thread, first run (worker starts), N=2048", *_row(cold), "max below 50 ms")
        warm = heartbeat_gaps_ms(opened.controller, bridge)
        table.add_row("GUI thread, second run, N=2048", *_row(warm), "max below 50 ms")
        masks = window.open_page("masks")
        assert masks is not None
        large = masks.page.topic.params(preset="packed-documents", seq_len=8192, block_q=128, block_kv=128)
        masks.page.form.set_params(large)
        masks.controller.show_plan()
        for what, edits in (("typing", typing), ("moving a chip", dragging)):
            times = edits_to_redrawn_ms(window, masks.page, edits(masks.page))
            table.add_row(f"{what} to redrawn mask, 8192 x 8192", *_row(times), "p95 below 50 ms")
    Console().print(table)


def _row(values: np.ndarray) -> tuple[str, str, str, str]:
    return (
        f"{np.median(values):.1f} ms",
        f"{np.percentile(values, 95):.1f} ms",
        f"{values.max():.1f} ms",
        str(len(values)),
    )


if __name__ == "__main__":
    main()
