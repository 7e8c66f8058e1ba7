"""Statements that kernel authors often take for granted, each tested on the user's own kernel."""

from __future__ import annotations

from collections.abc import Set

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, listed, sentences, tr, tr_plural
from core.format import quantity
from core.sanitizer.kinds import KINDS, LANES_COLLIDE, OUT_OF_BOUNDS, OUTSIDE_THE_VIEW, WRONG_STRIDES
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.tables import LineRow, SectorRow, TensorRow

ABOUT_ONCE = 1.25
L2_BYTES = 40_000_000
WELL_USED, HALF_USED = 0.8, 0.5
_OUTSIDE = {OUT_OF_BOUNDS, OUTSIDE_THE_VIEW, WRONG_STRIDES}
_RACES = {kind.id for kind in KINDS.values() if kind.group == "race"} - {LANES_COLLIDE}
"""Between programs."""
_NOTHING_TRACED = tr("Nothing has been traced yet: run the page to the end.")


def stays_inside(result: KernelLabResult) -> Finding:
    """Holds when no access left its tensor."""
    if untested := _faults_of(result, _OUTSIDE):
        return untested
    return Finding(
        Verdict.HOLDS,
        tr_plural(
            "{accesses:,} element accesses in {count:,} launch; none left the memory of its tensor (traced).",
            "{accesses:,} element accesses in {count:,} launches; none left the memory of its tensor (traced).",
            count=int(result.value("launches")),
            accesses=int(result.value("accesses")),
        ),
    )


def no_races(result: KernelLabResult) -> Finding:
    """Holds when no two programs of a launch touch the same byte, one of them with a store, in no defined order."""
    if untested := _faults_of(result, _RACES):
        return untested
    return Finding(
        Verdict.HOLDS,
        tr_plural(
            "{programs} in {count:,} launch; what one program of a launch stores, no other stores or reads, unless "
            "atomics order them (traced).",
            "{programs} in {count:,} launches; what one program of a launch stores, no other stores or reads, unless "
            "atomics order them (traced).",
            count=int(result.value("launches")),
            programs=tr_plural("{count:,} program", "{count:,} programs", count=int(result.value("programs"))),
        ),
    )


def _faults_of(result: KernelLabResult, kinds: Set[str]) -> Finding | None:
    """The finding for a run with such faults or without a trace; None for a clean run."""
    if any(name not in result.metrics for name in ("launches", "programs", "accesses")):
        return Finding(Verdict.NOT_TESTED, _NOTHING_TRACED)
    faults = [row for row in result.faults if row.severity == "fault" and row.kind in kinds]
    if not faults:
        return None
    others: Text | str = ""
    if len(faults) > 1:
        others = tr_plural(
            "There is {count} more such source location: see the list of faults.",
            "There are {count} more such source locations: see the list of faults.",
            count=len(faults) - 1,
        )
    return Finding(Verdict.DOES_NOT_HOLD, sentences(faults[0].sentence, faults[0].repair, others))


def read_once(result: KernelLabResult) -> Finding:
    """Holds when the bytes read are at most `ABOUT_ONCE` times the distinct bytes; with a limit when the tensors that
    are read repeatedly fit in a cache."""
    rows = [row for row in result.tensors if row.read_bytes]
    if not rows:
        return Finding(Verdict.NOT_TESTED, tr("No launch of this run read anything."))
    requested = sum(row.read_bytes for row in rows)
    distinct = sum(row.unique_bytes for row in rows)
    average = tr(
        "The launches read {requested} from {distinct} of distinct memory: each byte {times:.2f} times on average "
        "(traced).",
        requested=_size(requested),
        distinct=_size(distinct),
        times=requested / distinct,
    )
    if requested <= ABOUT_ONCE * distinct:
        return Finding(Verdict.HOLDS, average)
    repeated = max(rows, key=lambda row: row.read_bytes - row.unique_bytes)
    most = tr(
        "{tensor} contributes most: {read} read from {distinct}.",
        tensor=repeated.tensor,
        read=_size(repeated.read_bytes),
        distinct=_size(repeated.unique_bytes),
    )
    largest = max((_reread_bytes(row) for row in rows), default=0)
    if largest <= L2_BYTES:
        fits = tr(
            "A tensor that is read repeatedly takes at most {size}, which fits in the L2 cache of an A100 ({l2}).",
            size=_size(largest),
            l2=_size(L2_BYTES),
        )
        return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(average, most, fits))
    exceeds = tr(
        "A tensor that is read repeatedly takes {size}, more than the L2 cache of an A100 holds ({l2}).",
        size=_size(largest),
        l2=_size(L2_BYTES),
    )
    return Finding(Verdict.DOES_NOT_HOLD, sentences(average, most, exceeds))


