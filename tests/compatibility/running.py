"""Runs cases as `python main.py trace FILE::FUNCTION` does in its worker, one after the other in this process, so that
packages are imported once."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from core.contracts.errors import TilescopeError
from core.sanitizer import findings
from core.topics.kernel_lab.experiment.tracing import trace
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.plan import plan
from tests.compatibility.case_files import CaseFile

GPU = "h100-sxm"
"""The virtual GPU that the cases find: one that has what libraries ask for."""


@dataclass(frozen=True)
class Outcome:
    """`problem` is '' for a case that passed: its kernels ran, and the witness agrees. `finding` is the first fault
    that the sanitizer found in the package, '' for none."""

    case: str
    launches: int
    seconds: float
    problem: str
    finding: str = ""


class TooLong(BaseException):
    """No Exception, so that no package catches it."""


def outcomes(file: CaseFile, cases: Sequence[str], limit_s: float) -> Iterator[Outcome]:
    for case in cases:
        began = time.monotonic()
        launches, problem, finding = _outcome(file, case, limit_s)
        yield Outcome(case, launches, time.monotonic() - began, problem, finding)


def _outcome(file: CaseFile, case: str, limit_s: float) -> tuple[int, str, str]:
    """The number of launches, what is wrong, and what the sanitizer found."""
    params = KernelLabParams(file=str(file.path), function=case, gpu=GPU)
    try:
        with _limited(limit_s):
            traced = trace(plan(params), lambda *_: None)
    except TilescopeError as error:
        return 0, f"It ran longer than {limit_s:g} s." if _was_too_long(error) else str(error), ""
    except TooLong:
        return 0, f"It ran longer than {limit_s:g} s.", ""
    faults = [fault for launch in traced.launches for fault in findings(launch) if fault.severity == "fault"]
    finding = f"{faults[0].kind}: {faults[0].sentence}" if faults else ""
    return len(traced.launches), str(traced.failure), finding


def _was_too_long(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, TooLong):
        error = error.__cause__
    return error is not None


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TooLong

    kept = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept)
