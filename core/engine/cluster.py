"""Where workers come from: what the local and the remote cluster have in common, and how distributed is set up.

Everything here runs on the event loop of the engine's thread, the only thread that imports distributed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from core.engine.remote import call, call_async

_CONFIG: dict[str, Any] = {
    # One death of a worker is the answer: never run an experiment that crashed a second time.
    "distributed.scheduler.allowed-failures": 0,
    # A kernel may hold the GIL for minutes; whether that is too long is for the user to decide, with Cancel.
    "distributed.scheduler.worker-ttl": None,
    "distributed.deploy.lost-worker-timeout": "1 day",
    # By default the nanny limits torch to one thread, in this process's environment too.
    "distributed.nanny.pre-spawn-environ": {
        "OMP_NUM_THREADS": None,
        "MKL_NUM_THREADS": None,
        "OPENBLAS_NUM_THREADS": None,
        "MALLOC_TRIM_THRESHOLD_": None,
    },
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.worker.profile.enabled": False,
    "distributed.diagnostics.nvml": False,
    "distributed.admin.system-monitor.interval": "10s",
}


class Cluster(ABC):
    """A connection to workers. `client` is a distributed.Client in asynchronous mode."""

    poll_interval_s: float
    """How often `addresses` is worth asking."""

    outlives_the_engine: bool
    """True where a run goes on when the engine has closed, unless it is cancelled."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @abstractmethod
    async def addresses(self) -> frozenset[str]:
        """The workers that are there now. Raises TilescopeError when the scheduler does not answer."""

    @abstractmethod
    async def kill(self, address: str) -> None:
        """Kill the worker, whatever it is doing; its nanny brings another."""

    @abstractmethod
    async def death(self, address: str) -> str:
        """What is known of the end of a worker that went away: the rest of 'The worker ...'."""

    @abstractmethod
    def log_tail(self, address: str) -> str:
        """The last lines that the worker wrote to its stdout and stderr, '' where they cannot be had."""

    @abstractmethod
    def no_worker(self, waited_s: float) -> str:
        """The sentence for a cluster to which no worker came."""

    def is_death(self, error: Exception) -> bool:
        """True for the error of a task whose worker died under it."""
        return type(error).__name__ in ("KilledWorker", "FutureCancelledError")

    def submit(self, key: str, address: str, function: str, *args: Any) -> Any:
        """Run a function of the worker side as a task on that worker; returns a distributed.Future."""
        return self.client.submit(call, function, *args, key=key, workers=[address], pure=False, retries=0)

    async def ask(self, address: str, function: str, *args: Any) -> Any:
        """Await a coroutine function on that worker's event loop, beside the task that it is running."""
        answers = await self.client.run(call_async, function, *args, workers=[address])
        return answers[address]


def import_distributed(settings: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Import and configure distributed. Its settings are process-wide; no other room of Tilescope uses it."""
    import dask

    dask.config.set({**_CONFIG, **settings})
    dask.config.set({"distributed.logging": _silent_logging()})
    import distributed

    return distributed


def _silent_logging() -> dict[str, Any]:
    """Logging of distributed goes nowhere: what matters becomes an event, and stdout and stderr belong to the CLI."""
    names = ("distributed", "tornado", "bokeh", "asyncio")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"nowhere": {"class": "logging.NullHandler"}},
        "loggers": {name: {"level": "CRITICAL", "handlers": ["nowhere"], "propagate": False} for name in names},
    }


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
