"""What the dispatcher tells of workers that come and go, with a cluster that answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from core.contracts.text import EMPTY, Text
from core.engine.cluster import Cluster
from core.engine.dispatcher import Dispatcher
from core.engine.run_outcome import RunOutcome
from core.engine.run_request import RunRequest
from core.engine.state import EngineState


class Succession(Cluster):
    """Workers of which each is replaced between two looks; the last one stays."""

    poll_interval_s = 0.0
    outlives_the_engine = False
    replaces_workers = True

    def __init__(self, addresses: Iterator[str]) -> None:
        self._addresses = addresses
        self.over = asyncio.Event()

    async def addresses(self) -> frozenset[str]:
        address = next(self._addresses, None)
        if address is None:
            self.over.set()
            await asyncio.Event().wait()
        return frozenset({str(address)})

    async def run(self, address: str, request: RunRequest) -> RunOutcome | None:
        return None

    async def next_events(self, address: str, run_id: str, wait_s: float) -> list[bytes]:
        return []

    async def ask(self, address: str, function: str, *arguments: Any) -> Any:
        return ""

    async def kill(self, address: str) -> None: ...

    async def death(self, address: str) -> Text:
        return EMPTY

    def log_tail(self, address: str) -> str:
        return ""

    def no_worker(self, waited_s: float) -> Text:
        return EMPTY


def test_that_a_worker_that_is_replaced_between_two_looks_is_still_told_as_a_restart() -> None:
    states: list[EngineState] = []

    async def watch() -> None:
        cluster = Succession(iter(["worker-1", "worker-1", "worker-2", "worker-2"]))
        dispatcher = Dispatcher(
            cluster, {}, grace_s=1.0, patience_s=60.0, warm_up=False, machine="", on_state=states.append
        )
        serving = asyncio.create_task(dispatcher.serve())
        await cluster.over.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(watch())
    assert [state.phase.value for state in states] == ["ready", "restarting", "ready"]
