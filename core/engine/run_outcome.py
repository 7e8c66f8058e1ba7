"""What a worker sends back when a run is over."""

from __future__ import annotations

from dataclasses import dataclass

from core.contracts.events import Cancelled, Event, Failed, Finished, Started


@dataclass(frozen=True)
class Answer:
    """`last_events` are those that nobody had asked for yet, oldest first.

    `worker_is_unusable` asks for the worker to be replaced: its CUDA context is broken, and stays so until
    the process ends.
    """

    started: Started
    last_events: tuple[Event, ...]
    terminal: Finished | Failed | Cancelled
    worker_is_unusable: bool = False
