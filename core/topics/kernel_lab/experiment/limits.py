"""The limits of one trace: launches, size, time. What was launched before one is reached is kept."""

from __future__ import annotations

import ctypes
import math
from contextlib import suppress
from time import monotonic

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, sentences, tr, tr_plural
from core.engine.steps import ProgressCallback
from core.format import quantity
from core.interpreter import Tracer
from core.user_code.loading import SCRIPT

MOST_LAUNCHES = 4096
_MANY_LAUNCHES = 100
"""From here on, the progress names the limit."""

LARGEST_TRACE_BYTES = 1 << 30

_TRIM_AFTER_BYTES = 32_000_000
"""The trace grows by this much before free memory is returned."""


class TraceStopped(TilescopeError):
    """A limit was reached. Raised through the user's function, and again at each launch, and each operation on the
    virtual GPU, if the function catches it."""


def trace_limit(budget_bytes: int) -> int:
    """How large the trace of a run may grow. Counting, drawing and sending it takes up to four times as much again."""
    return min(LARGEST_TRACE_BYTES, budget_bytes // 5)


class Limits:
    """Checks the number of launches and the time whenever the tracer reports its progress; the size is the tracer's.
    The number of launches is unknown beforehand, so the progress only approaches its end.

    `seconds` count from now; 0 is no limit.
    """

    def __init__(self, function: str, trace_bytes: int, seconds: int, progress: ProgressCallback) -> None:
        self.tracer: Tracer | None = None
        self.trace_bytes = trace_bytes
        self._function: Text | str = tr("the script") if function == SCRIPT else function
        self._seconds = seconds
        self._ends_at = monotonic() + seconds if seconds else math.inf
        self._report = progress
        self._warning = EMPTY
        self._stopped: TilescopeError | None = None
        self._trimmed_at = 0

    @property
    def stopped(self) -> TilescopeError | None:
        """What stopped the function at a limit. What it raised after that is a consequence."""
        return self._stopped or (None if self.tracer is None else self.tracer.too_large)

    @property
    def reached(self) -> bool:
        return self.stopped is not None

    def warning(self) -> Text:
        """What the limit left out; empty if none was reached."""
        if self._stopped is None and self.reached:
            return tr_plural(
                "The trace reached its limit of {limit}: {function} was stopped there, and the result holds the launch "
                "before it. Use smaller tensors or raise the memory budget to trace all of them.",
                "The trace reached its limit of {limit}: {function} was stopped there, and the result holds the "
                "{count:,} launches before it. Use smaller tensors or raise the memory budget to trace all of them.",
                count=self._launches,
                function=self._function,
                limit=quantity(self.trace_bytes, "bytes"),
            )
        return self._warning

    def require_time(self) -> None:
        """Raises TraceStopped when the time is over."""
        if monotonic() < self._ends_at:
            return
        where = EMPTY if self.tracer is None else self.tracer.where()
        reached = tr_plural(
            "The trace reached its time limit of {limit:,} s: {function} was stopped there, and the result holds the "
            "launch before it. Raise the time limit or use smaller tensors to trace more.",
            "The trace reached its time limit of {limit:,} s: {function} was stopped there, and the result holds the "
            "{count:,} launches before it. Raise the time limit or use smaller tensors to trace more.",
            count=self._launches,
            function=self._function,
            limit=self._seconds,
        )
        self._warning = sentences(reached, where)
        nothing = tr(
            "The time limit of {limit:,} s was over before the first launch had ended: raise the time limit or use "
            "smaller tensors.",
            limit=self._seconds,
        )
        self._stop(sentences(nothing, where))

    def progress(self, done: float, total: float, phase: Text) -> None:
        self.require_time()
        count = self._launches
        if count >= MOST_LAUNCHES:
            self._warning = tr(
                "The limit of one trace is {limit:,} launches: {function} was stopped there, and the result holds the "
                "launches before. Launch fewer kernels to trace all of them.",
                function=self._function,
                limit=count,
            )
            self._stop(tr("The limit of one trace is {limit:,} launches: launch fewer kernels.", limit=MOST_LAUNCHES))
        if self.tracer is not None and self.tracer.trace_bytes - self._trimmed_at > _TRIM_AFTER_BYTES:
            self._trimmed_at = self.tracer.trace_bytes
            return_free_memory()
        reached = count + (done / total if total else 1.0)
        numbered = tr("launch {number}: {phase}", number=count + 1, phase=phase)
        if count >= _MANY_LAUNCHES:
            numbered = tr(
                "launch {number:,} of at most {limit:,}: {phase}", number=count + 1, limit=MOST_LAUNCHES, phase=phase
            )
        self._report(reached, reached + 1, numbered)

    @property
    def _launches(self) -> int:
        return 0 if self.tracer is None else len(self.tracer.launches)

    def _stop(self, text: Text) -> None:
        self._stopped = TraceStopped(text)
        raise self._stopped


def return_free_memory() -> None:
    """Give free memory back to the system, where the C library can. What an operation frees between two arrays that
    the trace keeps would otherwise stay with the process, which doubled its size."""
    with suppress(OSError, AttributeError, TypeError):  # Windows has no such library
        ctypes.CDLL(None).malloc_trim(0)
