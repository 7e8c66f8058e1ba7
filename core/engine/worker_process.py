"""The main program of a local worker process: offers the functions of the worker module to the engine."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from core.engine import isolation, worker_setup
from core.engine.pipe_server import Function, PipeServer, take_pipes

_COROUTINES = ("request_cancel", "warm_up", "warm_up_over")


def main() -> None:
    """Serve the engine until it is gone.

    Argument: the packages of topics, as JSON, that run the user's code and will be wanted first. The process for such
    code imports torch while this one imports the rest.
    """
    requests, answers = take_pipes()
    worker_setup.set_up()
    wanted_first = json.loads(sys.argv[2])
    if wanted_first and isolation.IS_SUPPORTED:
        isolation.OF_THIS_PROCESS.prepare(wanted_first)
    functions: dict[str, Function] = {
        "run_experiment": _Experiments().run,
        "next_events": _next_events,
        **{name: partial(_value_of, name) for name in _COROUTINES},
    }
    asyncio.run(PipeServer(requests, answers, functions).serve())


class _Experiments:
    """One at a time, in a thread, so that the loop can answer meanwhile."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "experiment")

    async def run(self, *arguments: Any) -> tuple[bool, Sequence[bytes]]:
        run_experiment: Callable[..., Any] = _worker().run_experiment
        outcome = await asyncio.get_running_loop().run_in_executor(self._thread, run_experiment, *arguments)
        return outcome.worker_is_unusable, outcome.events


async def _next_events(run_id: str, wait_s: float) -> tuple[None, Sequence[bytes]]:
    return None, await _worker().next_events(run_id, wait_s)


async def _value_of(function: str, *arguments: Any) -> tuple[Any, Sequence[bytes]]:
    return await getattr(_worker(), function)(*arguments), ()


def _worker() -> Any:
    """The worker module, imported with the first request: the process is up before that."""
    from core.engine import worker

    return worker
