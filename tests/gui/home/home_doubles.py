"""A home page with an engine and a history that have nothing behind them but a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from core.contracts.events import Event
from core.contracts.result import Result
from core.engine.history import History
from gui.home.home import Home
from gui.page.engine_bridge import EngineBridge
from tests.gui.doubles import FakeEngine, FakeRun


class FakeKeeper(QObject):
    """Does at once what `HistoryKeeper` does on its thread."""

    listed = Signal(str, object, bool)
    notice = Signal(object, bool)

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.history = History(folder / "history.sqlite3")
        self.asked = 0
        """How often something was read or written."""

    def do(self, work: Callable[[Any], None]) -> None:
        self.asked += 1
        work(self.history)

    def keep(self, result: Result, started_at_s: float, wall_s: float) -> None:
        self.history.add(result, datetime.fromtimestamp(started_at_s, UTC), wall_s)
        self.listed.emit(result.topic, None, False)


@dataclass
class Opened:
    """A home page and what is behind it."""

    home: Home
    engine: FakeEngine
    bridge: EngineBridge
    keeper: FakeKeeper

    @property
    def runs(self) -> list[FakeRun]:
        return self.engine.runs

    def post(self, *events: Event) -> None:
        """Let events of the newest run arrive."""
        self.runs[-1].post(*events)
        self.bridge.drain()


def open_home(folder: Path, qtbot: Any, size: tuple[int, int] = (1280, 700)) -> Opened:
    """A home page in view with all questions read."""
    engine = FakeEngine()
    bridge, keeper = EngineBridge(lambda: engine), FakeKeeper(folder)
    home = Home(bridge, keeper)
    qtbot.addWidget(home)
    home.resize(*size)
    with qtbot.waitSignal(home.ready):
        home.show()
    return Opened(home, engine, bridge, keeper)
