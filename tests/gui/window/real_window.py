"""A user's session in a real window, in a process of its own. Run by test_real_window; prints its observations as JSON.

The window is opened as `python main.py` opens it. Keys go through the window system; every wait is for a signal.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Generator
from typing import Any

import psutil
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

import main

SMALL = {"seq_len": 128, "heads": 1, "kv_heads": 1}
LONG = {"seq_len": 2048, "heads": 16, "kv_heads": 16}
TIMEOUT_MS = 240_000
"""For the whole session, whose two workers import torch: on a busy machine that alone takes a minute."""

Steps = Generator[Callable[[], bool], None, None]
"""A session yields what it waits for."""


class Driver(QObject):
    """Continues a session when a signal says that the awaited condition may be met."""

    def __init__(self, steps: Steps, window: Any, bridge: Any) -> None:
        super().__init__(window)
        self._steps = steps
        self._awaited: Callable[[], bool] = lambda: True
        bridge.run_event.connect(self._soon)
        bridge.state_changed.connect(self._soon)
        window.keeper.kept.connect(self._soon)
        QApplication.instance().focusWindowChanged.connect(self._soon)
        QTimer.singleShot(TIMEOUT_MS, self, lambda: self._give_up(f"Timed out, waiting in line {self._line()}."))
        self._soon()

    def _soon(self, *_: object) -> None:
        """Advance in the next turn of the event loop, after all other receivers of the signal."""
        QTimer.singleShot(0, self, self._advance)

    def _advance(self) -> None:
        if self._steps.gi_running:
            return  # a key press processes events; the condition is checked after it
        try:
            while self._awaited():
                self._awaited = next(self._steps)
        except StopIteration:
            self._awaited = lambda: False
        except Exception:
            self._give_up(traceback.format_exc())

    def _line(self) -> int:
        return self._steps.gi_frame.f_lineno if self._steps.gi_frame is not None else 0

    def _give_up(self, message: str) -> None:
        print(message, file=sys.stderr)
        QApplication.exit(3)


def session(window: Any, bridge: Any, seen: dict[str, Any]) -> Steps:
    """Run, cancel, change the theme, lose the worker, run again, quit."""
    from gui import theme

    page, controller = window.current.page, window.current.controller

    def press(key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(window.windowHandle(), key, modifier)

    def start(values: dict[str, int]) -> None:
        page.form.set_params(page.topic.params(**values))
        press(Qt.Key.Key_F5)
        assert controller.running

    def is_over() -> bool:
        return not controller.running

    def is_kept() -> bool:
        """Finished, and in the history."""
        return not controller.running and page.run_bar.phase.startswith("Done")

    def is_under_way() -> bool:
        return page.run_bar.progress.value() > 0

    window.activateWindow()  # there is no window manager that does it
    yield window.isActiveWindow
    seen["platform"] = QApplication.platformName()
    start(SMALL)
    yield is_kept
    seen["first run"] = page.run_bar.phase
    seen["claims"] = page.tabs.tabText(0)

    start(LONG)
    yield is_under_way
    seen["maps"] = not page.accesses.is_empty  # of the first run, decoded on another thread
    press(Qt.Key.Key_Escape)
    yield is_over
    seen["cancelled run"] = page.run_bar.phase
    seen["banner after cancel"] = page.banner.sentence

    before = theme.current().name
    press(Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    seen["themes differ"] = theme.current().name != before

    start(LONG)
    yield is_under_way
    next(child for child in psutil.Process().children() if "worker_process" in " ".join(child.cmdline())).kill()
    yield is_over
    seen["banner after kill"] = page.banner.sentence

    start(SMALL)
    yield is_kept
    seen["last run"] = page.run_bar.phase
    seen["last banner"] = page.banner.sentence
    press(Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)


def observe(seen: dict[str, Any]) -> None:
    """Start the session once the page is open, without changing how the window behaves."""
    from gui.window import main_window

    original_init = main_window.MainWindow.__init__
    original_open = main_window.MainWindow.open_last_page

    def init(self: Any, bridge: Any, *rest: Any, **named: Any) -> None:
        original_init(self, bridge, *rest, **named)
        self.bridge_of_test = bridge

    def open_last_page(self: Any) -> None:
        original_open(self)
        Driver(session(self, self.bridge_of_test, seen), self, self.bridge_of_test)

    main_window.MainWindow.__init__ = init  # type: ignore[method-assign]
    main_window.MainWindow.open_last_page = open_last_page  # type: ignore[method-assign]


def run() -> int:
    seen: dict[str, Any] = {}
    observe(seen)
    code = main.main(["--topic", "flash-attention"])
    print(json.dumps(seen))
    return code


if __name__ == "__main__":
    sys.exit(run())
