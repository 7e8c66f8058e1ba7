"""The main program of a local worker process: calls functions of the worker module as the engine asks.

Requests come on standard input and answers leave on standard output, as messages (`core.engine.frames`), so the process
opens no port. A request is `{"id", "call", "arguments"}`, an answer `{"id", "value"}` or `{"id", "error"}`, where bytes
are frames. The process ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

from core.engine import frames, worker_setup

COROUTINES = ("next_events", "request_cancel", "warm_up", "warm_up_over")
"""Functions of the worker module that the engine may call besides `run_experiment`, which takes a thread."""


def main() -> None:
    """Serve the engine until it is gone."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    worker_setup.set_up()
    asyncio.run(_serve(requests, answers))


async def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    loop = asyncio.get_running_loop()
    server = _Server(answers)
    server.send({"ready": os.getpid()}, ())
    tasks: set[asyncio.Task[None]] = set()

    def start(header: dict[str, Any]) -> None:
        task = loop.create_task(server.answer(header))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    threading.Thread(target=_read, args=(requests, loop, start), name="requests", daemon=True).start()
    await asyncio.Event().wait()


def _read(requests: BinaryIO, loop: asyncio.AbstractEventLoop, start: Callable[[dict[str, Any]], None]) -> None:
    """Read requests in a thread: a pipe cannot be read on an event loop on every system."""
    try:
        while True:
            header, _ = frames.read(lambda size: _exactly(requests, size))
            loop.call_soon_threadsafe(start, header)
    except (EOFError, OSError, ValueError):
        os._exit(0)  # the engine is gone; a thread that still computes must not hold the process


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


class _Server:
    """Answers requests: coroutines of the worker module on the loop, experiments in a thread."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._experiments = ThreadPoolExecutor(1, "experiment")
        self._write = threading.Lock()

    async def answer(self, header: dict[str, Any]) -> None:
        try:
            value, payload = await self._call(header["call"], header["arguments"])
        except Exception as error:
            self.send({"id": header.get("id"), "error": f"{type(error).__name__}: {error}"}, ())
        else:
            self.send({"id": header["id"], "value": value}, payload)

    async def _call(self, function: str, arguments: list[Any]) -> tuple[Any, tuple[bytes, ...]]:
        from core.engine import worker  # here, so that the process is up before the imports of its first run

        if function == "run_experiment":
            loop = asyncio.get_running_loop()
            outcome = await loop.run_in_executor(self._experiments, worker.run_experiment, *arguments)
            return outcome.worker_is_unusable, outcome.events
        if function not in COROUTINES:
            raise ValueError(f"there is no function {function!r}")
        value = await getattr(worker, function)(*arguments)
        return (None, tuple(value)) if function == "next_events" else (value, ())

    def send(self, header: dict[str, Any], payload: tuple[bytes, ...]) -> None:
        with self._write:
            for part in frames.pack(header, payload):
                self._answers.write(part)
            self._answers.flush()


if __name__ == "__main__":
    main()
