"""One attempt: work that must end in time, with a result or with one clear sentence."""

from __future__ import annotations

import resource
import signal
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from types import FrameType
from typing import Any

from core.contracts.errors import TilescopeError

LIMIT_S = 20.0
"""For one attempt, on a busy machine."""

_MAX_SENTENCE = 1_500
_MAX_GROWTH_BYTES = 2 << 30


class Fault(Exception):
    """What was promised does not hold. Its text says how."""


class _Late(BaseException):
    """The work did not end in time. Not an Exception, so that the work does not handle it."""


@dataclass(frozen=True)
class Attempt:
    """`work` returns, or raises one of `allowed`, which is an answer too. Anything else is a fault."""

    name: str
    work: Callable[[], Any]
    allowed: tuple[type[Exception], ...] = (TilescopeError,)
    limit_s: float = LIMIT_S


@dataclass
class Row:
    """The outcome of a kind."""

    kind: str
    tried: int = 0
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""
    elapsed_s: float = 0.0

    @property
    def answered(self) -> int:
        return self.tried - len(self.faults)

    def add(self, number: int, name: str, seconds: float, fault: str) -> None:
        self.tried += 1
        if seconds > self.slowest_s:
            self.slowest_s, self.slowest = seconds, f"{number} ({name})"
        if fault:
            self.faults.append(f"{self.kind} {number} ({name}): {fault}")


def random_of(seed: int, kind: str, number: int) -> Random:
    """The random numbers of one attempt: the same in every run, whatever was tried before it."""
    return Random(f"{seed}:{kind}:{number}")


def fault_of(attempt: Attempt) -> str:
    """Why the attempt is a fault; '' if it was answered."""
    peak = _peak_bytes()
    started = time.monotonic()
    try:
        with _limited(attempt.limit_s):
            attempt.work()
    except Fault as fault:
        return str(fault)
    except _Late:
        return f"no answer after {attempt.limit_s:.0f} s"
    except attempt.allowed as error:
        if isinstance(error, TilescopeError):
            problem = why_not_clear(error.sentence)
            if problem:
                return problem
    except BaseException as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:120]} ({frame.filename.rpartition('/')[2]}:{frame.lineno})"
    seconds = time.monotonic() - started
    if seconds > attempt.limit_s:
        return f"answered after {seconds:.0f} s"
    growth = _peak_bytes() - peak
    return f"took {growth / 2**30:.1f} GB of memory" if growth > _MAX_GROWTH_BYTES else ""


def why_not_clear(sentence: str) -> str:
    """Why the text cannot be shown to a user as it is; '' if it can."""
    if not sentence.strip():
        return "an error without a sentence"
    if len(sentence) > _MAX_SENTENCE:
        return f"a sentence of {len(sentence):,} characters: {sentence[:80]!r}"
    if "Traceback (most recent call last)" in sentence:
        return "a traceback in the place of a sentence"
    unclean = next((c for c in sentence if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cs")), "")
    return f"a sentence with the control character {unclean!r}: {sentence[:120]!r}" if unclean else ""


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Interrupts what blocks or loops. A call into C that does not return is only found late, when it returns."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _Late

    handler = signal.signal(signal.SIGALRM, interrupt)
    remaining, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    started = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if remaining:  # the time limit of the test that runs this
            signal.setitimer(signal.ITIMER_REAL, max(0.1, remaining - (time.monotonic() - started)))
