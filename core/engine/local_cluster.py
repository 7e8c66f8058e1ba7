"""The embedded cluster: one worker process on this machine, which speaks over pipes and opens no port."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.engine import processes
from core.engine.cluster import Cluster
from core.engine.exit_reason import exit_reason
from core.engine.log_tail import tail_of
from core.engine.run_outcome import RunOutcome
from core.engine.run_request import RunRequest
from core.engine.worker_link import WorkerGone, WorkerLink
from core.files import reason_of

_CLOSE_TIMEOUT_S = 0.3
"""How long an idle worker may take to exit when the engine closes; it is killed after that."""

_EXIT_TIMEOUT_S = 1.0
"""How long a worker that no longer answers may take to exit; it is killed after that."""

_RESTART_PAUSE_S = 0.2
_SPIN_COUNT = "1000"
"""How often an idle OpenMP thread checks for work before it sleeps. The default spins for milliseconds: on a busy
machine, that takes the core away from the thread that it waits for."""

_KEPT_LOGS = 4
_TEMPORARY_PREFIX = "tilescope-engine-"


class LocalCluster(Cluster):
    """One worker process with one experiment at a time. One that dies is replaced at once.

    There is no memory limit, since an experiment may well need a third of the memory for a second. A run that cannot
    fit is rejected before it starts (Topic.check). If the OOM killer of the operating system has to act, it kills the
    worker (worker_setup), not the window.
    """

    poll_interval_s = 0.1
    outlives_the_engine = False
    replaces_workers = True

    def __init__(self, folder: Path, wanted_first: Mapping[str, str]) -> None:
        self._folder, self._wanted_first = folder, dict(wanted_first)
        self._link: WorkerLink | None = None
        self._started = 0
        self._exit_codes: dict[str, int | None] = {}
        self._logs: dict[str, Path] = {}

    async def start_worker(self) -> None:
        """Start a worker process. Raises OSError where the system allows none."""
        environment = {
            **os.environ,
            "TILESCOPE_WORKER_LOGS": str(self._folder),
            "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", _SPIN_COUNT),
        }
        process = await processes.start("core.engine.worker_process", environment, json.dumps(self._wanted_first))
        self._started += 1
        self._link = WorkerLink(f"worker-{self._started}", process)
        self._logs[self._link.address] = self._folder / f"worker-{process.pid}.log"
        if len(self._logs) > _KEPT_LOGS:
            self._logs.pop(next(iter(self._logs))).unlink(missing_ok=True)

    async def keep_a_worker(self) -> None:
        """Replace each worker that dies, until cancelled."""
        while True:
            assert self._link is not None
            link = self._link
            await link.closed()
            await processes.end(link.process, _EXIT_TIMEOUT_S)
            link.close()
            self._exit_codes = {link.address: link.process.returncode}
            if not link.was_ready:
                await asyncio.sleep(_RESTART_PAUSE_S)  # one that cannot start is not tried as fast as it fails
            try:
                await self.start_worker()
            except OSError:
                await asyncio.sleep(_RESTART_PAUSE_S)  # the system allows no process now

    async def addresses(self) -> frozenset[str]:
        link = self._link
        return frozenset() if link is None or not link.is_usable else frozenset({link.address})

    async def run(self, address: str, request: RunRequest) -> RunOutcome | None:
        try:
            is_unusable, events = await self._of(address).call("run_experiment", request.as_json())
        except WorkerGone:
            return None
        return RunOutcome(tuple(events), bool(is_unusable))

    async def next_events(self, address: str, run_id: str, wait_s: float) -> list[bytes]:
        _, events = await self._of(address).call("next_events", run_id, wait_s)
        return events

    async def ask(self, address: str, function: str, *arguments: Any) -> Any:
        value, _ = await self._of(address).call(function, *arguments)
        return value

    async def kill(self, address: str) -> None:
        with suppress(WorkerGone):
            link = self._of(address)
            link.is_ending = True
            if link.process.returncode is None:
                processes.kill_with_children(link.process.pid)

    async def death(self, address: str) -> Text:
        for _ in range(50):
            if address in self._exit_codes:
                break
            await asyncio.sleep(0.02)
        return exit_reason(self._exit_codes.get(address))

    def log_tail(self, address: str) -> str:
        return tail_of(self._logs[address]) if address in self._logs else ""

    def no_worker(self, waited_s: float) -> Text:
        return tr(
            "No worker process started within {seconds:g} s, so nothing can run: close other programs to free memory "
            "and start Tilescope again.",
            seconds=waited_s,
        )

    async def stop_worker(self) -> None:
        """End the worker process."""
        if self._link is not None:
            self._link.close()
            await processes.end(self._link.process, _CLOSE_TIMEOUT_S)

    def _of(self, address: str) -> WorkerLink:
        if self._link is None or self._link.address != address:
            raise WorkerGone
        return self._link


@asynccontextmanager
async def local_cluster(wanted_first: Mapping[str, str]) -> AsyncIterator[Cluster]:
    """Start the embedded cluster; when the context ends, all its processes and files are gone. Workers prepare at once
    for the user's code of the topics `wanted_first`, given with their packages.

    Raises TilescopeError with one sentence when it cannot start.
    """
    _remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY_PREFIX}{os.getpid()}-"))
    cluster = LocalCluster(folder, wanted_first)
    try:
        try:
            await cluster.start_worker()
        except OSError as error:
            message = tr("The worker process cannot be started: {error}.", error=reason_of(error))
            raise TilescopeError(message) from error
        replacing = asyncio.create_task(cluster.keep_a_worker())
        try:
            yield cluster
        finally:
            replacing.cancel()
            await asyncio.gather(replacing, return_exceptions=True)
            await cluster.stop_worker()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers() -> None:
    """Delete the folders of engines whose process was killed before it could delete them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY_PREFIX}*"):
        pid = folder.name.removeprefix(_TEMPORARY_PREFIX).split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
