"""A cluster provides workers: the interface of the local and the remote one, and the configuration of distributed.

Everything here runs on the event loop of the engine's thread, the only thread that imports distributed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from core.contracts.text import Text
from core.engine.remote import call, call_async

_CONFIG: dict[str, Any] = {
    # Never rerun an experiment whose worker died: the crash is the outcome.
    "distributed.scheduler.allowed-failures": 0,
    # A kernel may hold the GIL for minutes. The user decides with Cancel whether that is too long.
    "distributed.scheduler.worker-ttl": None,
    "distributed.deploy.lost-worker-timeout": "1 day",
    # By default the nanny limits torch to one thread, even in the environment of this process.
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
    """Time between two calls of `addresses`."""

    outlives_the_engine: bool
    """Whether a run that is not cancelled continues after the engine has closed."""

    def __init__(self, client: Any) -> None:
        self.client = client

    @abstractmethod
    async def addresses(self) -> frozenset[str]:
        """The addresses of the current workers. Raises TilescopeError when the scheduler does not answer."""

    @abstractmethod
    async def kill(self, address: str) -> None:
        """Kill the worker, whatever it is doing; its nanny starts another."""

    @abstractmethod
    async def death(self, address: str) -> Text:
        """How a worker that is gone ended: a clause with the worker as its subject."""

    @abstractmethod
    def log_tail(self, address: str) -> str:
        """The last lines that the worker wrote to stdout and stderr, '' where they cannot be read."""

    @abstractmethod
    def no_worker(self, waited_s: float) -> Text:
        """The error message for a cluster without workers."""

    def is_death(self, error: Exception) -> bool:
        """Whether this is the error of a task whose worker died."""
        return type(error).__name__ in ("KilledWorker", "FutureCancelledError")

    def submit(self, key: str, address: str, function: str, *args: Any) -> Any:
        """Run a function of the worker module as a task on that worker; returns a distributed.Future."""
        return self.client.submit(call, function, *args, key=key, workers=[address], pure=False, retries=0)

    async def ask(self, address: str, function: str, *args: Any) -> Any:
        """Await a coroutine function on that worker's event loop, while it runs a task in another thread."""
        answers = await self.client.run(call_async, function, *args, workers=[address])
        return answers[address]


def import_distributed(settings: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Import and configure distributed. Its settings are process-wide; nothing else in Tilescope uses it."""
    import dask

    dask.config.set({**_CONFIG, **settings})
    dask.config.set({"distributed.logging": _silent_logging()})
    import distributed

    return distributed


def _silent_logging() -> dict[str, Any]:
    """Discards the logs of distributed: what matters becomes an event, and stdout and stderr belong to the CLI."""
    names = ("distributed", "tornado", "bokeh", "asyncio")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"nowhere": {"class": "logging.NullHandler"}},
        "loggers": {name: {"level": "CRITICAL", "handlers": ["nowhere"], "propagate": False} for name in names},
    }


def first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
