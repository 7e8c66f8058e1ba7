"""Starts the engine's processes, and ends them with all that they started."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psutil

_LOOK_EVERY_S = 0.01
_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from {module} import main; main()"
"""With the paths of this process, so that every process imports the same Tilescope, from any folder. With -P, a file of
that folder cannot take the place of json."""


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs `main` of a module; it finds the arguments from `sys.argv[2]` on."""
    return [sys.executable, "-P", "-c", _PROGRAM.format(module=module), json.dumps(sys.path), *arguments]


async def start(module: str, environment: Mapping[str, str], *arguments: str) -> Process:
    """Run `main` of a module in a new process that is connected by pipes. Raises OSError where there can be none."""
    with _interrupts_kept_from_children():
        return await asyncio.create_subprocess_exec(
            *command(module, *arguments), env=dict(environment), stdin=PIPE, stdout=PIPE
        )


async def end(process: Process, timeout_s: float) -> None:
    """Wait for a process whose stdin is closed; after a while, kill it. What it started ends in any case."""
    try:
        if process.returncode is None:  # else its number may be that of another process by now
            await _end_with_children(process, timeout_s)
    finally:
        # It may have ended before its stdout: the pipe would be closed when the loop is gone, which fails. asyncio has
        # no public way to close it.
        process._transport.close()  # type: ignore[attr-defined]
        await asyncio.sleep(0)


async def _end_with_children(process: Process, timeout_s: float) -> None:
    children = children_of(process.pid)
    try:
        await asyncio.wait_for(_exit_of(process), timeout_s)
    except TimeoutError:
        kill_with_children(process.pid)
        await _exit_of(process)
    for child in children:
        with suppress(psutil.Error):
            child.kill()


async def _exit_of(process: Process) -> None:
    """Return once the process has ended. `Process.wait` waits for its pipes too, which another process may hold."""
    while process.returncode is None:
        await asyncio.sleep(_LOOK_EVERY_S)


def kill_with_children(pid: int) -> None:
    """Does nothing when the process is gone."""
    with suppress(psutil.Error):
        for child in children_of(pid):
            with suppress(psutil.Error):
                child.kill()
        psutil.Process(pid).kill()


def children_of(pid: int) -> list[psutil.Process]:
    """Every process that it started, directly or not; [] when it is gone."""
    try:
        children: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
    return children


@contextmanager
def _interrupts_kept_from_children() -> Iterator[None]:
    """Block SIGINT for processes that start within: Ctrl+C reaches every process of the terminal, and one that is still
    starting would print a traceback. A process inherits the blocked signals of the thread that starts it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
