"""Times candidates in turns until the samples suffice, and records the conditions under which it did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from core.contracts.text import Text, tr
from core.hardware.conditions import Conditions, held_to_cores, load, without_collections
from core.hardware.noise import is_settled
from core.hardware.nvml import Nvml, Reading, summary
from core.hardware.timing.checks import Check, require_still_verified, require_verified
from core.hardware.timing.samplers import Method, Run, Sampler, sampler_for

ProgressCallback = Callable[[float, float, Text], None]
"""Called with (done, total, phase) between samples; may raise to stop the measurement."""

_LEAST_ROUNDS = 3


@dataclass(frozen=True)
class Candidate:
    """Something to time. `run` does the whole work once, on prepared inputs.

    `check_again` runs it once more and checks the output; it is called after the timing.
    """

    name: str
    run: Run
    verified: Check | None
    check_again: Callable[[], Check] | None = None


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
    def quartiles_ms(self) -> tuple[float, float]:
        """The first and the third quartile."""
        low, high = np.percentile(self.samples_ms, [25, 75])
        return float(low), float(high)

    @property
    def spread_ms(self) -> float:
        """The interquartile range of the samples."""
        low, high = self.quartiles_ms
        return high - low


@dataclass(frozen=True)
class Measurement:
    """What a group of candidates gave: a timing of each, or the error that it raised, by name."""

    timings: Mapping[str, Timing]
    failures: Mapping[str, Exception]
    conditions: Conditions


@dataclass
class _Series:
    """The candidates that are still in the race, their samples, and the errors of the others."""

    sampler: Sampler
    samples: dict[str, list[float]]
    failures: dict[str, Exception] = field(default_factory=dict)

    def round(self, candidates: Sequence[Candidate], number: int) -> None:
        """One sample of each, in the opposite order every second time, so that drift within a round cancels out."""
        for candidate in candidates if number % 2 == 0 else reversed(candidates):
            if candidate.name in self.failures:
                continue
            try:
                self.samples[candidate.name].append(self.sampler.sample_ms(candidate.name, candidate.run))
            except Exception as error:
                self.fail(candidate.name, error)

    def fail(self, name: str, error: Exception) -> None:
        self.failures[name] = error
        del self.samples[name]


def measure(
    candidates: Sequence[Candidate],
    device: torch.device | str,
    *,
    rounds: int = 20,
    warm_up_rounds: int = 12,
    budget_s: float = 5.0,
    threads: int | None = None,
    method: Method | None = None,
    progress: ProgressCallback | None = None,
) -> Measurement:
    """Times every candidate once per round, in turns (A B C, C B A, ...), so that clock drift and heat affect all of
    them alike.

    Warms up until the times of all have settled (`noise.is_settled`), in at most `warm_up_rounds` rounds and half of
    `budget_s` seconds. Then takes `rounds` rounds, or fewer, but at least three, when `budget_s` seconds have passed.
    A sample is taken as `Method` says; None is the wall clock or CUDA events. On a CPU, torch has `threads` threads
    (None: as before) on as many cores, where the system can hold them there.

    A candidate that raises is left out, and the others go on. So is one that is wrong when it is checked again. Raises
    Unverified, before anything runs, for a candidate that did not pass its check.
    """
    device = torch.device(device)
    for candidate in candidates:
        require_verified(candidate.name, candidate.verified)
    with _held(device, threads) as conditions, without_collections():
        series = _Series(sampler_for(device, method), {candidate.name: [] for candidate in candidates})
        gpu = _gpu(device)
        warmed, settled = _warm_up(series, candidates, warm_up_rounds, budget_s / 2, progress)
        peaks = _peaks(series, candidates, device)
        taken, readings = _take(series, candidates, gpu, rounds, budget_s, progress)
        for candidate in candidates:
            _check_again(series, candidate)
    conditions = replace(
        conditions,
        method=series.sampler.method.value,
        rounds=taken,
        warm_up_rounds=warmed,
        is_settled=settled,
        load_after=load(),
        clocks=summary(readings),
    )
    timings = {
        name: Timing(name, device.type, np.array(samples), peaks[name]) for name, samples in series.samples.items()
    }
    return Measurement(timings, series.failures, conditions)


@contextmanager
def _held(device: torch.device, threads: int | None) -> Iterator[Conditions]:
    """The process held as `threads` asks for, and the conditions that are known before anything is timed."""
    if device.type != "cpu":
        yield Conditions(load_before=load())
        return
    before = torch.get_num_threads()
    count = threads or before
    torch.set_num_threads(count)
    try:
        with held_to_cores(count) as cores:
            yield Conditions(threads=count, cores=cores, load_before=load())
    finally:
        torch.set_num_threads(before)


def _warm_up(
    series: _Series,
    candidates: Sequence[Candidate],
    most_rounds: int,
    budget_s: float,
    progress: ProgressCallback | None,
) -> tuple[int, bool]:
    """The rounds that it took, and whether the times of all had settled then."""
    started = time.perf_counter()
    done = 0
    while done < most_rounds and (done == 0 or time.perf_counter() - started < budget_s):
        if progress is not None:
            progress(done, most_rounds, tr("warming up"))
        series.round(candidates, done)
        done += 1
        if all(map(is_settled, series.samples.values())):
            break
    settled = all(map(is_settled, series.samples.values()))
    for samples in series.samples.values():
        samples.clear()
    return done, settled


def _take(
    series: _Series,
    candidates: Sequence[Candidate],
    gpu: Nvml | None,
    rounds: int,
    budget_s: float,
    progress: ProgressCallback | None,
) -> tuple[int, list[Reading]]:
    """The rounds that were taken, and what NVML said after each."""
    readings: list[Reading] = []
    started = time.perf_counter()
    for done in range(rounds):
        if progress is not None:
            progress(done, rounds, tr("timing"))
        series.round(candidates, done)
        reading = None if gpu is None else gpu.read()
        if reading is not None:
            readings.append(reading)
        if done + 1 >= _LEAST_ROUNDS and time.perf_counter() - started > budget_s:
            return done + 1, readings
    return rounds, readings


def _check_again(series: _Series, candidate: Candidate) -> None:
    if candidate.check_again is None or candidate.name in series.failures:
        return
    try:
        require_still_verified(candidate.name, candidate.check_again())
    except Exception as error:
        series.fail(candidate.name, error)


def _peaks(series: _Series, candidates: Sequence[Candidate], device: torch.device) -> dict[str, int | None]:
    peaks: dict[str, int | None] = {}
    for candidate in candidates:
        if candidate.name in series.failures:
            continue
        try:
            peaks[candidate.name] = _peak_memory_bytes(candidate.run, device)
        except Exception as error:
            series.fail(candidate.name, error)
    return peaks


def _peak_memory_bytes(run: Run, device: torch.device) -> int | None:
    if device.type != "cuda":
        return None
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()
    torch.cuda.synchronize(device)
    return int(torch.cuda.max_memory_allocated(device) - before)


def _gpu(device: torch.device) -> Nvml | None:
    if device.type != "cuda":
        return None
    return Nvml(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
