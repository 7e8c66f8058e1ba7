"""The far end of the engine's pipes: a process that calls functions as the engine asks.

Requests come on standard input and answers leave on standard output, as messages (`core.engine.frames`), so the process
opens no port. A request is `{"id", "call", "arguments"}`, an answer `{"id", "value"}` or `{"id", "error"}`, and bytes
are frames. The process ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, BinaryIO

from core.engine import frames

Function = Callable[..., Awaitable[tuple[Any, Sequence[bytes]]]]
"""A coroutine function that returns a JSON value and bytes."""

_MAX_ERROR = 100_000


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for the messages alone: what the process reads and prints goes elsewhere."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return requests, answers


class PipeServer:
    """Answers requests concurrently, on the event loop of `serve`."""

    def __init__(self, requests: BinaryIO, answers: BinaryIO, functions: Mapping[str, Function]) -> None:
        self._requests, self._answers = requests, answers
        self._functions = functions
        self._write = threading.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Until the process ends."""
        self._send(frames.pack({"ready": os.getpid()}))
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="requests", daemon=True).start()
        await asyncio.Event().wait()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read requests in a thread: a pipe cannot be read on an event loop on every system."""
        try:
            while True:
                header, _ = frames.read(self._exactly)
                loop.call_soon_threadsafe(self._start, header)
        except (EOFError, OSError, ValueError):
            os._exit(0)  # the engine is gone; a thread that still computes must not hold the process

    def _exactly(self, size: int) -> bytes:
        data = self._requests.read(size)
        if len(data) < size:
            raise EOFError
        return data

    def _start(self, header: dict[str, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(header))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, header: dict[str, Any]) -> None:
        try:
            value, payload = await self._functions[header["call"]](*header["arguments"])
            parts = frames.pack({"id": header["id"], "value": value}, payload)
        except Exception as error:
            parts = frames.pack({"id": header.get("id"), "error": f"{type(error).__name__}: {error}"[:_MAX_ERROR]})
        self._send(parts)

    def _send(self, parts: Sequence[bytes]) -> None:
        with self._write:
            for part in parts:
                self._answers.write(part)
            self._answers.flush()
