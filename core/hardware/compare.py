"""Compares implementations of one operation on the same inputs: checks all, times those that pass. Worker only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import torch

from core.comparison import ERROR_FACTOR, ImplResult, RunsOn
from core.contracts.errors import TilescopeError
from core.contracts.result import number_or_none
from core.contracts.text import Text, tr, verbatim
from core.hardware.conditions import Conditions
from core.hardware.timing import Candidate, Check, Method, Timing, Unverified, check_against, measure
from core.hardware.timing.measuring import ProgressCallback
from core.wording import reason_of
from kernels.errors import KernelError

ROUNDS = 15
"""Samples per implementation; fewer where the time budget ends first."""

ROUNDINGS_OF_ONE_NUMBER = 8
"""An output of one number, such as a loss, may be off by as many roundings: how near plain PyTorch comes to it is luck,
while the root mean square over a tensor averages luck out."""

R = TypeVar("R", bound=ImplResult)


@dataclass(frozen=True)
class Implementation(Generic[R]):
    """One way to compute the same output as the reference. `result` names it, and holds what is known before a run.

    `run` does the whole work once, on prepared inputs; None where the device cannot run it. `out` is an output that has
    already been computed. `out` without `run` comes from the TTIR interpreter: it is checked and never timed. Without
    both, the implementation is unavailable, and `result.reason` says why. `prepare` does what `run` needs beforehand:
    it is called once, before the check, and not timed.
    """

    result: R
    run: Callable[[], torch.Tensor] | None = None
    out: torch.Tensor | None = None
    prepare: Callable[[], object] | None = None


def with_reason(result: R, error: Exception) -> R:
    """The result of an implementation that raised: without anything but the reason."""
    return replace(result, reason=_reason(error))


@dataclass(frozen=True)
class Comparison(Generic[R]):
    """Implementations, how to assess the output of one (see `checked`), and how long to time them.

    `flops` is the FLOP count of one run, for TFLOP/s. `failed` is the result of an implementation that raised.
    """

    implementations: tuple[Implementation[R], ...]
    assess: Callable[[R, torch.Tensor], R]
    device: torch.device
    warm_up_rounds: int = 1
    budget_s: float = 2.0
    flops: float | None = None
    rounds: int = field(default_factory=lambda: ROUNDS)
    threads: int | None = None
    method: Method | None = None
    failed: Callable[[R, Exception], R] = with_reason
    on_measured: Callable[[Conditions], None] = lambda conditions: None

    def check(self, progress: ProgressCallback | None = None) -> tuple[R, ...]:
        """Run each once and assess its output. One that raises becomes unavailable; the others are still checked."""
        results = []
        for done, implementation in enumerate(self.implementations):
            if progress is not None:
                progress(done, len(self.implementations), tr("checking {label}", label=implementation.result.label))
            results.append(self._checked(implementation))
        return tuple(results)

    def time(self, results: Sequence[R], progress: ProgressCallback | None = None) -> tuple[R, ...]:
        """The results of `check`, with times, taken in turns, for those that ran on the device and passed.

        Each is checked again after it was timed. One that raises or is wrong then gets no time.
        """
        measured = measure(
            [
                Candidate(result.impl, implementation.run, _check_of(result), self._again(implementation.run, result))
                for implementation, result in zip(self.implementations, results, strict=True)
                if implementation.run is not None and result.passed
            ],
            self.device,
            rounds=self.rounds,
            warm_up_rounds=self.warm_up_rounds,
            budget_s=self.budget_s,
            threads=self.threads,
            method=self.method,
            progress=progress,
        )
        self.on_measured(measured.conditions)
        return tuple(
            self._timed(result, measured.timings.get(result.impl), measured.failures.get(result.impl))
            for result in results
        )

    def _checked(self, implementation: Implementation[R]) -> R:
        result, run, out = implementation.result, implementation.run, implementation.out
        if out is None:
            if run is None:
                return result
            try:
                if implementation.prepare is not None:
                    implementation.prepare()
                out = run()
            except Exception as error:
                return self.failed(result, error)
        runs_on: RunsOn = "emulated" if run is None else "cuda" if self.device.type == "cuda" else "cpu"
        return self.assess(replace(result, runs_on=runs_on), out)

    def _again(self, run: Callable[[], torch.Tensor], result: R) -> Callable[[], Check]:
        return lambda: _check_of(self.assess(result, run()))

    def _timed(self, result: R, timing: Timing | None, error: Exception | None) -> R:
        if error is not None:
            return replace(self.failed(result, error), passed=result.passed and not isinstance(error, Unverified))
        if timing is None:
            return result
        return replace(
            result,
            time_ms=timing.median_ms,
            time_ms_samples=tuple(timing.samples_ms.tolist()),
            tflops=None if self.flops is None else self.flops / timing.median_ms / 1e9,
            peak_memory_bytes=timing.peak_memory_bytes,
        )


def checked(result: R, out: torch.Tensor, reference: torch.Tensor, allowed_rms_error: float) -> R:
    """The result with the errors of `out` against the float64 reference of the same shape."""
    check = check_against(out, reference, allowed_rms_error)
    return replace(
        result,
        max_abs_error=number_or_none(check.max_abs_error),
        rms_error=number_or_none(check.rms_error),
        allowed_rms_error=check.allowed_rms_error,
        passed=check.passed,
    )


def allowed_rms_error(plain: torch.Tensor, reference: torch.Tensor) -> float:
    """ERROR_FACTOR times the RMS error of plain PyTorch in this precision, but at least `rounding_rms_error`, and eight
    times that for a single number."""
    plain_error = check_against(plain, reference, math.inf).rms_error
    roundings = ROUNDINGS_OF_ONE_NUMBER if reference.numel() == 1 else 1
    return max(ERROR_FACTOR * plain_error, roundings * rounding_rms_error(reference, plain.dtype))


def rounding_rms_error(reference: torch.Tensor, dtype: torch.dtype) -> float:
    """Half of `dtype`'s machine epsilon times the root mean square of the reference."""
    return torch.finfo(dtype).eps / 2 * float(reference.square().mean().sqrt())


def _check_of(result: ImplResult) -> Check:
    errors = (result.max_abs_error, result.rms_error, result.allowed_rms_error)
    return Check(*(math.nan if error is None else error for error in errors))


def _reason(error: Exception) -> Text:
    """In one sentence, or in the first line of what a library says."""
    if isinstance(error, KernelError):
        return reason_of(error)
    if isinstance(error, TilescopeError):
        return error.text
    lines = str(error).strip().splitlines()
    return verbatim(lines[0] if lines else type(error).__name__)
