"""Workers of a scheduler that Tilescope did not start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.engine.cluster import Cluster, first_line
from core.engine.distributed_setup import import_distributed
from core.engine.remote import call, call_async
from core.engine.run_outcome import RunOutcome

_ANSWER_TIMEOUT_S = 10.0


class RemoteCluster(Cluster):
    """Workers of a scheduler that Tilescope did not start."""

    poll_interval_s = 1.0
    outlives_the_engine = True

    def __init__(self, client: Any, address: str) -> None:
        self.client = client
        self._address = address

    async def addresses(self) -> frozenset[str]:
        try:
            identity = await asyncio.wait_for(self.client.scheduler.identity(n_workers=-1), _ANSWER_TIMEOUT_S)
        except (OSError, TimeoutError) as error:
            message = tr("The scheduler at {address} no longer answers.", address=self._address)
            raise TilescopeError(message) from error
        return frozenset(identity["workers"])

    async def run(
        self, address: str, run_id: str, topic_id: str, package: str, params: Mapping[str, Any], device: str
    ) -> RunOutcome | None:
        arguments = ("run_experiment", run_id, topic_id, package, params, device)
        future = self.client.submit(
            call, *arguments, key=f"tilescope-{run_id}", workers=[address], pure=False, retries=0
        )
        try:
            outcome: RunOutcome = await future
        except Exception as error:
            if type(error).__name__ in ("KilledWorker", "FutureCancelledError"):
                return None
            raise
        finally:
            # A scheduler that allows retries would run the task again elsewhere.
            with suppress(Exception):
                await future.cancel()
        return outcome

    async def ask(self, address: str, function: str, *arguments: Any) -> Any:
        answers = await self.client.run(call_async, function, *arguments, workers=[address])
        return answers[address]

    async def kill(self, address: str) -> None:
        await self.client.restart_workers([address], raise_for_error=False)

    async def death(self, address: str) -> Text:
        return tr("The worker at {address} disconnected", address=address)

    def log_tail(self, address: str) -> str:
        return ""

    def no_worker(self, waited_s: float) -> Text:
        return tr(
            "The scheduler at {address} has had no worker for {seconds:g} s: start one in Tilescope's folder with "
            "'python -m distributed.cli.dask_worker --nthreads 1 {address}'.",
            address=self._address,
            seconds=waited_s,
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
            tr(
                "The scheduler at {address} does not answer ({error}): check the address, and that the scheduler is "
                "running.",
                address=address,
                error=first_line(error),
            )
        ) from error
    try:
        yield RemoteCluster(client, address)
    finally:
        await client.close()
