"""A small queue of events between a run and its reader: it never blocks the writer, and never grows."""

from __future__ import annotations

import threading
from time import monotonic

from core.contracts.events import TERMINAL, Event, Partial, Progress, Started


class Mailbox:
    """Events of one run, in order, at most one of each kind waiting.

    A new Progress replaces the unread Progress, and a new Partial the unread Partial, so a slow reader sees the latest
    state, and a run of a hundred thousand yields holds at most four events. Started passes once. The terminal event
    passes once, closes the mailbox and is never dropped. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Event] = []
        self._started = False
        self._closed = False

    @property
    def closed(self) -> bool:
        """True once a terminal event was put, whether or not it was read."""
        return self._closed

    @property
    def started(self) -> bool:
        """True once Started was put."""
        return self._started

    def put(self, event: Event) -> bool:
        """Add an event. False if it was rejected: a second Started, or anything after the terminal event."""
        with self._changed:
            if self._closed or (isinstance(event, Started) and self._started):
                return False
            if isinstance(event, Progress | Partial):
                self._waiting = [unread for unread in self._waiting if type(unread) is not type(event)]
            self._started = self._started or isinstance(event, Started)
            self._closed = isinstance(event, TERMINAL)
            self._waiting.append(event)
            self._changed.notify_all()
            return True

    def drain(self) -> list[Event]:
        """The unread events, oldest first; does not block."""
        with self._changed:
            events, self._waiting = self._waiting, []
            return events

    def get(self, timeout: float | None = None) -> Event:
        """The next event. Raises TimeoutError when there is none within `timeout` seconds."""
        deadline = None if timeout is None else monotonic() + timeout
        with self._changed:
            while not self._waiting:
                remaining = None if deadline is None else deadline - monotonic()
                if remaining is not None and remaining <= 0:
                    raise TimeoutError(f"no event within {timeout:g} s")
                self._changed.wait(remaining)
            return self._waiting.pop(0)
