"""A process between the engine and a scheduler of distributed: only here are answers of remote workers unpickled.

Distributed unpickles what arrives, and a worker may send anything. The window's process gets the bytes of events from
here, and nothing else.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.engine import credentials as tls
from core.engine.distributed_setup import import_distributed
from core.engine.pipe_server import PipeServer, take_pipes
from core.engine.remote import call, call_async
from core.engine.worker_facts import WorkerFacts
from core.outside import first_line

ANSWER_TIMEOUT_S = 10.0
_MOST_WORKERS = 200
"""Whose facts are asked for."""
_DEATHS = ("KilledWorker", "FutureCancelledError")

Answer = tuple[Any, Sequence[bytes]]


def main() -> None:
    """Serve the engine until it is gone."""
    requests, answers = take_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gateway = _Gateway()
    names = ("connect", "addresses", "facts", "run", "ask", "next_events", "kill", "close")
    functions = {name: getattr(gateway, name) for name in names}
    asyncio.run(PipeServer(requests, answers, functions).serve())


class _Gateway:
    """One client of one scheduler."""

    def __init__(self) -> None:
        self._client: Any = None

    async def connect(self, address: str, credentials: str) -> Answer:
        """None, or one line that says why the scheduler does not answer. `credentials` is their folder."""
        distributed = import_distributed()
        security = tls.security(distributed, Path(credentials)) if address.startswith("tls://") else None
        try:
            self._client = await distributed.Client(
                address,
                asynchronous=True,
                timeout=ANSWER_TIMEOUT_S,
                set_as_default=False,
                name="tilescope",
                security=security,
            )
        except Exception as error:
            return first_line(error) or type(error).__name__, ()
        return None, ()

    async def addresses(self) -> Answer:
        """The workers, or None when the scheduler no longer answers."""
        try:
            identity = await asyncio.wait_for(self._client.scheduler.identity(n_workers=-1), ANSWER_TIMEOUT_S)
        except (OSError, TimeoutError):
            return None, ()
        return list(identity["workers"]), ()

    async def facts(self) -> Answer:
        """By worker, {"facts": its WorkerFacts as JSON}, or {"error": the kind of error or one line}."""
        identity = await asyncio.wait_for(self._client.scheduler.identity(n_workers=-1), ANSWER_TIMEOUT_S)
        workers = list(identity["workers"])[:_MOST_WORKERS]
        return dict(zip(workers, await asyncio.gather(*map(self._facts_of, workers)), strict=True)), ()

    async def _facts_of(self, address: str) -> dict[str, Any]:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answers = await self._client.run(call_async, "facts", workers=[address])
            return {"facts": WorkerFacts.model_validate(answers[address]).model_dump(mode="json")}
        except (TimeoutError, ImportError, AttributeError, TypeError) as error:
            return {"error": type(error).__name__}
        except Exception as error:
            return {"error": first_line(error) or type(error).__name__}

    async def run(self, address: str, request: Mapping[str, Any]) -> Answer:
        """Whether the worker is unusable afterwards, with the packed events; None when it died."""
        key = f"tilescope-{request['id']}"
        future = self._client.submit(call, "run_experiment", request, key=key, workers=[address], pure=False, retries=0)
        try:
            outcome = await future
        except Exception as error:
            if type(error).__name__ in _DEATHS:
                return None, ()
            raise
        finally:
            # A scheduler that allows retries would run the task again elsewhere.
            with suppress(Exception):
                await future.cancel()
        return bool(outcome.worker_is_unusable), _checked(outcome.events)

    async def ask(self, address: str, function: str, *arguments: Any) -> Answer:
        answers = await self._client.run(call_async, function, *arguments, workers=[address])
        return answers[address], ()

    async def next_events(self, address: str, run_id: str, wait_s: float) -> Answer:
        answers = await self._client.run(call_async, "next_events", run_id, wait_s, workers=[address])
        return None, _checked(answers[address])

    async def kill(self, address: str) -> Answer:
        await self._client.restart_workers([address], raise_for_error=False)
        return None, ()

    async def close(self) -> Answer:
        if self._client is not None:
            await self._client.close()
        return None, ()


def _checked(events: Any) -> list[bytes]:
    """The packed events of a worker, which may have sent anything. Raises TypeError for what they are not."""
    packed = [event for event in events if type(event) is bytes]
    if len(packed) < len(events):
        raise TypeError("the worker sent something that is not an event")
    return packed