def not_read_back(result: KernelLabResult) -> Finding:
    """Holds when no launch reads memory that it or an earlier launch of the run wrote."""
    if not result.launches:
        return Finding(Verdict.NOT_TESTED, _NOTHING_TRACED)
    if result.handovers:
        first, total = result.handovers[0], sum(row.read_bytes for row in result.handovers)
        return Finding(
            Verdict.DOES_NOT_HOLD,
            tr(
                "{reader} reads {size} through {tensor} that {writer} wrote. In total, {total} go through memory "
                "between launches (traced, by address). A fused kernel would not move them.",
                reader=first.read_by,
                size=_size(first.read_bytes),
                tensor=first.tensor,
                writer=first.written_by,
                total=_size(total),
            ),
        )
    in_place = [row.tensor for row in result.tensors if row.read_bytes and row.written_bytes]
    if in_place:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT,
            tr(
                "No launch reads what an earlier launch wrote, but {tensors} is both read and written within one "
                "launch (traced).",
                tensors=listed(dict.fromkeys(in_place)),
            ),
        )
    return Finding(
        Verdict.HOLDS, tr("No launch reads a tensor that it or an earlier launch wrote (traced, by address).")
    )


def _reread_bytes(row: TensorRow) -> int:
    """The distinct bytes of a tensor that is read repeatedly, else 0."""
    return int(row.unique_bytes) if row.read_bytes > ABOUT_ONCE * row.unique_bytes else 0


def _size(count: float) -> Text:
    return quantity(count, "bytes")


def whole_sectors(result: KernelLabResult) -> Finding:
    """Holds when at least `WELL_USED` of the sectors of all tiles is used, weighted by the bytes of their lines."""
    lines = {_place(row): row for row in result.line_traffic}
    uses = [(row, lines[_place(row)].bytes) for row in result.sectors if _place(row) in lines]
    used = sum(count for _, count in uses)
    if not used:
        return Finding(Verdict.NOT_TESTED, _NOTHING_TRACED)
    moved = sum(count / row.used_share for row, count in uses if row.used_share)
    share = tr(
        "The tiles use {share:.0%} of the 32-byte sectors that they touch: {used} of {moved} (traced).",
        share=used / moved,
        used=_size(used),
        moved=_size(moved),
    )
    sampled: Text | str = tr("Only some of the tiles were counted.") if any(row.sampled for row, _ in uses) else ""
    if used >= WELL_USED * moved:
        return Finding(Verdict.HOLDS, sentences(share, sampled))
    worst, count = max(uses, key=lambda use: use[1] / (use[0].used_share or 1.0) - use[1])
    location = f"{worst.file}:{worst.line}"
    lowest = tr(
        "The worst is the {kind} of {tensor} at {location}, which uses {share:.1%} of {moved}.",
        kind=worst.kind,
        tensor=worst.tensor,
        location=location,
        share=worst.used_share,
        moved=_size(count / worst.used_share),
    )
    verdict = Verdict.HOLDS_WITH_LIMIT if used >= HALF_USED * moved else Verdict.DOES_NOT_HOLD
    return Finding(verdict, sentences(share, sampled, lowest))


def _place(row: LineRow | SectorRow) -> tuple[int, str, int, str, str]:
    return row.launch, row.file, row.line, row.kind, row.tensor


CLAIMS = (
    Claim(
        id="stays-inside",
        statement=tr("Every access stays inside its tensor."),
        source=tr("NVIDIA, CUDA C++ Programming Guide: accesses outside an allocation are undefined behaviour"),
        test=stays_inside,
    ),
    Claim(
        id="no-races",
        statement=tr("Programs do not race: what one stores, no other one stores or reads."),
        source=tr("Triton documentation, programming model: the programs of a launch run in any order"),
        test=no_races,
    ),
    Claim(
        id="read-once",
        statement=tr("Each byte is read about once."),
        source=tr("Williams et al. 2009 (Roofline): compulsory misses are the lower bound of memory traffic"),
        test=read_once,
    ),
    Claim(
        id="not-read-back",
        statement=tr("No intermediate result goes through memory: what a kernel writes is not read back."),
        source=tr("{paper}, section {section}", paper="Dao et al. 2022 (arXiv 2205.14135)", section="2.1"),
        test=not_read_back,
    ),
    Claim(
        id="whole-sectors",
        statement=tr("Accesses are coalesced: what a program loads or stores at once is contiguous in memory."),
        source=tr("NVIDIA, CUDA C++ Best Practices Guide: Coalesced Access to Global Memory"),
        test=whole_sectors,
    ),
)
