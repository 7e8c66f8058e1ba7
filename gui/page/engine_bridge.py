"""From the threads of the engine to Qt signals. Runs are drained 30 times per second while there are any."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from core.contracts.events import TERMINAL
from core.contracts.params import Params

_DRAIN_EVERY_MS = 33


class EngineBridge(QObject):
    """Owns the engine. `run_event` carries (run, event) in the order of the run, `state_changed` the newest state.

    The engine calls back on its own threads; a queued signal brings the state here, so every slot of these signals
    runs on the GUI thread. `make_engine` makes an engine that is not started.
    """

    run_event = Signal(object, object)
    state_changed = Signal(object)
    _news = Signal()

    def __init__(self, make_engine: Callable[[], Any], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make_engine = make_engine
        self._engine: Any = None
        self._runs: list[Any] = []
        self._shown_state: Any = None
        self._timer = QTimer(self)
        self._timer.setInterval(_DRAIN_EVERY_MS)
        self._timer.timeout.connect(self.drain)
        self._news.connect(self._show_state)

    @property
    def watching(self) -> bool:
        """Whether there is a run without its terminal event."""
        return bool(self._runs)

    def start(self) -> None:
        """Make and start the engine; returns at once. Starting twice changes nothing."""
        if self._engine is None:
            self._engine = self._make_engine()
            self._engine.on_state(lambda _state: self._news.emit())
            self._engine.start()
            self._show_state()

    def submit(self, topic_id: str, params: Params, device: str) -> Any:
        """Queue a run that `Topic.check` accepted, and deliver its events until its terminal one. Starts the engine if
        it is not running."""
        self.start()
        run = self._engine.submit(topic_id, params, device=device, is_checked=True)
        self._runs.append(run)
        self._timer.start()
        return run

    def restart(self) -> None:
        """Replace the engine and its worker. The run is cancelled; the old engine is closed on another thread."""
        if self._engine is not None:
            old, self._engine = self._engine, None
            threading.Thread(target=old.close, name="tilescope-closing", daemon=True).start()
        self.start()

    def drain(self) -> None:
        """Deliver new events. A run with a terminal event is no longer watched when that event is delivered."""
        for run in list(self._runs):
            for event in run.drain():
                if isinstance(event, TERMINAL) and run in self._runs:
                    self._runs.remove(run)
                self.run_event.emit(run, event)
        if not self._runs:
            self._timer.stop()

    def close(self) -> None:
        """Close the engine and deliver nothing more. Waits until its processes are gone."""
        self._runs.clear()
        self._timer.stop()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.close()

    def _show_state(self) -> None:
        """Only the newest state matters: several changes between two turns of the event loop are one."""
        if self._engine is not None and self._engine.state != self._shown_state:
            self._shown_state = self._engine.state
            self.state_changed.emit(self._shown_state)
