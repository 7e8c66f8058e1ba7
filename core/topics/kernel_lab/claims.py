"""Statements that kernel authors often take for granted, each tested on the user's own kernel."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.format import format_quantity
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.tables import LineRow, SectorRow, TensorRow

ABOUT_ONCE = 1.25
L2_BYTES = 40_000_000
_L2 = "the L2 cache of an A100"
WELL_USED, HALF_USED = 0.8, 0.5
_NOTHING_TRACED = "Nothing has been traced yet: run the page to the end."


def stays_inside(result: KernelLabResult) -> Finding:
    """Holds when no access left its tensor."""
    return _none_of(
        result,
        "out of bounds",
        "{accesses:,} element accesses in {launches:,} launch(es); none left the memory of its tensor (traced).",
    )


def no_races(result: KernelLabResult) -> Finding:
    """Holds when no two programs of a launch store to the same byte without an atomic."""
    return _none_of(
        result,
        "write-write race",
        "{programs:,} programs in {launches:,} launch(es); no two programs of a launch store to the same byte "
        "(traced). Atomics are allowed; reads that conflict with writes are not checked.",
    )


def _none_of(result: KernelLabResult, kind: str, clean: str) -> Finding:
    names = ("launches", "programs", "accesses")
    if any(name not in result.metrics for name in names):
        return Finding(Verdict.NOT_TESTED, _NOTHING_TRACED)
    faults = [row for row in result.faults if row.kind == kind]
    if not faults:
        return Finding(Verdict.HOLDS, clean.format(**{name: int(result.value(name)) for name in names}))
    return Finding(Verdict.DOES_NOT_HOLD, f"{faults[0].sentence}{_and_more(len(faults) - 1)}")


def _and_more(count: int) -> str:
    if not count:
        return ""
    return f" And {count} more source location{'s' if count > 1 else ''}: see Faults."


def read_once(result: KernelLabResult) -> Finding:
    """Holds when the bytes read are at most `ABOUT_ONCE` times the distinct bytes; with a limit when the tensors that
    are read repeatedly fit in a cache."""
    rows = [row for row in result.tensors if row.read_bytes]
    if not rows:
        return Finding(Verdict.NOT_TESTED, "No launch of this run read anything.")
    requested = sum(row.read_bytes for row in rows)
    distinct = sum(row.unique_bytes for row in rows)
    most_repeated = max(rows, key=lambda row: row.read_bytes - row.unique_bytes)
    evidence = (
        f"The launches read {_size(requested)} from {_size(distinct)} of distinct memory: each byte "
        f"{requested / distinct:.2f} times on average (traced)"
    )
    if requested <= ABOUT_ONCE * distinct:
        return Finding(Verdict.HOLDS, f"{evidence}.")
    evidence += (
        f"; {most_repeated.tensor} contributes most: {_size(most_repeated.read_bytes)} read from "
        f"{_size(most_repeated.unique_bytes)}"
    )
    largest = max((_reread_bytes(row) for row in rows), default=0)
    if largest <= L2_BYTES:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT,
            f"{evidence}. A tensor that is read repeatedly takes at most {_size(largest)}, which fits in {_L2} "
            f"({_size(L2_BYTES)}).",
        )
    return Finding(
        Verdict.DOES_NOT_HOLD,
        f"{evidence}. A tensor that is read repeatedly takes {_size(largest)}, more than {_L2} holds "
        f"({_size(L2_BYTES)}).",
    )


def not_read_back(result: KernelLabResult) -> Finding:
    """Holds when no launch reads memory that it or an earlier launch of the run wrote."""
    if not result.launches:
        return Finding(Verdict.NOT_TESTED, _NOTHING_TRACED)
    handovers = result.handovers
    if handovers:
        first, total = handovers[0], sum(row.read_bytes for row in handovers)
        return Finding(
            Verdict.DOES_NOT_HOLD,
            f"{first.read_by} reads {_size(first.read_bytes)} through {first.tensor} that {first.written_by} wrote. In "
            f"total, {_size(total)} go through memory between launches (traced, by address). A fused kernel would not "
            "move them.",
        )
    in_place = [row.tensor for row in result.tensors if row.read_bytes and row.written_bytes]
    if in_place:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT,
            f"No launch reads what an earlier launch wrote, but {', '.join(dict.fromkeys(in_place))} is both read and "
            "written within one launch (traced).",
        )
    return Finding(Verdict.HOLDS, "No launch reads a tensor that it or an earlier launch wrote (traced, by address).")


def _reread_bytes(row: TensorRow) -> int:
    """The distinct bytes of a tensor that is read repeatedly, else 0."""
    return int(row.unique_bytes) if row.read_bytes > ABOUT_ONCE * row.unique_bytes else 0


def _size(count: float) -> str:
    return format_quantity(count, "bytes")


def whole_sectors(result: KernelLabResult) -> Finding:
    """Holds when at least `WELL_USED` of the sectors of all tiles is used, weighted by the bytes of their lines."""
    lines = {_place(row): row for row in result.line_traffic}
    uses = [(row, lines[_place(row)].bytes) for row in result.sectors if _place(row) in lines]
    used = sum(count for _, count in uses)
    if not used:
        return Finding(Verdict.NOT_TESTED, _NOTHING_TRACED)
    moved = sum(count / row.used_share for row, count in uses if row.used_share)
    worst, count = max(uses, key=lambda use: use[1] / (use[0].used_share or 1.0) - use[1])
    sampled = ", sampled tiles" if any(row.sampled for row, _ in uses) else ""
    evidence = (
        f"The tiles use {used / moved:.0%} of the 32-byte sectors that they touch: "
        f"{format_quantity(used, 'bytes')} of {format_quantity(moved, 'bytes')} (traced{sampled})"
    )
    if used >= WELL_USED * moved:
        return Finding(Verdict.HOLDS, f"{evidence}.")
    evidence += (
        f"; the worst is the {worst.kind} of {worst.tensor} at {worst.file}:{worst.line}, which uses "
        f"{worst.used_share:.1%} of {format_quantity(count / worst.used_share, 'bytes')}."
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT if used >= HALF_USED * moved else Verdict.DOES_NOT_HOLD, evidence)


def _place(row: LineRow | SectorRow) -> tuple[int, str, int, str, str]:
    return row.launch, row.file, row.line, row.kind, row.tensor


CLAIMS = (
    Claim(
        id="stays-inside",
        statement=tr("Every access stays inside its tensor."),
        source="NVIDIA, CUDA C++ Programming Guide: accesses outside an allocation are undefined behaviour",
        test=stays_inside,
    ),
    Claim(
        id="no-races",
        statement=tr("No two programs write the same bytes."),
        source="Triton documentation, programming model: the programs of a launch run in any order",
        test=no_races,
    ),
    Claim(
        id="read-once",
        statement=tr("Each byte is read about once."),
        source="Williams et al. 2009 (Roofline): compulsory misses are the lower bound of memory traffic",
        test=read_once,
    ),
    Claim(
        id="not-read-back",
        statement=tr("No intermediate result goes through memory: what a kernel writes is not read back."),
        source="Dao et al. 2022 (arXiv 2205.14135), section 2.1: why kernels are fused",
        test=not_read_back,
    ),
    Claim(
        id="whole-sectors",
        statement=tr("Accesses are coalesced: what a program loads or stores at once is contiguous in memory."),
        source="NVIDIA, CUDA C++ Best Practices Guide: Coalesced Access to Global Memory",
        test=whole_sectors,
    ),
)
