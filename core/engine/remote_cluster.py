"""Workers of a scheduler that Tilescope did not start, reached through a gateway process."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr, verbatim
from core.engine import credentials, processes
from core.engine.addresses import SchedulerAddress
from core.engine.cluster import Cluster
from core.engine.reachability import check_reachable
from core.engine.run_outcome import RunOutcome
from core.engine.run_request import RunRequest
from core.engine.worker_link import WorkerGone, WorkerLink
from core.installation import command
from core.outside import first_line

_CLOSE_TIMEOUT_S = 2.0
_ANSWER_TIMEOUT_S = 20.0
"""Longer than the gateway waits for the scheduler. It unpickles what workers send, so it may never answer."""


class RemoteCluster(Cluster):
    """Workers of a scheduler that Tilescope did not start. Only the gateway process speaks with it."""

    poll_interval_s = 1.0
    outlives_the_engine = True
    replaces_workers = False

    def __init__(self, gateway: WorkerLink, address: str) -> None:
        self._gateway = gateway
        self._address = address

    async def addresses(self) -> frozenset[str]:
        try:
            addresses, _ = await asyncio.wait_for(self._gateway.call("addresses"), _ANSWER_TIMEOUT_S)
        except (WorkerGone, RuntimeError, TimeoutError):
            addresses = None
        if addresses is None:
            raise TilescopeError(
                tr(
                    "The scheduler at {address} no longer answers: check that it is running, and run again.",
                    address=self._address,
                )
            )
        return frozenset(map(str, addresses))

    async def run(self, address: str, request: RunRequest) -> RunOutcome | None:
        try:
            is_unusable, events = await self._gateway.call("run", address, request.as_json())
        except WorkerGone:
            return None
        return None if is_unusable is None else RunOutcome(tuple(events), bool(is_unusable))

    async def next_events(self, address: str, run_id: str, wait_s: float) -> list[bytes]:
        _, events = await self._gateway.call("next_events", address, run_id, wait_s)
        return events

    async def ask(self, address: str, function: str, *arguments: Any) -> Any:
        value, _ = await self._gateway.call("ask", address, function, *arguments)
        return value

    async def kill(self, address: str) -> None:
        await asyncio.wait_for(self._gateway.call("kill", address), _ANSWER_TIMEOUT_S)

    async def death(self, address: str) -> Text:
        await self.addresses()  # raises where it is the scheduler that is gone, and with it every worker
        return tr("The worker at {address} disconnected", address=address)

    def log_tail(self, address: str) -> str:
        return ""

    def no_worker(self, waited_s: float) -> Text:
        option = "" if self._address.startswith("tls://") else " --insecure"
        return tr(
            "The scheduler at {address} has had no worker for {seconds:g} s: start one with '{command}'.",
            address=self._address,
            seconds=waited_s,
            command=command(f"worker {self._address}{option}"),
        )


@asynccontextmanager
async def remote_cluster(address: SchedulerAddress) -> AsyncIterator[Cluster]:
    """Connect to a scheduler. Raises TilescopeError with one sentence when there are no credentials or no answer."""
    async with gateway_to(address) as gateway:
        yield RemoteCluster(gateway, address.url)


@asynccontextmanager
async def gateway_to(address: SchedulerAddress) -> AsyncIterator[WorkerLink]:
    """A gateway process that is connected to a scheduler. Raises TilescopeError as `remote_cluster` does."""
    await check_reachable(address)
    folder = address.credentials or credentials.default_folder()
    gateway = WorkerLink("gateway", await processes.start("core.engine.gateway", os.environ))
    try:
        try:
            problem, _ = await gateway.call("connect", address.url, str(folder))
        except (WorkerGone, RuntimeError) as error:
            problem = first_line(error) or type(error).__name__
        if problem is not None:
            raise TilescopeError(address.no_answer(verbatim(problem)))
        yield gateway
    finally:
        with suppress(WorkerGone, RuntimeError, TimeoutError):
            await asyncio.wait_for(gateway.call("close"), _CLOSE_TIMEOUT_S)
        gateway.close()
        await processes.end(gateway.process, _CLOSE_TIMEOUT_S)
