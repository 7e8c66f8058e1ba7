"""The embedded cluster: one worker process on this machine."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import psutil

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.engine.cluster import Cluster, first_line, import_distributed
from core.engine.exit_reason import exit_reason

_CLOSE_TIMEOUT_S = 0.3
"""How long an idle worker may take to exit when the engine closes; it is killed after that."""

_SPIN_COUNT = "1000"
"""How often an idle OpenMP thread checks for work before it sleeps. The default spins for milliseconds: on a busy
machine, that takes the core away from the thread that it waits for."""

_LOG_TAIL_BYTES = 8192
_TEMPORARY_PREFIX = "tilescope-engine-"


@dataclass(frozen=True)
class _WorkerProcess:
    """`handle` is distributed's AsyncProcess, kept here because the nanny drops it, and with it the exit code."""

    system: psutil.Process
    handle: Any


class LocalCluster(Cluster):
    """One worker process of one thread on this machine, behind TLS on the loopback interface.

    There is no memory limit: dask would pause or kill a worker at a fraction of it, and an experiment may well need a
    third of the memory for a second. A run that cannot fit is rejected before it starts (Topic.check). If the OOM
    killer of the operating system has to act, it kills the worker (worker_setup), not the window.
    """

    poll_interval_s = 0.1
    outlives_the_engine = False

    def __init__(self, client: Any, cluster: Any, folder: Path) -> None:
        super().__init__(client)
        self._cluster = cluster
        self._folder = folder
        self._known: dict[str, _WorkerProcess] = {}

    async def addresses(self) -> frozenset[str]:
        addresses = frozenset(self._cluster.scheduler.workers)
        for nanny in self._cluster.workers.values():
            # A worker without a process id is already exiting.
            if nanny.worker_address in addresses - self._known.keys() and (pid := nanny.pid):
                with suppress(psutil.NoSuchProcess):
                    self._known[nanny.worker_address] = _WorkerProcess(psutil.Process(pid), nanny.process.process)
        return addresses & self._known.keys()

    async def kill(self, address: str) -> None:
        if address in self._known:
            _kill_with_children(self._known[address].system)

    async def death(self, address: str) -> Text:
        worker = self._known.get(address)
        for _ in range(50):
            if worker is None or worker.handle.exitcode is not None:
                break
            await asyncio.sleep(0.02)
        return exit_reason(None if worker is None else worker.handle.exitcode)

    def log_tail(self, address: str) -> str:
        worker = self._known.get(address)
        return "" if worker is None else _tail(self._folder / f"worker-{worker.system.pid}.log")

    def no_worker(self, waited_s: float) -> Text:
        return tr(
            "No worker process started within {seconds:g} s, so nothing can run: close other programs to free memory "
            "and start Tilescope again.",
            seconds=waited_s,
        )

    async def stop_worker(self) -> None:
        """End the worker process and its nanny."""
        for nanny in list(self._cluster.workers.values()):
            with suppress(Exception):
                await nanny.close(timeout=_CLOSE_TIMEOUT_S)
        for worker in self._known.values():
            _kill_with_children(worker.system)


@asynccontextmanager
async def local_cluster() -> AsyncIterator[Cluster]:
    """Start the embedded cluster; when the context ends, all its processes and files are gone.

    Raises TilescopeError with one sentence when it cannot start.
    """
    _remove_leftovers()
    _keep_interrupts_from_children()
    folder = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY_PREFIX}{psutil.Process().pid}-"))
    try:
        async with AsyncExitStack() as stack:
            try:
                cluster, client = await _start_cluster(folder, stack)
            except Exception as error:
                message = tr("The worker process cannot be started: {error}.", error=first_line(error))
                raise TilescopeError(message) from error
            local = LocalCluster(client, cluster, folder)
            stack.push_async_callback(local.stop_worker)
            yield local
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep_interrupts_from_children() -> None:
    """Block SIGINT for new processes: Ctrl+C reaches every process of the terminal, and one that is still starting
    would print a traceback.

    A process inherits the blocked signals of the thread that starts it. The resource tracker has to start first,
    because multiprocessing unblocks SIGINT in the thread that starts it.
    """
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


async def _start_cluster(folder: Path, stack: AsyncExitStack) -> tuple[Any, Any]:
    """A cluster and its client. `stack` closes both."""
    distributed = import_distributed({"temporary-directory": str(folder)})
    security = distributed.Security.temporary()  # the credentials exist in memory only
    cluster = distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        protocol="tls://",
        security=security,
        # Scheduler and worker always open an HTTP server: here on a free loopback port, and without pages.
        dashboard_address=None,
        worker_dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        memory_limit=None,
        local_directory=str(folder),
        preload=["core.engine.worker_setup"],
        env={"TILESCOPE_WORKER_LOGS": str(folder), "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", _SPIN_COUNT)},
        asynchronous=True,
    )
    stack.push_async_callback(cluster.close)
    await cluster
    client = distributed.Client(
        cluster, security=security, asynchronous=True, direct_to_workers=True, set_as_default=False
    )
    stack.push_async_callback(client.close)
    await client
    return cluster, client


def _kill_with_children(process: psutil.Process) -> None:
    """Does nothing when the process is gone, even if another process has its id now."""
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
    """Delete the folders of engines whose process was killed before it could delete them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY_PREFIX}*"):
        pid = folder.name.removeprefix(_TEMPORARY_PREFIX).split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
