"""How quickly the page dialogue follows typing, and how it opens and scrolls a long conversation.

Targets: typing to redraw 50 ms at p95 at 2,000 tokens; a frame of scrolling at 32,768 tokens in 33 ms (30 per second).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from rich.console import Console
from rich.table import Table

from core.chat.messages import Conversation
from tests.benchmarks.bench_chat import conversation
from tests.benchmarks.bench_responsiveness import RepaintWatch
from tests.benchmarks.window import benchmark_window

KEYS = 100
TYPING_TARGET_MS, FRAME_TARGET_MS = 50.0, 33.0
FAST_MS, SLOW_MS = 150, 430
"""Between two keys: as users type, and so that a key comes while the doctor is at work, 400 ms after the one before."""

TYPED, LONG = 2_000, 32_768
FRAMES = 120


def keys_to_redrawn_ms(window: Any, page: Any, editor: Any, pause_ms: int) -> np.ndarray:
    """Milliseconds from a key in a control to the repainted window, and of them those of the GUI thread [2, KEYS]."""
    from PySide6.QtTest import QTest

    loop = QEventLoop()
    watch = RepaintWatch(window, page, loop)
    times = []
    for number in range(KEYS):
        QTest.qWait(pause_ms)
        start, worked = time.perf_counter(), time.thread_time()
        QTest.keyClicks(editor, "abcde "[number % 6])
        loop.exec()
        times.append(((time.perf_counter() - start) * 1e3, (time.thread_time() - worked) * 1e3))
    window.removeEventFilter(watch)
    return np.array(times).T


def scrolled_frames_ms(area: Any) -> np.ndarray:
    """Milliseconds to scroll by a part of a line and paint [FRAMES]."""
    bar, times = area.verticalScrollBar(), []
    for frame in range(FRAMES):
        start = time.perf_counter()
        bar.setValue(1000 + 37 * frame)
        area.viewport().repaint()
        times.append((time.perf_counter() - start) * 1e3)
    return np.array(times)


def show(opened: Any, talk: Conversation, **changes: object) -> float:
    """Show another conversation; the milliseconds until it is planned and painted."""
    from gui.pages.dialogue import turn_parts

    page = opened.page
    params = page.form.params.changed(conversation=turn_parts.as_json(talk), max_length=131_072, **changes)
    start = time.perf_counter()
    page.form.set_params(params)
    opened.controller.show_plan()
    page.views.rows.rows.area.viewport().repaint()
    return (time.perf_counter() - start) * 1e3


def settle(page: Any) -> None:
    """Wait for what is made beside the GUI thread."""
    loop = QEventLoop()
    while page.drawing:
        QTimer.singleShot(5, loop.quit)
        loop.exec()


def open_turn(page: Any) -> Any:
    """The control of the last turn's text."""
    editor = page.views.editor
    editor.go_to(len(editor.conversation.messages) - 1)
    editor.turns.setFocus()
    editor.turns.edit_current()
    return editor.turns.editor


def open_copy(page: Any) -> Any:
    """The source of a copy of the template, behind its first comment."""
    from gui.pages.dialogue.views import TEMPLATE

    page.views.sources.show_picture(TEMPLATE)
    page.views.template.copy.click()
    code = page.views.template.code
    cursor = code.textCursor()
    cursor.setPosition(code.toPlainText().index("#}"))
    code.setTextCursor(cursor)
    code.setFocus()
    return code


def measure(window: Any, opened: Any, add: Callable[[str, np.ndarray, float], None]) -> None:
    page = opened.page
    for tokens in (TYPED, LONG):
        talk = conversation("tilescope", tokens)
        show(opened, talk)
        count = len(page.state.plan.rows)
        settle(page)
        plans = [_ms(lambda: page.topic.plan(page.form.params)) for _ in range(20)]
        target = TYPING_TARGET_MS if tokens == TYPED else float("nan")
        add(f"plan, {count:,} tokens", np.array(plans), target)
        add(f"open, {count:,} tokens", np.array([show(opened, talk) for _ in range(5)]), float("nan"))
        settle(page)
        editor = open_turn(page)
        for pause in (FAST_MS, SLOW_MS) if tokens == TYPED else (SLOW_MS,):
            times = keys_to_redrawn_ms(window, page, editor, pause)
            add(f"key in a turn every {pause} ms, {count:,} tokens", times, target)
        page.views.editor.turns.setFocus()
        settle(page)
        if tokens == TYPED:
            times = keys_to_redrawn_ms(window, page, open_copy(page), FAST_MS)
            add(f"key in the template every {FAST_MS} ms, {count:,} tokens", times, TYPING_TARGET_MS)
        settle(page)
        page.selection.update(token=count // 2)
        add(f"frame of scrolling, {count:,} tokens", scrolled_frames_ms(page.views.rows.rows.area), FRAME_TARGET_MS)


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    table = Table("work", "median ms", "p95 ms", "max ms", "GUI thread's CPU, p95 ms", "target ms")

    def add(work: str, times: np.ndarray, target: float) -> None:
        """On a busy machine, only the CPU time of the GUI thread says what the page itself takes."""
        waited, worked = times if times.ndim > 1 else (times, None)
        median, p95 = np.percentile(waited, [50, 95])
        wanted = "" if np.isnan(target) else f"{target:g}"
        cpu = "" if worked is None else f"{np.percentile(worked, 95):.1f}"
        table.add_row(work, f"{median:.1f}", f"{p95:.1f}", f"{waited.max():.1f}", cpu, wanted)

    with benchmark_window((1600, 1000)) as (window, _):
        opened = window.open_page("dialogue")
        assert opened is not None
        measure(window, opened, add)
    Console().print(table)


if __name__ == "__main__":
    main()
