"""The window in a process of its own, reporting when it is seen, when its page is drawn and when a worker is there.

Run by bench_startup and bench_live: argv[1] is the time at which the parent started this process, in seconds since the
epoch; argv[2] is the moment at which the window is closed; the rest are arguments of the program.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import main

STARTED_AT, LAST_MOMENT = float(sys.argv[1]), sys.argv[2]


def observe(times: dict[str, float]) -> None:
    """Note the moments, without changing what the window does; quit at the last one."""
    from gui.page import controller, live
    from gui.window import main_window

    windows: list[Any] = []

    def note(moment: str) -> None:
        times.setdefault(moment, time.time() - STARTED_AT)
        if moment == LAST_MOMENT:
            windows[0].close()

    original_init = main_window.MainWindow.__init__
    original_announce = main_window.MainWindow._announce_first_paint
    original_open = main_window.MainWindow.open_last_page

    def init(self: Any, bridge: Any, *rest: Any, **named: Any) -> None:
        original_init(self, bridge, *rest, **named)
        windows.append(self)
        bridge.state_changed.connect(on_state)

    def announce(self: Any) -> None:
        note("visible_s")
        original_announce(self)

    def open_last_page(self: Any) -> None:
        original_open(self)
        note("page_s")

    def on_state(state: Any) -> None:
        if state.phase == "ready":
            note("worker_s")
        if state.device:  # a worker says it when it has imported torch
            note("device_s")

    original_recorded = controller.Controller.show_recorded
    original_live = live.LiveRuns._show

    def show_recorded(self: Any, saved: Any) -> None:
        original_recorded(self, saved)
        note("recorded_s")

    def show_live(self: Any, *result: Any) -> None:
        original_live(self, *result)
        note("live_s")

    main_window.MainWindow.__init__ = init  # type: ignore[method-assign]
    main_window.MainWindow._announce_first_paint = announce  # type: ignore[method-assign]
    main_window.MainWindow.open_last_page = open_last_page  # type: ignore[method-assign]
    controller.Controller.show_recorded = show_recorded  # type: ignore[method-assign]
    live.LiveRuns._show = show_live  # type: ignore[method-assign]


def run() -> int:
    times: dict[str, float] = {}
    observe(times)
    code = main.main(sys.argv[3:])
    print(json.dumps(times))
    return code


if __name__ == "__main__":
    sys.exit(run())
