"""The application is killed in the middle of a run: no process survives it, and no stored run is lost.

All attempts share one data folder, so that each start also opens what the killed one left.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from shutil import rmtree
from uuid import uuid4

import psutil

from core.engine.history import History
from tests.robustness.attempt import Attempt, Fault

ROOT = Path(__file__).resolve().parents[2]
MARK = "TILESCOPE_TEST_SESSION"
START_S = 240.0
END_S = 10.0
"""Within this time the processes of a killed application are gone."""

_stored = 0
"""Runs that killed windows have shown as stored, all together."""


def attempts(number: int, rng: Random, folder: Path) -> Attempt:
    """Three windows, then a command; killed while it starts, at a random time, or right after a run was stored."""
    if number % 4 == 3:
        return Attempt("command", lambda: _kill_command(rng), limit_s=2 * START_S)
    when = ("starting", "running", "stored")[number % 4]
    return Attempt(f"window, {when}", lambda: _kill_window(when, rng), limit_s=2 * START_S)


def _kill_window(when: str, rng: Random) -> None:
    global _stored
    with _started("-m", "tests.robustness.victim") as (process, session):
        runs = {"starting": 0, "running": rng.randint(0, 2), "stored": rng.randint(1, 3)}[when]
        if when == "starting":
            time.sleep(rng.random() * 3.0)
        else:
            _wait_for_line(process, f"kept {runs}" if runs else "open")
            if when == "running":
                time.sleep(rng.random() * 2.0)
        lines = _kill(process, session)
        _stored += max([runs, *(int(line.split()[1]) for line in lines if line.startswith("kept "))])
    _check_history()


def _kill_command(rng: Random) -> None:
    small = ("--set", "seq_len=64", "--set", "heads=1", "--set", "kv_heads=1", "--set", "head_dim=32")
    with _started("main.py", "run", "flash-attention", *small, "--device", "cpu") as (process, session):
        time.sleep(rng.random() * 6.0)
        _kill(process, session)


class _started:  # noqa: N801
    """A process of the application, with its own settings, and a mark that everything it starts inherits."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        session, home = uuid4().hex, str(_home())
        folders = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TILESCOPE_DATA_DIR")
        environment = {**os.environ, **dict.fromkeys(folders, home), MARK: session, "QT_QPA_PLATFORM": "offscreen"}
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        return self._process, session

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _wait_for_line(process: subprocess.Popen[bytes], expected: str) -> None:
    assert process.stdout is not None
    deadline = time.monotonic() + START_S
    printed = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            data = os.read(process.stdout.fileno(), 4096)
            if not data:
                raise Fault(f"the application ended with code {process.wait()} before it was killed")
            printed += data
            if f"{expected}\n".encode() in printed:
                return
    raise Fault(f"the application said {printed!r} and not {expected!r} within {START_S:.0f} s")


def _kill(process: subprocess.Popen[bytes], session: str) -> list[str]:
    """Kill the application, not what it started; returns what it had still printed."""
    if process.poll() not in (None, 0):
        raise Fault(f"the application ended with code {process.returncode} before it was killed")
    process.kill()
    process.wait()
    deadline = time.monotonic() + END_S
    while survivors := _processes_of(session):
        if time.monotonic() > deadline:
            for survivor in survivors:
                with suppress(psutil.Error):
                    survivor.kill()
            raise Fault(f"{len(survivors)} processes survived, such as {survivors[0]}")
        time.sleep(0.1)
    assert process.stdout is not None
    return process.stdout.read().decode().splitlines()


def _processes_of(session: str) -> list[psutil.Process]:
    marked = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == session:
                marked.append(process)
    return marked


def _check_history() -> None:
    path = _home() / "history.sqlite3"
    if not path.exists():
        if _stored:
            raise Fault("the history is gone")
        return
    history = History(path)
    listing = history.listing(limit=100_000)
    if history.notice or listing.unreadable:
        raise Fault(f"the history is damaged: {history.notice}, {listing.unreadable} unreadable")
    if len(listing.entries) < _stored:
        raise Fault(f"{_stored - len(listing.entries)} of {_stored} stored runs are lost")
    for entry in listing.entries[:3]:
        history.load(entry.id)


@cache
def _home() -> Path:
    return Path(tempfile.mkdtemp(prefix="tilescope-home-"))


def close() -> None:
    global _stored
    _stored = 0
    rmtree(_home(), ignore_errors=True)
    _home.cache_clear()
