"""The numbers of a trace as rows for tables, JSON and CSV: one row per launch, tensor, source line or fault.

Launches count from 0. `reuse` is requested bytes divided by distinct bytes: 1.0 if every byte is touched once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.contracts.text import EMPTY, Text
from core.sanitizer import findings
from core.trace.record import AccessKind, Fault, Launch, Severity
from core.trace.rows import rows_of
from core.trace.sectors import sector_use
from core.trace.traffic import Traffic, traffic


@dataclass(frozen=True)
class LaunchRow:
    """One kernel launch. `grid` is such as '4 x 1 x 1'; `unique_bytes` are distinct bytes, summed over its tensors.

    `launched_at` is the caller's line ('FILE:LINE'), '' if unknown. `addresses_only` says that the arithmetic was
    skipped, None if that is unknown.
    """

    launch: int
    function: str
    file: str
    first_line: int
    grid: str
    programs: int
    config: str
    accesses: int
    read_bytes: int
    written_bytes: int
    unique_bytes: int
    trace_bytes: int
    launched_at: str = ""
    addresses_only: bool | None = None


@dataclass(frozen=True)
class TensorRow:
    """One tensor argument of a launch. `tensor` is the kernel's parameter, `shape` is such as '[1024, 64]'.

    `argument` is the caller's code for it ('q[:, 1:]'), `made_at` the line that made its memory ('FILE:LINE'); '' if
    unknown. Rows with the same `storage` lie in the same allocation; -1 if unknown.
    """

    launch: int
    tensor: str
    dtype: str
    shape: str
    size_bytes: int
    read_accesses: int
    written_accesses: int
    read_bytes: int
    written_bytes: int
    unique_bytes: int
    reuse: float
    argument: str = ""
    made_at: str = ""
    storage: int = -1


@dataclass(frozen=True)
class LineRow:
    """One source line of a launch and one tensor. `masked_share` is 0 to 1: that of `elements`, those of the tiles."""

    launch: int
    function: str
    file: str
    line: int
    kind: AccessKind
    tensor: str
    accesses: int
    bytes: int
    unique_bytes: int
    masked_share: float
    reuse: float
    elements: int = 0


@dataclass(frozen=True)
class FaultRow:
    """What the sanitizer found at one source line; `core.sanitizer.kinds` lists the kinds.

    `severity` is 'fault' or 'remark'. Programs are linear ids, x fastest, -1 where none is concerned; `other_program`,
    `other_file` and `other_line` are those of the second access of a race. `index` is an element offset from the
    data_ptr of `tensor` ('' if none is concerned), whose `shape` and `strides` (in elements) are such as '[1024, 64]'.
    `iteration` of the enclosing loops and `element` of the tile are such as '3, 0'. `count` is the number of affected
    elements (bytes for races). `is_of_proof` says that it is a counterexample of a proof, which other sizes than those
    of the launch show.
    """

    launch: int
    kind: str
    tensor: str
    file: str
    line: int
    program: int
    other_program: int | None
    index: int
    count: int
    sentence: Text
    severity: Severity = "fault"
    function: str = ""
    repair: Text = EMPTY
    shape: str = ""
    strides: str = ""
    iteration: str = ""
    element: str = ""
    value: str = ""
    other_file: str = ""
    other_line: int = 0
    is_of_proof: bool = False


@dataclass(frozen=True)
class SectorRow:
    """The share of the touched 32-byte sectors that the tiles of one line use: `used_share`, 0 to 1.

    `sampled` says that only some tiles were counted.
    """

    launch: int
    function: str
    file: str
    line: int
    kind: AccessKind
    tensor: str
    used_share: float
    sampled: bool


@dataclass(frozen=True)
class TraceTables:
    """The rows of several launches, launch by launch."""

    launches: tuple[LaunchRow, ...] = ()
    tensors: tuple[TensorRow, ...] = ()
    lines: tuple[LineRow, ...] = ()
    faults: tuple[FaultRow, ...] = ()

    def __add__(self, other: TraceTables) -> TraceTables:
        return TraceTables(
            self.launches + other.launches,
            self.tensors + other.tensors,
            self.lines + other.lines,
            self.faults + other.faults,
        )


def tables(launches: Sequence[Launch], first: int = 0) -> TraceTables:
    """The rows of `launches`, which are numbered from `first`."""
    numbered = [(index, launch, traffic(launch)) for index, launch in enumerate(launches, first)]
    return TraceTables(
        tuple(_launch(*each) for each in numbered),
        tuple(row for each in numbered for row in _tensors(*each)),
        tuple(row for each in numbered for row in _lines(*each)),
        tuple(_fault(index, launch, fault) for index, launch, _ in numbered for fault in findings(launch)),
    )


def sectors(launch: Launch, index: int) -> tuple[SectorRow, ...]:
    """The sector use of each line of a launch."""
    return tuple(
        SectorRow(index, launch.function, use.file, use.line, use.kind, use.buffer, use.share, use.is_sampled)
        for use in sector_use(launch)
    )


def _launch(index: int, launch: Launch, counts: Traffic) -> LaunchRow:
    return LaunchRow(
        launch=index,
        function=launch.function,
        file=launch.file,
        first_line=launch.first_line,
        grid=" x ".join(map(str, launch.grid)),
        programs=launch.programs,
        config=launch.config,
        accesses=sum(int(rows_of(access).elements_per_lane().sum()) for access in launch.accesses),
        read_bytes=counts.read_bytes,
        written_bytes=counts.written_bytes,
        unique_bytes=sum(row.unique_bytes for row in counts.buffers),
        trace_bytes=launch.trace_bytes(),
        launched_at=launch.launched_at,
        addresses_only=launch.addresses_only,
    )


def _tensors(index: int, launch: Launch, counts: Traffic) -> list[TensorRow]:
    return [
        TensorRow(
            launch=index,
            tensor=row.buffer,
            dtype=buffer.dtype,
            shape=str(list(buffer.shape)),
            size_bytes=buffer.size_bytes,
            read_accesses=row.read_accesses,
            written_accesses=row.written_accesses,
            read_bytes=row.read_bytes,
            written_bytes=row.written_bytes,
            unique_bytes=row.unique_bytes,
            reuse=_reuse(row.read_bytes + row.written_bytes, row.unique_bytes),
            argument=buffer.argument,
            made_at=buffer.made_at,
            storage=buffer.storage,
        )
        for row, buffer in zip(counts.buffers, launch.buffers, strict=True)
    ]


def _lines(index: int, launch: Launch, counts: Traffic) -> list[LineRow]:
    return [
        LineRow(
            launch=index,
            function=launch.function,
            file=row.file,
            line=row.line,
            kind=row.kind,
            tensor=row.buffer,
            accesses=row.accesses,
            bytes=row.bytes,
            unique_bytes=row.unique_bytes,
            masked_share=row.masked_share,
            reuse=_reuse(row.bytes, row.unique_bytes),
            elements=row.elements,
        )
        for row in sorted(counts.lines, key=lambda row: (row.file, row.line))
    ]


def _reuse(requested: int, distinct: int) -> float:
    return requested / distinct if distinct else 0.0


def _fault(index: int, launch: Launch, fault: Fault) -> FaultRow:
    buffer = launch.buffers[fault.buffer] if fault.buffer >= 0 else None
    return FaultRow(
        launch=index,
        kind=fault.kind,
        tensor="" if buffer is None else buffer.name,
        file=fault.file,
        line=fault.line,
        program=fault.program,
        other_program=fault.other_program,
        index=fault.index,
        count=fault.count,
        sentence=fault.sentence,
        severity=fault.severity,
        function=launch.function,
        repair=fault.repair,
        shape="" if buffer is None else str(list(buffer.shape)),
        strides="" if buffer is None else str(list(buffer.strides)),
        iteration=", ".join(map(str, fault.iteration)),
        element=", ".join(map(str, fault.element)),
        value=fault.value,
        other_file=fault.other_file,
        other_line=fault.other_line,
    )
