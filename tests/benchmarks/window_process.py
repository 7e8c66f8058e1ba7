"""The window in a process of its own, reporting when it is seen, when its page is drawn and when a worker is ready.

Run by bench_startup: argv[1] is the time at which the parent started this process, in seconds since the epoch.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import main

STARTED_AT = float(sys.argv[1])


def observe(times: dict[str, float]) -> None:
    """Note the moments, without changing what the window does; quit at the last one."""
    from gui.window import main_window

    def note(moment: str) -> None:
        times.setdefault(moment, time.time() - STARTED_AT)

    original_init = main_window.MainWindow.__init__
    original_open = main_window.MainWindow.open_last_page

    def init(self: Any, bridge: Any, *rest: Any, **named: Any) -> None:
        original_init(self, bridge, *rest, **named)
        self.first_painted.connect(lambda: note("visible_s"))  # the first to be connected, so the first to be told
        bridge.state_changed.connect(lambda state: on_state(self, state))

    def open_last_page(self: Any) -> None:
        original_open(self)
        note("page_s")

    def on_state(window: Any, state: Any) -> None:
        if state.phase == "ready":
            note("worker_s")
            window.close()

    main_window.MainWindow.__init__ = init  # type: ignore[method-assign]
    main_window.MainWindow.open_last_page = open_last_page  # type: ignore[method-assign]


def run() -> int:
    times: dict[str, float] = {}
    observe(times)
    code = main.main([])
    print(json.dumps(times))
    return code


if __name__ == "__main__":
    sys.exit(run())
