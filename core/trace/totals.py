"""Totals over the launches of a trace: its kernels, source lines and tensors, the heaviest first.

`share` is the part of all bytes that the launches moved, 0 to 1. Distinct bytes are those of each launch, added up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from core.trace.record import AccessKind
from core.trace.tables import LaunchRow, LineRow, SectorRow, TensorRow

R = TypeVar("R")
K = TypeVar("K", bound=Hashable)
_Place = tuple[int, str, str, int, str, str]
"""Launch, function, file, line, kind of access and parameter."""


@dataclass(frozen=True)
class LineTotal:
    """One source line of a kernel and one of its parameters, over all launches of the kernel.

    `sector_share` is the part of the touched 32-byte sectors that is used, None if nothing was touched.
    """

    function: str
    file: str
    line: int
    kind: AccessKind
    tensor: str
    launches: int
    accesses: int
    read_bytes: int
    written_bytes: int
    unique_bytes: int
    share: float
    reuse: float
    masked_share: float
    sector_share: float | None


@dataclass(frozen=True)
class KernelTotal:
    """One kernel, over all its launches. `lines` are its lines, the heaviest first."""

    function: str
    file: str
    first_line: int
    launches: int
    programs: int
    accesses: int
    read_bytes: int
    written_bytes: int
    unique_bytes: int
    share: float
    reuse: float
    masked_share: float
    sector_share: float | None
    lines: tuple[LineTotal, ...]


@dataclass(frozen=True)
class TensorTotal:
    """One allocation, over all launches that touched it. `names` are the caller's, in order of appearance; without
    them, the kernel's parameters. `shape`, `dtype` and `size_bytes` are those of its largest view."""

    names: tuple[str, ...]
    made_at: str
    dtype: str
    shape: str
    size_bytes: int
    launches: int
    read_bytes: int
    written_bytes: int
    share: float


def kernel_totals(
    launches: Sequence[LaunchRow], lines: Iterable[LineRow], sectors: Iterable[SectorRow]
) -> tuple[KernelTotal, ...]:
    """The kernels with their lines."""
    everything = sum(row.read_bytes + row.written_bytes for row in launches)
    kernel_of = {row.launch: (row.file, row.first_line, row.function) for row in launches}
    shares = {_place(row): row.used_share for row in sectors}
    lines_of = _grouped(lines, lambda row: kernel_of[row.launch])
    totals = [
        _kernel(rows, lines_of.get(kernel, []), shares, everything)
        for kernel, rows in _grouped(launches, lambda row: kernel_of[row.launch]).items()
    ]
    return tuple(sorted(totals, key=lambda total: -(total.read_bytes + total.written_bytes)))


def tensor_totals(tensors: Iterable[TensorRow]) -> tuple[TensorTotal, ...]:
    """The allocations that launches touched. Where it is unknown which rows share one, each row is one."""
    rows = list(tensors)
    everything = sum(row.read_bytes + row.written_bytes for row in rows)
    groups = _grouped(rows, lambda row: (row.storage,) if row.storage >= 0 else (row.launch, row.tensor))
    totals = [_tensor(group, everything) for group in groups.values()]
    return tuple(sorted(totals, key=lambda total: -(total.read_bytes + total.written_bytes)))


def _kernel(
    rows: list[LaunchRow], lines: list[LineRow], shares: Mapping[_Place, float], everything: int
) -> KernelTotal:
    read, written, distinct = (sum(getattr(row, f"{name}_bytes") for row in rows) for name in _COUNTED)
    sites = _grouped(lines, lambda row: (row.function, row.file, row.line, row.kind, row.tensor)).values()
    totals = [_line(site, shares, everything) for site in sites]
    return KernelTotal(
        function=rows[0].function,
        file=rows[0].file,
        first_line=rows[0].first_line,
        launches=len(rows),
        programs=sum(row.programs for row in rows),
        accesses=sum(row.accesses for row in rows),
        read_bytes=read,
        written_bytes=written,
        unique_bytes=distinct,
        share=_ratio(read + written, everything),
        reuse=_ratio(read + written, distinct),
        masked_share=_masked(lines),
        sector_share=_sector_share(lines, shares),
        lines=tuple(sorted(totals, key=lambda total: (-(total.read_bytes + total.written_bytes), total.line))),
    )


_COUNTED = ("read", "written", "unique")


def _line(rows: list[LineRow], shares: Mapping[_Place, float], everything: int) -> LineTotal:
    first = rows[0]
    moved, distinct = (sum(getattr(row, name) for row in rows) for name in ("bytes", "unique_bytes"))
    read = moved if first.kind != "store" else 0
    written = moved if first.kind != "load" else 0
    return LineTotal(
        function=first.function,
        file=first.file,
        line=first.line,
        kind=first.kind,
        tensor=first.tensor,
        launches=len({row.launch for row in rows}),
        accesses=sum(row.accesses for row in rows),
        read_bytes=read,
        written_bytes=written,
        unique_bytes=distinct,
        share=_ratio(read + written, everything),
        reuse=_ratio(moved, distinct),
        masked_share=_masked(rows),
        sector_share=_sector_share(rows, shares),
    )


def _tensor(rows: list[TensorRow], everything: int) -> TensorTotal:
    largest = max(rows, key=lambda row: row.size_bytes)
    read, written = sum(row.read_bytes for row in rows), sum(row.written_bytes for row in rows)
    return TensorTotal(
        names=tuple(dict.fromkeys(row.argument or row.tensor for row in rows)),
        made_at=rows[0].made_at,
        dtype=largest.dtype,
        shape=largest.shape,
        size_bytes=largest.size_bytes,
        launches=len({row.launch for row in rows}),
        read_bytes=read,
        written_bytes=written,
        share=_ratio(read + written, everything),
    )


def _masked(rows: Iterable[LineRow]) -> float:
    """The share of the tiles' elements that is masked off."""
    rows = list(rows)
    elements = sum(row.elements for row in rows)
    return 1 - sum(row.accesses for row in rows) / elements if elements else 0.0


def _sector_share(rows: Iterable[LineRow], shares: Mapping[_Place, float]) -> float | None:
    """Bytes that lines use over those of the sectors that they touch."""
    used = [(row.bytes, shares[_place(row)]) for row in rows if shares.get(_place(row)) and row.bytes]
    moved = sum(count / share for count, share in used)
    return sum(count for count, _ in used) / moved if moved else None


def _place(row: LineRow | SectorRow) -> _Place:
    return row.launch, row.function, row.file, row.line, row.kind, row.tensor


def _grouped(rows: Iterable[R], key: Callable[[R], K]) -> dict[K, list[R]]:
    groups: dict[K, list[R]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
