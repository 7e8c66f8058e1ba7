"""A claim on coalescing, as far as addresses tell."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result, Row
from core.contracts.text import Text
from core.format import format_quantity

WELL_USED, HALF_USED = 0.8, 0.5


def whole_sectors(result: Result) -> Finding:
    """Holds when the sectors of all tiles, weighted by the bytes of their lines, are used to `WELL_USED` or more."""
    lines = {_place(row): row for row in result.tables.get("lines", [])}
    uses = [(row, lines[_place(row)]["bytes"]) for row in result.tables.get("sectors", []) if _place(row) in lines]
    used = sum(count for _, count in uses)
    if not used:
        return Finding(Verdict.NOT_TESTED, "Nothing has been traced: run the page to the end.")
    moved = sum(count / row["used_share"] for row, count in uses if row["used_share"])
    worst, count = max(uses, key=lambda use: use[1] / (use[0]["used_share"] or 1.0) - use[1])
    sampled = ", some tiles for all" if any(row["sampled"] for row, _ in uses) else ""
    evidence = (
        f"{used / moved:.0%} of the 32-byte sectors that the tiles touch is asked for: "
        f"{format_quantity(used, 'bytes')} of {format_quantity(moved, 'bytes')} (traced{sampled})"
    )
    if used >= WELL_USED * moved:
        return Finding(Verdict.HOLDS, f"{evidence}.")
    evidence += (
        f"; worst is the {worst['kind']} of {worst['tensor']} at {worst['file']}:{worst['line']} with "
        f"{worst['used_share']:.1%} of {format_quantity(count / worst['used_share'], 'bytes')}."
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT if used >= HALF_USED * moved else Verdict.DOES_NOT_HOLD, evidence)


def _place(row: Row) -> tuple[int, str, int, str, str]:
    return row["launch"], row["file"], row["line"], row["kind"], row["tensor"]


SECTOR_CLAIMS = (
    Claim(
        id="whole-sectors",
        statement=Text(
            "What a program loads or stores at once lies together: memory is not moved in vain.",
            "一个 program 同时读写的数据在内存中相邻：没有白白搬运的内存。",
        ),
        source="NVIDIA, CUDA C++ Best Practices Guide: Coalesced Access to Global Memory",
        test=whole_sectors,
    ),
)
