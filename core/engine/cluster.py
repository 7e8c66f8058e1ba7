"""A cluster provides workers: the interface of the local and the remote one.

Everything here runs on the event loop of the engine's thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from core.contracts.text import Text
from core.engine.run_outcome import RunOutcome
from core.engine.run_request import RunRequest


class Cluster(ABC):
    """A connection to workers."""

    poll_interval_s: float
    """Time between two calls of `addresses`."""

    outlives_the_engine: bool
    """Whether a run that is not cancelled continues after the engine has closed."""

    replaces_workers: bool
    """Whether another worker is sure to take the place of one that dies."""

    @abstractmethod
    async def addresses(self) -> frozenset[str]:
        """The addresses of the current workers. Raises TilescopeError when they cannot be known."""

    @abstractmethod
    async def run(self, address: str, request: RunRequest) -> RunOutcome | None:
        """`core.engine.worker.run_experiment` on that worker, or None when the worker died. Raises other errors of
        the request."""

    @abstractmethod
    async def next_events(self, address: str, run_id: str, wait_s: float) -> list[bytes]:
        """`core.engine.worker.next_events` on that worker."""

    @abstractmethod
    async def ask(self, address: str, function: str, *arguments: Any) -> Any:
        """Await another coroutine function of the worker module there, while it runs an experiment in a thread.
        Returns a JSON value."""

    @abstractmethod
    async def kill(self, address: str) -> None:
        """Kill the worker, whatever it is doing; another takes its place."""

    @abstractmethod
    async def death(self, address: str) -> Text:
        """How a worker that is gone ended, a clause with the worker as its subject. Raises TilescopeError when the
        cluster is gone with all its workers."""

    @abstractmethod
    def log_tail(self, address: str) -> str:
        """The last lines that the worker wrote to stdout and stderr, '' where they cannot be read."""

    @abstractmethod
    def no_worker(self, waited_s: float) -> Text:
        """The error message for a cluster without workers."""
