"""Claims on what no launch may do: leave its tensors, race."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result
from core.contracts.text import Text


def stays_inside(result: Result) -> Finding:
    """Holds when not one access was masked off for leaving its tensor."""
    return _none_of(
        result,
        "out of bounds",
        "{accesses:,} element accesses in {launches:,} launch(es), none outside its tensor's memory (traced).",
    )


def no_races(result: Result) -> Finding:
    """Holds when no two programs of a launch store to the same byte without an atomic."""
    return _none_of(
        result,
        "write-write race",
        "{programs:,} programs in {launches:,} launch(es); no byte is stored to by two of one launch (traced). Atomics "
        "may meet; a read that meets a write is not looked for.",
    )


def _none_of(result: Result, kind: str, clean: str) -> Finding:
    names = ("launches", "programs", "accesses")
    if any(name not in result.metrics for name in names):
        return Finding(Verdict.NOT_TESTED, "Nothing has been traced: run the page to the end.")
    faults = [row for row in result.tables.get("faults", []) if row["kind"] == kind]
    if not faults:
        return Finding(Verdict.HOLDS, clean.format(**{name: int(result.value(name)) for name in names}))
    return Finding(Verdict.DOES_NOT_HOLD, f"{faults[0]['sentence']}{_and_more(len(faults) - 1)}")


def _and_more(count: int) -> str:
    if not count:
        return ""
    return f" And {count} more place{'s' if count > 1 else ''}: see the faults."


SAFETY_CLAIMS = (
    Claim(
        id="stays-inside",
        statement=Text("Every access stays inside its tensor.", "每次访存都落在张量范围之内。"),
        source="CUDA C++ Programming Guide: an access outside an allocation is undefined behaviour",
        test=stays_inside,
    ),
    Claim(
        id="no-races",
        statement=Text("No two programs write the same bytes.", "没有两个 program 写同一个字节。"),
        source="Triton: the programs of a launch run in any order, and nothing orders their stores",
        test=no_races,
    ),
)
