"""Where workers come from: an embedded cluster of one worker process, or a scheduler that somebody else runs.

Everything here runs on the event loop of the engine's thread, the only thread that imports distributed.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from core.engine.deaths import death_of_process
from core.engine.remote import call, call_async
from core.errors import TilescopeError

_ANSWER_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 0.3
"""How long an idle worker may take to leave by itself when the engine closes; it is killed after that."""

_LOG_TAIL_BYTES = 8192
_TEMPORARY_PREFIX = "tilescope-engine-"

_CONFIG = {
    # One death of a worker is the answer: never run an experiment that crashed a second time.
    "distributed.scheduler.allowed-failures": 0,
    # A kernel may hold the GIL for minutes; whether that is too long is for the person to say, with Cancel.
    "distributed.scheduler.worker-ttl": None,
    "distributed.deploy.lost-worker-timeout": "1 day",
    # By default the nanny limits torch to one thread, in this process's environment too.
    "distributed.nanny.pre-spawn-environ": {
        "OMP_NUM_THREADS": None,
        "MKL_NUM_THREADS": None,
        "OPENBLAS_NUM_THREADS": None,
        "MALLOC_TRIM_THRESHOLD_": None,
    },
    "distributed.worker.profile.enabled": False,
    "distributed.diagnostics.nvml": False,
    "distributed.admin.system-monitor.interval": "10s",
}


class Cluster(ABC):
    """A connection to workers. `client` is a distributed.Client in asynchronous mode."""

    poll_interval_s: float
    """How often `addresses` is worth asking."""

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


@dataclass(frozen=True)
class _WorkerProcess:
    """`handle` is distributed's: the nanny forgets it when the process exits, here its exit code stays readable."""

    system: psutil.Process
    handle: Any


class LocalCluster(Cluster):
    """One worker process of one thread on this machine, behind TLS on the loopback interface.

    There is no memory limit: dask would pause or kill a worker at a share of it, and an experiment that
    allocates a third of the machine for a second is no accident. What cannot fit is refused before it runs
    (Topic.check); if the kernel's OOM killer must choose, it chooses the worker (worker_setup), not the window.
    """

    poll_interval_s = 0.1

    def __init__(self, client: Any, cluster: Any, folder: Path) -> None:
        super().__init__(client)
        self._cluster = cluster
        self._folder = folder
        self._known: dict[str, _WorkerProcess] = {}

    async def addresses(self) -> frozenset[str]:
        found = frozenset(self._cluster.scheduler.workers)
        for nanny in self._cluster.workers.values():
            if nanny.worker_address in found and nanny.worker_address not in self._known and nanny.pid:
                self._known[nanny.worker_address] = _WorkerProcess(psutil.Process(nanny.pid), nanny.process.process)
        return found & self._known.keys()

    async def kill(self, address: str) -> None:
        if address in self._known:
            _kill_with_children(self._known[address].system)

    async def death(self, address: str) -> str:
        worker = self._known.get(address)
        for _ in range(50):
            if worker is None or worker.handle.exitcode is not None:
                break
            await asyncio.sleep(0.02)
        return f"process {death_of_process(None if worker is None else worker.handle.exitcode)}"

    def log_tail(self, address: str) -> str:
        worker = self._known.get(address)
        return "" if worker is None else _tail(self._folder / f"worker-{worker.system.pid}.log")

    def no_worker(self, waited_s: float) -> str:
        return (
            f"No worker process came up within {waited_s:g} s, so nothing can run: "
            "close other programs to free memory and start Tilescope again."
        )

    async def stop_worker(self) -> None:
        """End the worker process and its nanny."""
        for nanny in list(self._cluster.workers.values()):
            with suppress(Exception):
                await nanny.close(timeout=_CLOSE_TIMEOUT_S)
        for worker in self._known.values():
            _kill_with_children(worker.system)


class RemoteCluster(Cluster):
    """Workers of a scheduler that somebody else runs."""

    poll_interval_s = 1.0

    def __init__(self, client: Any, address: str) -> None:
        super().__init__(client)
        self._address = address

    async def addresses(self) -> frozenset[str]:
        try:
            identity = await asyncio.wait_for(self.client.scheduler.identity(n_workers=-1), _ANSWER_TIMEOUT_S)
        except (OSError, TimeoutError) as error:
            raise TilescopeError(f"The scheduler at {self._address} no longer answers.") from error
        return frozenset(identity["workers"])

    async def kill(self, address: str) -> None:
        await self.client.restart_workers([address], raise_for_error=False)

    async def death(self, address: str) -> str:
        return f"at {address} went away"

    def log_tail(self, address: str) -> str:
        return ""

    def no_worker(self, waited_s: float) -> str:
        return (
            f"The scheduler at {self._address} has had no worker for {waited_s:g} s: "
            f"start one with 'python main.py worker {self._address}'."
        )


@asynccontextmanager
async def local_cluster() -> AsyncIterator[Cluster]:
    """Bring up the embedded cluster; when the context ends, every process and file of it is gone.

    Raises TilescopeError with one sentence when it cannot start.
    """
    distributed = _import_distributed()
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY_PREFIX}{psutil.Process().pid}-"))
    try:
        try:
            # The credentials exist in memory only.
            security = distributed.Security.temporary()
            cluster = await distributed.LocalCluster(
                n_workers=1,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=security,
                dashboard_address=None,
                worker_dashboard_address=None,
                memory_limit=None,
                local_directory=str(folder),
                preload=["core.engine.worker_setup"],
                env={"TILESCOPE_WORKER_LOGS": str(folder)},
                asynchronous=True,
            )
        except Exception as error:
            raise TilescopeError(f"The worker process cannot be started: {_first_line(error)}.") from error
        try:
            client = await distributed.Client(
                cluster, security=security, asynchronous=True, direct_to_workers=True, set_as_default=False
            )
            local = LocalCluster(client, cluster, folder)
            try:
                yield local
            finally:
                await client.close()
                await local.stop_worker()
        finally:
            await cluster.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def remote_cluster(address: str) -> AsyncIterator[Cluster]:
    """Connect to a scheduler ('tls://host:port' or 'tcp://host:port'; certificates come from dask's configuration).

    Raises TilescopeError with one sentence when it does not answer.
    """
    distributed = _import_distributed()
    try:
        client = await distributed.Client(
            address, asynchronous=True, timeout=_ANSWER_TIMEOUT_S, set_as_default=False, name="tilescope"
        )
    except Exception as error:
        raise TilescopeError(
            f"The scheduler at {address} does not answer ({_first_line(error)}): check the address, "
            "and that the scheduler is running."
        ) from error
    try:
        yield RemoteCluster(client, address)
    finally:
        await client.close()


def _import_distributed() -> Any:
    """Import and configure distributed. Its settings are process-wide; no other room of Tilescope uses it."""
    import dask

    dask.config.set(_CONFIG)
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


def _kill_with_children(process: psutil.Process) -> None:
    """Does nothing when the process is gone, even where another one has its id by now."""
    with suppress(psutil.Error):
        for child in process.children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
        process.kill()


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").strip()
    except OSError:
        return ""


def _remove_leftovers() -> None:
    """Delete the folders of engines whose process was killed before it could do so."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY_PREFIX}*"):
        pid = folder.name.removeprefix(_TEMPORARY_PREFIX).split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
