"""Runs a function of a user's file and traces every Triton launch, within limits. Keeps its printed output."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TextIO

from core.contracts.errors import InvalidParams, RunFailed
from core.contracts.text import Text, tr
from core.engine.steps import ProgressCallback
from core.format import quantity
from core.interpreter import Launch, Tracer, intercept
from core.topics.kernel_lab.experiment.loader import call
from core.topics.kernel_lab.plan import Plan, shown

MOST_LAUNCHES = 4096
LARGEST_TRACE_BYTES = 1 << 30
KEPT_CHARACTERS = 65536


@dataclass
class Log:
    """The last characters written to stdout and stderr."""

    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True)
class Traced:
    """The launches in order, and the printed output."""

    launches: tuple[Launch, ...]
    log: Log


def trace(planned: Plan, progress: ProgressCallback) -> Traced:
    """Import the file, call the function and trace every launch, including launches during the import.

    Raises InvalidParams if it launches nothing, and RunFailed beyond `MOST_LAUNCHES` or `LARGEST_TRACE_BYTES`.
    """
    assert planned.source is not None
    limits = _Limits(planned.function, progress)
    budget = planned.params.memory_budget_mb * 1_000_000
    progress(0, 1, tr("importing {file}", file=planned.source.path.name))
    with (
        _collected() as log,
        intercept(
            memory_budget_bytes=budget,
            progress=limits.progress,
            addresses_only=planned.params.addresses_only,
            faults="record",
        ) as tracer,
    ):
        limits.tracer = tracer
        call(planned.source, planned.function)
    if not tracer.launches:
        raise InvalidParams(
            tr(
                "{function} in {file} launched no Triton kernel: name a function that runs kernel[grid](...).",
                function=planned.function,
                file=shown(planned.source.path),
            ),
            "function",
        )
    return Traced(tuple(tracer.launches), log)


class _Limits:
    """Checks the limits on every progress call of the tracer. The number of launches is unknown beforehand, so the
    progress only approaches its end."""

    def __init__(self, function: str, progress: ProgressCallback) -> None:
        self.tracer: Tracer | None = None
        self._function = function
        self._report = progress
        self._counted = 0
        self._bytes = 0

    def progress(self, done: float, total: float, phase: Text) -> None:
        finished = self.tracer.launches if self.tracer is not None else []
        self._bytes += sum(launch.trace_bytes() for launch in finished[self._counted :])
        self._counted = len(finished)
        if self._counted >= MOST_LAUNCHES:
            raise RunFailed(
                tr(
                    "{function} launched more than {limit:,} kernels, the limit of one trace: launch fewer kernels.",
                    function=self._function,
                    limit=MOST_LAUNCHES,
                )
            )
        if self._bytes > LARGEST_TRACE_BYTES:
            raise RunFailed(
                tr(
                    "The trace of {function} has grown to {size}, above the limit of {limit}: use smaller tensors.",
                    function=self._function,
                    size=quantity(self._bytes, "bytes"),
                    limit=quantity(LARGEST_TRACE_BYTES, "bytes"),
                )
            )
        reached = self._counted + (done / total if total else 1.0)
        self._report(reached, reached + 1, tr("launch {number}: {phase}", number=self._counted + 1, phase=phase))


class _Tee(io.TextIOBase):
    """Forwards output to the worker's own log, where it survives a crash, and keeps its last characters."""

    def __init__(self, onwards: TextIO) -> None:
        self._onwards = onwards
        self._kept = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._onwards.write(text)
        self._kept = (self._kept + text)[-KEPT_CHARACTERS:]
        return len(text)

    def flush(self) -> None:
        self._onwards.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def text(self) -> str:
        return self._kept


@contextmanager
def _collected() -> Iterator[Log]:
    """Collect stdout and stderr of the block. The log is complete when the block ends."""
    log = Log()
    out, err = _Tee(sys.stdout), _Tee(sys.stderr)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield log
    finally:
        log.stdout, log.stderr = out.text(), err.text()
