"""What a worker sends back when a run is over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunOutcome:
    """`events` are packed (`core.engine.wire`): Started, those that were not fetched yet, and the terminal one.

    `worker_is_unusable` means that the worker has to be replaced: its CUDA context is broken until the process ends, or
    an error that nobody expected may have left anything behind.
    """

    events: tuple[bytes, ...]
    worker_is_unusable: bool = False
