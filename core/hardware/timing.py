"""Times candidates with interleaved samples and a cold L2, only after each passed its check. Worker only: torch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr

ProgressCallback = Callable[[float, float, Text], None]
"""Called with (done, total, phase) between samples; may raise to stop the measurement."""

_LEAST_FLUSH_BYTES = 256 << 20
_LEAST_CPU_SAMPLE_S = 2e-3
_SPIN_CYCLES = 2_000_000
"""About a millisecond: longer than it takes to queue a few launches."""


class Unverified(TilescopeError):
    """Raised for timing a candidate whose output was not checked, or was wrong."""


@dataclass(frozen=True)
class Check:
    """The error of a candidate's output against the float64 reference, on the inputs it is timed with."""

    max_abs_error: float
    rms_error: float
    allowed_rms_error: float

    @property
    def passed(self) -> bool:
        """False also when the error is NaN."""
        return self.rms_error <= self.allowed_rms_error


@dataclass(frozen=True)
class Candidate:
    """Something to time. `run` does the whole work once, on prepared inputs."""

    name: str
    run: Callable[[], object]
    verified: Check | None


@dataclass(frozen=True)
class Timing:
    """Samples in ms, in the order taken. `peak_memory_bytes` is the peak allocation of one run; None on CPU."""

    name: str
    device: str
    samples_ms: np.ndarray
    peak_memory_bytes: int | None

    @property
    def median_ms(self) -> float:
        return float(np.median(self.samples_ms))

    @property
    def spread_ms(self) -> float:
        """The interquartile range of the samples."""
        low, high = np.percentile(self.samples_ms, [25, 75])
        return float(high - low)


def check_against(out: torch.Tensor, reference: torch.Tensor, allowed_rms_error: float) -> Check:
    """Compares in float64. `reference` is float64, of the shape of `out`; a NaN on either side fails the check."""
    error = out.double() - reference
    return Check(float(error.abs().max()), float(error.square().mean().sqrt()), allowed_rms_error)


def time_candidates(
    candidates: Sequence[Candidate],
    device: torch.device | str,
    *,
    rounds: int = 20,
    warm_up_rounds: int = 3,
    budget_s: float = 5.0,
    progress: ProgressCallback | None = None,
) -> dict[str, Timing]:
    """Times every candidate once per round (A B C, A B C, ...), so that clock drift and heat affect all of them alike.

    Takes `rounds` rounds, or fewer, but at least three, when `budget_s` seconds have passed. On CUDA a sample is the
    time between two events, after the L2 was overwritten; on CPU it is the wall time of one run, averaged over several
    runs where one is shorter than 2 ms. Raises Unverified, before anything runs, for a candidate that did not pass its
    check.
    """
    device = torch.device(device)
    for candidate in candidates:
        _require_verified(candidate)
    sample = _cuda_sampler(device) if device.type == "cuda" else _cpu_sampler()
    for _ in range(warm_up_rounds):
        for candidate in candidates:
            sample(candidate)
    peaks = {candidate.name: _peak_memory_bytes(candidate.run, device) for candidate in candidates}
    samples: dict[str, list[float]] = {candidate.name: [] for candidate in candidates}
    started = time.perf_counter()
    for done in range(rounds):
        if progress is not None:
            progress(done, rounds, tr("timing"))
        for candidate in candidates:
            samples[candidate.name].append(sample(candidate))
        if done >= 2 and time.perf_counter() - started > budget_s:
            break
    return {name: Timing(name, device.type, np.array(values), peaks[name]) for name, values in samples.items()}


def _require_verified(candidate: Candidate) -> None:
    check = candidate.verified
    if check is None:
        raise Unverified(tr("{name} is not timed: it was not checked against a reference.", name=candidate.name))
    if not check.passed:
        raise Unverified(
            tr(
                "{name} is not timed: its RMS error is {error:.2e}, and at most {allowed:.2e} is allowed.",
                name=candidate.name,
                error=check.rms_error,
                allowed=check.allowed_rms_error,
            )
        )


def _cuda_sampler(device: torch.device) -> Callable[[Candidate], float]:
    l2_bytes = int(torch.cuda.get_device_properties(device).L2_cache_size)
    cold = torch.empty(max(_LEAST_FLUSH_BYTES, 2 * l2_bytes), dtype=torch.int8, device=device)

    def sample(candidate: Candidate) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        # The GPU spins while the CPU queues all of this, so that no launch latency falls between the two events.
        torch.cuda._sleep(_SPIN_CYCLES)  # type: ignore[no-untyped-call]
        cold.zero_()
        start.record()
        candidate.run()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end))

    return sample


def _cpu_sampler() -> Callable[[Candidate], float]:
    repeats: dict[str, int] = {}

    def sample(candidate: Candidate) -> float:
        count = repeats.setdefault(candidate.name, 1)
        started = time.perf_counter()
        for _ in range(count):
            candidate.run()
        elapsed_s = time.perf_counter() - started
        if elapsed_s < _LEAST_CPU_SAMPLE_S:
            repeats[candidate.name] = min(10_000, count * max(2, round(_LEAST_CPU_SAMPLE_S / max(elapsed_s, 1e-7))))
        return elapsed_s / count * 1e3

    return sample


def _peak_memory_bytes(run: Callable[[], object], device: torch.device) -> int | None:
    if device.type != "cuda":
        return None
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize(device)
    return int(torch.cuda.max_memory_allocated(device) - before)
