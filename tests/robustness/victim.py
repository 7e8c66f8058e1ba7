"""The window in a process of its own, without a screen, which runs one experiment after another until it is killed.

Run by `applications`. Prints the number of runs that the window has shown as stored, one line each.
"""

from __future__ import annotations

import sys
from typing import Any

from PySide6.QtCore import QTimer

import main

SMALL = {"seq_len": 64, "heads": 1, "kv_heads": 1, "head_dim": 32}


def observe() -> None:
    """Start a run once the page is open, and the next one whenever one is stored."""
    from gui.window import main_window

    original_init = main_window.MainWindow.__init__
    original_open = main_window.MainWindow.open_last_page
    kept = 0

    def init(self: Any, *rest: Any, keeper: Any = None, **named: Any) -> None:
        original_init(self, *rest, keeper=keeper, **named)
        keeper.kept.connect(lambda _: on_kept(self))

    def open_last_page(self: Any) -> None:
        original_open(self)
        print("open", flush=True)
        QTimer.singleShot(0, self, lambda: start(self))

    def start(window: Any) -> None:
        page = window.current.page
        page.form.set_params(page.topic.params(**SMALL))
        window.current.controller.run("cpu")

    def on_kept(window: Any) -> None:
        nonlocal kept
        kept += 1
        print(f"kept {kept}", flush=True)
        QTimer.singleShot(0, window, lambda: start(window))

    main_window.MainWindow.__init__ = init  # type: ignore[method-assign]
    main_window.MainWindow.open_last_page = open_last_page  # type: ignore[method-assign]


if __name__ == "__main__":
    observe()
    sys.exit(main.main(["--topic", "flash-attention"]))
