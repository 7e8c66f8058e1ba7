"""Workers that die or stop answering. The run ends with a sentence, and the next one finishes."""

from __future__ import annotations

import os
import signal
import time
from functools import cache
from pathlib import Path
from random import Random

from core.contracts.errors import TilescopeError
from core.contracts.events import TERMINAL, Failed, Finished, Progress
from core.engine import Engine
from tests.engine.helpers import GRACE_S, TOPICS
from tests.robustness.attempt import Attempt, Fault, why_not_clear

LIMIT_S = 60.0
RECOVERIES_S: list[float] = []
"""From the death of a worker to the next finished run, for each death whose moment is known."""

_WAYS = (
    "segfault",
    "killed",
    "exit 0",
    "exit 3",
    "killed while idle",
    "stopped",
    "hang",
    "hold-gil",
    "terminated",
    "rubbish",
    "rubbish-result",
    "leave",
    "flood, then killed",
    "interrupted",
    "wait, then killed",
    "raise",
)
_CANCELLED = ("hang", "hold-gil", "stopped", "interrupted")
_SIGNALS = {"terminated": signal.SIGTERM, "interrupted": signal.SIGINT, "stopped": signal.SIGSTOP}


def attempts(number: int, rng: Random, folder: Path) -> Attempt:
    way = _WAYS[number % len(_WAYS)]
    return Attempt(way, lambda: _lose_worker(way, rng), limit_s=3 * LIMIT_S)


def _lose_worker(way: str, rng: Random) -> None:
    engine = _engine()
    pid = int(_finished(engine))
    if way == "killed while idle":
        os.kill(pid, signal.SIGKILL)
        died_at: float | None = time.monotonic()
        _answer(engine)  # it may reach the worker while it dies
    else:
        died_at = _run(engine, way, pid, rng)
    _finished(engine)
    if died_at is not None:
        RECOVERIES_S.append(time.monotonic() - died_at)


def _run(engine: Engine, way: str, pid: int, rng: Random) -> float | None:
    """A run that loses its worker; returns when, if that is known."""
    is_signalled = "killed" in way or way in _SIGNALS
    act, _, count = way.partition(" ")
    if is_signalled:
        act = way.partition(",")[0] if "," in way else "wait"
        count = "100000" if act == "flood" else ""
    run = engine.submit("trouble", {"act": act, **({"count": int(count)} if count else {})}, "cpu")
    died_at, ending = None, None
    try:
        for event in run.stream(LIMIT_S):
            if isinstance(event, Progress) and died_at is None:
                died_at = time.monotonic()
                if is_signalled:
                    time.sleep(rng.random() * 0.1)
                    died_at = time.monotonic()
                    os.kill(pid, _SIGNALS.get(way, signal.SIGKILL))
                if way in _CANCELLED:
                    run.cancel()
            if isinstance(event, TERMINAL):
                ending = event
    except TimeoutError:
        raise Fault(f"no answer within {LIMIT_S:.0f} s") from None
    if isinstance(ending, Finished):
        raise Fault("a run whose worker died has finished")
    problem = why_not_clear(str(ending.sentence)) if isinstance(ending, Failed) else ""
    if problem:
        raise Fault(problem)
    return None if way in (*_CANCELLED, "raise", "rubbish", "rubbish-result", "leave") else died_at


def _answer(engine: Engine) -> None:
    """A small run that finishes or fails with a sentence."""
    try:
        engine.submit("trouble", {"act": "finish"}, "cpu").result(LIMIT_S)
    except TimeoutError:
        raise Fault(f"no answer within {LIMIT_S:.0f} s") from None
    except TilescopeError as error:
        problem = why_not_clear(error.sentence)
        if problem:
            raise Fault(problem) from None


def _finished(engine: Engine) -> float:
    """The id of the process in which a small run finishes."""
    try:
        return engine.submit("trouble", {"act": "finish"}, "cpu").result(LIMIT_S).value("pid")
    except (TilescopeError, TimeoutError) as error:
        raise Fault(f"the next run did not finish: {error}") from None


@cache
def _engine() -> Engine:
    engine = Engine(topics=TOPICS, warm_up=False, grace_s=GRACE_S)
    engine.start()
    return engine


def close() -> None:
    _engine().close()
    _engine.cache_clear()
