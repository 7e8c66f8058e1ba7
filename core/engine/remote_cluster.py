"""Workers of a scheduler that Tilescope did not start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from core.contracts.errors import TilescopeError
from core.engine.cluster import Cluster, first_line, import_distributed

_ANSWER_TIMEOUT_S = 10.0


class RemoteCluster(Cluster):
    """Workers of a scheduler that Tilescope did not start."""

    poll_interval_s = 1.0
    outlives_the_engine = True

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
        return f"at {address} disconnected"

    def log_tail(self, address: str) -> str:
        return ""

    def no_worker(self, waited_s: float) -> str:
        return (
            f"The scheduler at {self._address} has had no worker for {waited_s:g} s: start one in Tilescope's folder "
            f"with 'python -m distributed.cli.dask_worker --nthreads 1 {self._address}'."
        )


@asynccontextmanager
async def remote_cluster(address: str) -> AsyncIterator[Cluster]:
    """Connect to a scheduler ('tls://host:port' or 'tcp://host:port'; certificates come from dask's configuration).

    Raises TilescopeError with one sentence when it does not answer.
    """
    distributed = import_distributed()
    try:
        client = await distributed.Client(
            address, asynchronous=True, timeout=_ANSWER_TIMEOUT_S, set_as_default=False, name="tilescope"
        )
    except Exception as error:
        raise TilescopeError(
            f"The scheduler at {address} does not answer ({first_line(error)}): check the address, "
            "and that the scheduler is running."
        ) from error
    try:
        yield RemoteCluster(client, address)
    finally:
        await client.close()
