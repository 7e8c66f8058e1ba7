"""What changed between two runs of the same cases: times with a verdict on noise, errors, bytes; what got slower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr
from core.hardware.noise import Difference, Verdict, difference
from core.recordings.run import Device, FamilyRun, Outcome, Point, Value

LEAST_SLOWDOWN = 0.05
"""Two runs of the same code differ by this much for reasons that no sample within a run shows: where memory was
allocated, what the machine did before. A slowdown counts from here on."""


@dataclass(frozen=True)
class Change:
    """One contender at one case, in A and in B. `time` compares its samples, None where one run has none.

    `lost` says that B has no time, and no right result, where A had one; `lost_reason` says why.
    """

    family: str
    case: Mapping[str, Value]
    impl: str
    a: Outcome
    b: Outcome
    time: Difference | None
    lost: bool = False
    lost_reason: Text = EMPTY

    @property
    def byte_ratio(self) -> float | None:
        """Traced bytes of B over those of A; None where one was not traced."""
        if self.a.traced is None or self.b.traced is None or not self.a.traced.bytes:
            return None
        return self.b.traced.bytes / self.a.traced.bytes

    @property
    def error_ratio(self) -> float | None:
        """RMS error of B over that of A; None where one is missing or A has none."""
        if not self.a.rms_error or self.b.rms_error is None:
            return None
        return self.b.rms_error / self.a.rms_error


@dataclass(frozen=True)
class Regressions:
    """What got worse from A to B. `slower` are beyond noise and beyond what the yardsticks changed by; `lost` have no
    right result any more. `threshold` is the ratio from which a slowdown counts, `compared` the number of changes with
    times on both sides."""

    slower: tuple[Change, ...]
    lost: tuple[Change, ...]
    threshold: float
    compared: int

    @property
    def found(self) -> bool:
        return bool(self.slower or self.lost)


class NotComparable(TilescopeError):
    """Runs of different devices or operations."""


def changes(a: FamilyRun, b: FamilyRun) -> Iterator[Change]:
    """Every contender at every case that both runs have, in the order of B.

    Where nothing could be run in B, every contender of A has an outcome without a result.
    """
    for point in b.points:
        before = a.point(point.case)
        if before is None:
            continue
        for outcome in _none_of(before, point) if point.problem else point.outcomes:
            earlier = before.outcome(outcome.impl)
            if earlier is not None:
                yield _change(b.family, point, earlier, outcome)


def _none_of(before: Point, point: Point) -> Iterator[Outcome]:
    """What the contenders have at a point where nothing could be run: the reason."""
    for each in before.outcomes:
        yield Outcome(each.impl, each.label, kind=each.kind, reason=point.problem, out_of_memory=point.out_of_memory)


def regressions(a: FamilyRun, b: FamilyRun) -> Regressions:
    """What is slower in B than in A, or lost. Times of another device are not compared: raises NotComparable.

    Copy, read and matrix product are measured in every run, by code that does not change. What they changed by, the
    machine changed by: only more than that, and more than 5%, is a slowdown.
    """
    if a.device.label != b.device.label:
        raise NotComparable(
            tr(
                "The baseline was recorded on {baseline}, and this run is on {device}: times of different devices are "
                "not compared. Record a baseline on this one.",
                baseline=a.device.label,
                device=b.device.label,
            )
        )
    found = list(changes(a, b))
    threshold = 1 + max(LEAST_SLOWDOWN, *(abs(ratio - 1) for ratio in _yardsticks(a, b)), 0.0)
    slower = tuple(
        change
        for change in found
        if change.time is not None and change.time.verdict is Verdict.SLOWER and change.time.low > threshold
    )
    timed = sum(change.time is not None for change in found)
    return Regressions(slower, tuple(change for change in found if change.lost), threshold, timed)


def matching(runs: Sequence[FamilyRun], subject: tuple[str, str], device: Device | None = None) -> FamilyRun | None:
    """The newest of the runs of a subject (the same family, or a file of the same name); one on `device`, if any is."""
    same = [run for run in runs if run.subject == subject]
    here = [run for run in same if device is not None and run.device.label == device.label]
    return max(here or same, key=lambda run: run.recorded_at, default=None)


def _yardsticks(a: FamilyRun, b: FamilyRun) -> Iterator[float]:
    """For each ceiling that both measured with the same work, how many times as long it takes in B."""
    for ceiling in b.ceilings:
        earlier = a.ceiling(ceiling.id)
        if earlier is not None and earlier.work == ceiling.work and earlier.per_s and ceiling.per_s:
            yield earlier.per_s / ceiling.per_s


def _change(family: str, point: Point, a: Outcome, b: Outcome) -> Change:
    time = None
    if a.time_ms_samples and b.time_ms_samples:
        time = difference(a.time_ms_samples, b.time_ms_samples, paired=False)
    lost = bool(a.passed) and not b.passed
    reason = b.reason or tr("its result is not accurate enough any more") if lost else EMPTY
    return Change(family, point.case, b.impl, a, b, time, lost, reason)
