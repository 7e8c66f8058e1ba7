"""The engine's end of the pipes to one worker process."""

from __future__ import annotations

import asyncio
import itertools
from asyncio.subprocess import Process
from contextlib import suppress
from typing import Any

from core.engine import frames

Answer = tuple[Any, list[bytes]]


class WorkerGone(Exception):
    """The worker ended, or sent something that is not a message."""


class WorkerLink:
    """Calls functions in the worker and matches their answers, which may arrive in any order.

    A worker is usable from its first message until its standard output ends.
    """

    def __init__(self, address: str, process: Process) -> None:
        self.address = address
        self.process = process
        self.was_ready = False
        self.is_ending = False
        """Set by whoever kills the process: it takes no more calls, although it may still be there."""
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._reading = asyncio.create_task(self._read())

    @property
    def is_usable(self) -> bool:
        return self.was_ready and not self.is_ending and not self._reading.done()

    async def closed(self) -> None:
        """Returns when the worker sends nothing more."""
        await asyncio.wait({self._reading})

    async def call(self, function: str, *arguments: Any) -> Answer:
        """The value and the bytes that the function returns. Raises WorkerGone, or RuntimeError with its error."""
        if self._reading.done():
            raise WorkerGone
        assert self.process.stdin is not None
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self.process.stdin.writelines(frames.pack({"id": number, "call": function, "arguments": arguments}))
            await self.process.stdin.drain()
            value, payload = await answer
            return value, payload
        except OSError as error:
            raise WorkerGone from error
        finally:
            self._waiting.pop(number, None)
            if answer.done() and not answer.cancelled():
                answer.exception()  # both ends of the pipe may fail at once: one error is enough

    def close(self) -> None:
        """Close the pipes: a worker that waits for requests ends."""
        self._reading.cancel()
        if self.process.stdin is not None:
            with suppress(OSError):
                self.process.stdin.close()
        self._fail_waiting()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while True:
                header, payload = await frames.read_async(self.process.stdout.readexactly)
                self.was_ready = True
                self._deliver(header, payload)
        except (EOFError, OSError, ValueError):
            pass
        finally:
            self._fail_waiting()

    def _deliver(self, header: dict[str, Any], payload: list[bytes]) -> None:
        answer = self._waiting.get(header.get("id", 0)) if isinstance(header.get("id", 0), int) else None
        if answer is None or answer.done():
            return
        if "error" in header:
            answer.set_exception(RuntimeError(str(header["error"])))
        else:
            answer.set_result((header.get("value"), payload))

    def _fail_waiting(self) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(WorkerGone())
