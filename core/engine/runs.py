"""A run: what the engine returns for each submission."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from enum import Enum
from uuid import uuid4

from core import language
from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.events import TERMINAL, Cancelled, Event, Failed, Finished, Started
from core.contracts.params import Params
from core.contracts.result import Result
from core.contracts.text import tr
from core.engine.mailbox import Mailbox


class RunCancelled(TilescopeError):
    """Raised by `Run.result` when the run was cancelled; the text gives the reason."""


class _Stage(Enum):
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    OVER = "over"


class Run:
    """One run of a topic. Its methods may be called from any thread.

    `events` holds Started, Progress, Partial (the latest of each) and then exactly one of Finished, Failed,
    Cancelled. A run that never reached a worker has the terminal event only. Files that the run writes itself are in
    the `language` that was current when it was submitted. A run that `is_live` began by itself. `machine` is the name
    of the added device that it was sent to, '' for none.
    """

    def __init__(self, topic_id: str, params: Params, device: str, *, is_live: bool = False, machine: str = "") -> None:
        self.id = uuid4().hex
        self.topic_id = topic_id
        self.params = params
        self.device = device
        self.is_live = is_live
        self.machine = machine
        self.language = language.current()
        self.events = Mailbox()
        self._lock = threading.Lock()
        self._stage = _Stage.QUEUED
        self._over = threading.Event()
        self._terminal: Finished | Failed | Cancelled | None = None
        self._on_cancel: Callable[[Run], None] | None = None
        self._on_over: Callable[[Run], None] | None = None

    def __repr__(self) -> str:
        return f"<Run {self.id[:8]} of {self.topic_id}: {self._stage.value}>"

    @property
    def done(self) -> bool:
        """True once the terminal event is there."""
        return self._over.is_set()

    @property
    def terminal(self) -> Finished | Failed | Cancelled | None:
        """The terminal event, or None until the run ends. Reading it removes nothing from `events`."""
        return self._terminal

    def drain(self) -> list[Event]:
        """The events since the last call; does not block."""
        return self.events.drain()

    def stream(self, timeout: float | None = None) -> Iterator[Event]:
        """Events as they arrive, the terminal one last. Raises TimeoutError after `timeout` seconds without one."""
        while True:
            event = self.events.get(timeout)
            yield event
            if isinstance(event, TERMINAL):
                return

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the result; removes nothing from `events`.

        Raises InvalidParams or TilescopeError with the sentence of Failed, RunCancelled, or TimeoutError.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(f"the run of {self.topic_id} is not over after {timeout:g} s")
        match self._terminal:
            case Finished(result):
                return result
            case Failed(sentence, _, blames, True):
                raise InvalidParams(sentence, blames)
            case Failed(sentence):
                raise TilescopeError(sentence)
            case Cancelled(reason):
                raise RunCancelled(tr("The run of {topic} was {reason}.", topic=self.topic_id, reason=reason))
            case None:
                raise AssertionError("a run that is over has a terminal event")

    def cancel(self) -> None:
        """Ask the run to stop: at once while it is queued, at its next yield while it runs."""
        with self._lock:
            queued, on_cancel = self._stage is _Stage.QUEUED, self._on_cancel
        if queued and self.finish(Cancelled(tr("cancelled before it started")), only_queued=True):
            return
        if not self.done and on_cancel is not None:
            on_cancel(self)

    # The engine uses the methods below.

    def attach(self, on_cancel: Callable[[Run], None], on_over: Callable[[Run], None]) -> None:
        """Set the callbacks for when a dispatched run is cancelled, and for when the run ends."""
        self._on_cancel, self._on_over = on_cancel, on_over

    def dispatch(self) -> bool:
        """Mark the run as sent to a worker. False if it has already ended and must not be sent."""
        with self._lock:
            if self._stage is not _Stage.QUEUED:
                return False
            self._stage = _Stage.DISPATCHED
            return True

    def post(self, event: Event) -> None:
        """Forward an event of the worker; ignored once the run has ended."""
        self.events.put(event)

    def finish(self, terminal: Finished | Failed | Cancelled, *, only_queued: bool = False) -> bool:
        """End the run with its only terminal event. False, and nothing changes, if it had already ended."""
        with self._lock:
            if self._stage is _Stage.OVER or (only_queued and self._stage is not _Stage.QUEUED):
                return False
            reached_a_worker = self._stage is _Stage.DISPATCHED
            self._stage = _Stage.OVER
            self._terminal = terminal
            if reached_a_worker:
                # A worker that dies at once never sends Started itself; a second Started is rejected.
                self.events.put(Started("worker", self.device))
            self.events.put(terminal)
            self._over.set()
        if self._on_over is not None:
            self._on_over(self)
        return True
