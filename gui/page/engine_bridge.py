"""From the threads of the engine to Qt signals. Runs are drained 30 times per second while there are any."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from core.engine.devices import DEVICES
from core.engine.state import Phase

if TYPE_CHECKING:
    from core.contracts.params import Params
    from core.engine.remote_device import RemoteDevice

_DRAIN_EVERY_MS = 33
_REMOTE_PATIENCE_S = 20.0
"""How long a run waits for a worker of an added device: one that was killed is replaced in less."""


def _engine_of(device: RemoteDevice) -> Any:
    """The import is inside, because the window comes first."""
    from core.engine import Engine

    return Engine(device.address, patience_s=_REMOTE_PATIENCE_S, machine=device.name)


class EngineBridge(QObject):
    """Owns the engine, and one for each added device that a run was sent to. `submitted` carries a run that was
    queued, `run_event` (run, event) in the order of the run, `state_changed` the newest state, and `idle` says that the
    last run has ended.

    The engine calls back on its own threads; a queued signal brings the state here, so every slot of these signals
    runs on the GUI thread. `make_engine` makes an engine that is not started, `make_remote` one for an added device;
    `find_remote` returns the device of a name, None where there is none.
    """

    submitted = Signal(object)
    run_event = Signal(object, object)
    state_changed = Signal(object)
    idle = Signal()
    _news = Signal()

    def __init__(
        self,
        make_engine: Callable[[], Any],
        parent: QObject | None = None,
        make_remote: Callable[[RemoteDevice], Any] = _engine_of,
    ) -> None:
        super().__init__(parent)
        self._make_engine, self._make_remote = make_engine, make_remote
        self.find_remote: Callable[[str], RemoteDevice | None] = lambda _name: None
        self._engine: Any = None
        self._remotes: dict[RemoteDevice, Any] = {}
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

    @property
    def ready(self) -> bool:
        """Whether a worker would begin with a run at once."""
        is_free = all(run.machine for run in self._runs)
        return self._shown_state is not None and self._shown_state.phase is Phase.READY and is_free

    @property
    def device(self) -> str:
        """What the worker says that 'auto' means; '' until it has."""
        return "" if self._shown_state is None else str(self._shown_state.device)

    def start(self) -> None:
        """Make and start the engine; returns at once. Starting twice changes nothing."""
        if self._engine is None:
            self._engine = self._make_engine()
            self._engine.on_state(lambda _state: self._news.emit())
            self._engine.start()
            self._show_state()

    def submit(self, topic_id: str, params: Params, device: str, *, is_live: bool = False) -> Any:
        """Queue a run that `Topic.check` accepted, and deliver its events until its terminal one. Starts the engine if
        it is not running. A run that somebody asked for cancels those that began by themselves (`is_live`).

        `device` is one of `DEVICES`, or the name of an added one; another is the Failed event of the run.
        """
        self.start()
        engine, device = self._engine_for(device)
        for other in self._runs if not is_live else ():
            if other.is_live:
                other.cancel()
        run = engine.submit(topic_id, params, device=device, is_checked=True, is_live=is_live)
        self._runs.append(run)
        self._timer.start()
        self.submitted.emit(run)
        return run

    def restart(self) -> None:
        """Replace the engine and its worker. The run is cancelled; the old engine is closed on another thread."""
        if self._engine is not None:
            old, self._engine = self._engine, None
            _close_later(old)
        self.start()

    def disconnect_from(self, device: RemoteDevice) -> None:
        """Close the connection to an added device, unless a run is there: its result is still wanted."""
        if device in self._remotes and not any(run.machine == device.name for run in self._runs):
            _close_later(self._remotes.pop(device))
            self._show_state()

    def drain(self) -> None:
        """Deliver new events. A run with a terminal event is no longer watched when that event is delivered."""
        from core.contracts.events import TERMINAL

        for run in list(self._runs):
            for event in run.drain():
                if isinstance(event, TERMINAL) and run in self._runs:
                    self._runs.remove(run)
                self.run_event.emit(run, event)
        if not self._runs and self._timer.isActive():
            self._timer.stop()
            self.idle.emit()

    def close(self) -> None:
        """Close the engine and deliver nothing more. Waits until its processes are gone."""
        self._runs.clear()
        self._timer.stop()
        closing = [_close_later(remote) for remote in self._remotes.values()]
        self._remotes.clear()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.close()
        for thread in closing:
            thread.join()

    def _engine_for(self, device: str) -> tuple[Any, str]:
        """The engine of a device, and the name that it has there. A connection that was lost is made anew."""
        remote = None if device in DEVICES else self.find_remote(device)
        if remote is None:
            return self._engine, device
        engine = self._remotes.get(remote)
        if engine is None or engine.state.phase is Phase.FAILED:
            if engine is not None:
                _close_later(engine)
            engine = self._remotes[remote] = self._make_remote(remote)
            engine.on_state(lambda _state: self._news.emit())
            engine.start()
        return engine, DEVICES[0]

    def _show_state(self) -> None:
        """The state of the first engine; only the newest matters: several changes between two turns of the event loop
        are one. What is sent anywhere without encryption is said."""
        if self._engine is None:
            return
        is_insecure = any(engine.state.is_insecure for engine in self._remotes.values())
        state = replace(self._engine.state, is_insecure=self._engine.state.is_insecure or is_insecure)
        if state != self._shown_state:
            self._shown_state = state
            self.state_changed.emit(state)


def _close_later(engine: Any) -> threading.Thread:
    """Close an engine on a thread of its own: its processes take a moment to end."""
    thread = threading.Thread(target=engine.close, name="tilescope-closing", daemon=True)
    thread.start()
    return thread
