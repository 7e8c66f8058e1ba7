"""What authors of kernels take for granted, each with the test of it on their own kernel."""

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
_NOTHING_TRACED = "Nothing has been traced: run the page to the end."


def stays_inside(result: KernelLabResult) -> Finding:
    """Holds when not one access was masked off for leaving its tensor."""
    return _none_of(
        result,
        "out of bounds",
        "{accesses:,} element accesses in {launches:,} launch(es), none outside its tensor's memory (traced).",
    )


def no_races(result: KernelLabResult) -> Finding:
    """Holds when no two programs of a launch store to the same byte without an atomic."""
    return _none_of(
        result,
        "write-write race",
        "{programs:,} programs in {launches:,} launch(es); no byte is stored to by two of one launch (traced). Atomics "
        "may meet; a read that meets a write is not looked for.",
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
    return f" And {count} more place{'s' if count > 1 else ''}: see the faults."


def read_once(result: KernelLabResult) -> Finding:
    """Holds when all tensors together are read at most `ABOUT_ONCE` times; with a limit when what is read again is
    small enough for a cache."""
    read = [row for row in result.tensors if row.read_bytes]
    if not read:
        return Finding(Verdict.NOT_TESTED, "No launch of this run read anything.")
    requested = sum(row.read_bytes for row in read)
    distinct = sum(row.unique_bytes for row in read)
    again = max(read, key=lambda row: row.read_bytes - row.unique_bytes)
    evidence = (
        f"The launches ask for {_size(requested)} of tensors of which they touch {_size(distinct)}: each byte "
        f"{requested / distinct:.2f} times (traced)"
    )
    if requested <= ABOUT_ONCE * distinct:
        return Finding(Verdict.HOLDS, f"{evidence}.")
    evidence += f"; most often {again.tensor}, {_size(again.read_bytes)} of {_size(again.unique_bytes)}"
    largest = max((_touched_again(row) for row in read), default=0)
    if largest <= L2_BYTES:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT,
            f"{evidence}. What is read again takes {_size(largest)} at most and may come from {_L2} "
            f"({_size(L2_BYTES)}), or from nearer.",
        )
    return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}. That is more than {_L2} holds ({_size(L2_BYTES)}).")


def not_read_back(result: KernelLabResult) -> Finding:
    """Holds when no launch reads memory that it or an earlier launch of the run wrote."""
    if not result.launches:
        return Finding(Verdict.NOT_TESTED, _NOTHING_TRACED)
    handovers = result.handovers
    if handovers:
        first, total = handovers[0], sum(row.read_bytes for row in handovers)
        return Finding(
            Verdict.DOES_NOT_HOLD,
            f"{first.read_by} reads {_size(first.read_bytes)} through {first.tensor} that "
            f"{first.written_by} wrote; {_size(total)} in all come back from memory between launches (traced, by "
            "address): one kernel that does both steps would not move them.",
        )
    in_place = [row.tensor for row in result.tensors if row.read_bytes and row.written_bytes]
    if in_place:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT,
            f"No launch reads what an earlier one wrote, but {', '.join(dict.fromkeys(in_place))} is both read and "
            "written within a launch (traced).",
        )
    return Finding(Verdict.HOLDS, "No launch reads a tensor that it or an earlier launch wrote (traced, by address).")


def _touched_again(row: TensorRow) -> int:
    return int(row.unique_bytes) if row.read_bytes > ABOUT_ONCE * row.unique_bytes else 0


def _size(count: float) -> str:
    return format_quantity(count, "bytes")


def whole_sectors(result: KernelLabResult) -> Finding:
    """Holds when the sectors of all tiles, weighted by the bytes of their lines, are used to `WELL_USED` or more."""
    lines = {_place(row): row for row in result.line_traffic}
    uses = [(row, lines[_place(row)].bytes) for row in result.sectors if _place(row) in lines]
    used = sum(count for _, count in uses)
    if not used:
        return Finding(Verdict.NOT_TESTED, _NOTHING_TRACED)
    moved = sum(count / row.used_share for row, count in uses if row.used_share)
    worst, count = max(uses, key=lambda use: use[1] / (use[0].used_share or 1.0) - use[1])
    sampled = ", some tiles for all" if any(row.sampled for row, _ in uses) else ""
    evidence = (
        f"{used / moved:.0%} of the 32-byte sectors that the tiles touch is asked for: "
        f"{format_quantity(used, 'bytes')} of {format_quantity(moved, 'bytes')} (traced{sampled})"
    )
    if used >= WELL_USED * moved:
        return Finding(Verdict.HOLDS, f"{evidence}.")
    evidence += (
        f"; worst is the {worst.kind} of {worst.tensor} at {worst.file}:{worst.line} with "
        f"{worst.used_share:.1%} of {format_quantity(count / worst.used_share, 'bytes')}."
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT if used >= HALF_USED * moved else Verdict.DOES_NOT_HOLD, evidence)


def _place(row: LineRow | SectorRow) -> tuple[int, str, int, str, str]:
    return row.launch, row.file, row.line, row.kind, row.tensor


CLAIMS = (
    Claim(
        id="stays-inside",
        statement=tr("Every access stays inside its tensor."),
        source="CUDA C++ Programming Guide: an access outside an allocation is undefined behaviour",
        test=stays_inside,
    ),
    Claim(
        id="no-races",
        statement=tr("No two programs write the same bytes."),
        source="Triton: the programs of a launch run in any order, and nothing orders their stores",
        test=no_races,
    ),
    Claim(
        id="read-once",
        statement=tr("Each byte is read about once."),
        source="The lower bound of a memory-bound kernel: Williams et al. 2009 (Roofline), compulsory misses",
        test=read_once,
    ),
    Claim(
        id="not-read-back",
        statement=tr(
            "What a kernel writes is not read back: no intermediate goes through memory.",
        ),
        source="The reason to fuse kernels: Dao et al. 2022 (arXiv 2205.14135), section 2.1",
        test=not_read_back,
    ),
    Claim(
        id="whole-sectors",
        statement=tr(
            "What a program loads or stores at once lies together: memory is not moved in vain.",
        ),
        source="NVIDIA, CUDA C++ Best Practices Guide: Coalesced Access to Global Memory",
        test=whole_sectors,
    ),
)
