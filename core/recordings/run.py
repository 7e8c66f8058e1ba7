"""What a run of a comparison leaves behind: one family over a sweep, on one device. A recording holds such runs.

The dataclasses are the schema: a JSON file has their fields by name. `docs/recordings.md` describes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from core.comparison import ImplResult
from core.compiling.record import CompiledKernel
from core.contracts.result import Provenance
from core.contracts.text import EMPTY, Text
from core.hardware.conditions import Conditions
from core.hardware.noise import Difference, difference

Value = int | str


@dataclass(frozen=True)
class Device:
    """Where a run was. `target` is Triton's name of a GPU ('sm_90'), '' for a CPU, as is `driver`.

    `cores` are those that the process may use, `memory_bytes` is the memory of the GPU, or of the machine.
    """

    kind: Literal["cpu", "cuda"]
    name: str
    target: str = ""
    driver: str = ""
    cores: int = 0
    memory_bytes: int = 0

    @property
    def label(self) -> str:
        """Its kind and name."""
        return f"{self.kind} ({self.name})"


@dataclass(frozen=True)
class Ceiling:
    """What this device does at most, measured in the same run: 'copy' and 'read' in bytes per second, 'matmul' in FLOPs
    per second of products in `dtype`. `samples_ms` are the times of `work` bytes or FLOPs."""

    id: str
    label: Text
    per_s: float
    work: float
    samples_ms: tuple[float, ...]
    dtype: str = ""

    @property
    def unit(self) -> str:
        """Of `per_s`."""
        return "FLOP/s" if self.id == "matmul" else "B/s"


@dataclass(frozen=True)
class Traced:
    """What the Triton launches of one run do, counted from their addresses. `unique_bytes` are distinct bytes of each
    launch, added up; `product_flops` those of the matrix products, whole tiles included; None if not counted."""

    launches: int
    programs: int
    read_bytes: int
    written_bytes: int
    unique_bytes: int
    product_flops: int | None

    @property
    def bytes(self) -> int:
        """Read and written together, before any cache."""
        return self.read_bytes + self.written_bytes


@dataclass(frozen=True)
class Band:
    """A modelled time on the GPU of that id: between `low_ms`, the bound of its roofline, and `high_ms`."""

    gpu: str
    low_ms: float
    high_ms: float


@dataclass(frozen=True)
class Outcome(ImplResult):
    """One contender at one point. `kind` is 'triton', 'torch' or 'library'.

    Errors, times and samples are those of `ImplResult`: a wrong result has an error and no time. `traced`, `modelled`
    and `compiled` exist for Triton kernels. `out_of_memory` says that memory is why it has no result, `note` what it
    computes differently from the others.
    """

    kind: str = "torch"
    note: Text = EMPTY
    out_of_memory: bool = False
    traced: Traced | None = None
    modelled: Band | None = None
    compiled: tuple[CompiledKernel, ...] = ()


@dataclass(frozen=True)
class Point:
    """One case: the value of every parameter, what it takes by the formula, and the contenders' outcomes.

    `problem` says why nothing could be run here, and `out_of_memory` that memory is the reason.
    """

    case: Mapping[str, Value]
    flops: float = 0.0
    least_bytes: float = 0.0
    dtype: str = ""
    outcomes: tuple[Outcome, ...] = ()
    conditions: Conditions = Conditions()  # noqa: RUF009
    problem: Text = EMPTY
    out_of_memory: bool = False

    def outcome(self, impl: str) -> Outcome | None:
        """The outcome of a contender."""
        return next((outcome for outcome in self.outcomes if outcome.impl == impl), None)

    def difference(self, baseline: str, impl: str) -> Difference | None:
        """How many times as long as the baseline a contender takes here; None where one of them has no time.

        Both were timed in turns, so their samples are compared round by round.
        """
        a, b = self.outcome(baseline), self.outcome(impl)
        if a is None or b is None or not (a.time_ms_samples and b.time_ms_samples):
            return None
        return difference(a.time_ms_samples, b.time_ms_samples, paired=True)


@dataclass(frozen=True)
class FamilyRun:
    """One family over a sweep on one device.

    `file` and `file_sha256` are those of the user's own file, '' for a family of the program. `recorded_at` is UTC in
    ISO 8601, `commit` that of the program, with '+' where its files were changed. `swept` names the parameters of the
    sweep, `baseline` the contender with which the others are compared. `gpu` is the one that kernels were compiled and
    modelled for.
    """

    family: str
    device: Device
    baseline: str = ""
    file: str = ""
    file_sha256: str = ""
    recorded_at: str = ""
    commit: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    gpu: str = ""
    swept: tuple[str, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    points: tuple[Point, ...] = ()

    @property
    def subject(self) -> tuple[str, str]:
        """What is compared: only runs of the same family, or of files of the same name, have the same."""
        return self.family, self.file

    @property
    def name(self) -> str:
        """What the user calls it: the file, or else the family."""
        return self.file or self.family

    @property
    def provenance(self) -> Provenance:
        """That of its times."""
        return Provenance.MEASURED if self.device.kind == "cuda" else Provenance.MEASURED_CPU

    def point(self, case: Mapping[str, Value]) -> Point | None:
        """The first point with these values, in whatever order they are."""
        return self._points_by_case.get(frozenset(case.items()))

    @cached_property
    def _points_by_case(self) -> Mapping[frozenset[tuple[str, Value]], Point]:
        return {frozenset(point.case.items()): point for point in reversed(self.points)}

    def ceiling(self, ceiling_id: str) -> Ceiling | None:
        """The ceiling of that id."""
        return next((ceiling for ceiling in self.ceilings if ceiling.id == ceiling_id), None)

    @property
    def impls(self) -> tuple[str, ...]:
        """The contenders, in order of appearance."""
        return tuple(dict.fromkeys(outcome.impl for point in self.points for outcome in point.outcomes))

    def series(self, impl: str) -> Iterator[tuple[Point, Outcome]]:
        """The points of one contender."""
        for point in self.points:
            outcome = point.outcome(impl)
            if outcome is not None:
                yield point, outcome


def share_of_ceiling(run: FamilyRun, point: Point, outcome: Outcome) -> tuple[str, float] | None:
    """The ceiling that is nearest, and the share of it that an outcome reaches: of the copied bytes per second by the
    bytes that must move, or of the matrix product's FLOPs per second by the FLOPs of the formula.

    None without a time or a ceiling. More than 1 is possible where data stay in a cache.
    """
    if outcome.time_ms is None:
        return None
    seconds = outcome.time_ms * 1e-3
    reached = {"copy": point.least_bytes / seconds, "matmul": point.flops / seconds}
    shares = [
        (ceiling.id, reached[ceiling.id] / ceiling.per_s)
        for ceiling in run.ceilings
        if ceiling.id in reached and ceiling.per_s
    ]
    return max(shares, key=lambda share: share[1], default=None)
