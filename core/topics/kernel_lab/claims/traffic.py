"""Claims on bytes: how often each is read, and whether what is written comes back."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result, Row
from core.contracts.text import Text
from core.format import format_quantity

ABOUT_ONCE = 1.25
L2_BYTES = 40_000_000
_L2 = "the L2 cache of an A100"


def read_once(result: Result) -> Finding:
    """Holds when all tensors together are read at most `ABOUT_ONCE` times; with a limit when what is read again is
    small enough for a cache."""
    read = [row for row in result.tables.get("tensors", []) if row["read_bytes"]]
    if not read:
        return Finding(Verdict.NOT_TESTED, "No launch of this run read anything.")
    asked = sum(row["read_bytes"] for row in read)
    distinct = sum(row["unique_bytes"] for row in read)
    again = max(read, key=lambda row: row["read_bytes"] - row["unique_bytes"])
    evidence = (
        f"The launches ask for {_size(asked)} of tensors of which they touch {_size(distinct)}: each byte "
        f"{asked / distinct:.2f} times (traced)"
    )
    if asked <= ABOUT_ONCE * distinct:
        return Finding(Verdict.HOLDS, f"{evidence}.")
    evidence += f"; most often {again['tensor']}, {_size(again['read_bytes'])} of {_size(again['unique_bytes'])}"
    largest = max((_touched_again(row) for row in read), default=0)
    if largest <= L2_BYTES:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT,
            f"{evidence}. What is read again takes {_size(largest)} at most and may come from {_L2} "
            f"({_size(L2_BYTES)}), or from nearer.",
        )
    return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}. That is more than {_L2} holds ({_size(L2_BYTES)}).")


def not_read_back(result: Result) -> Finding:
    """Holds when no launch reads memory that it or an earlier launch of the run wrote."""
    if "tensors" not in result.tables:
        return Finding(Verdict.NOT_TESTED, "Nothing has been traced: run the page to the end.")
    handovers = result.tables.get("handovers", [])
    if handovers:
        first, total = handovers[0], sum(row["read_bytes"] for row in handovers)
        return Finding(
            Verdict.DOES_NOT_HOLD,
            f"{first['read_by']} reads {_size(first['read_bytes'])} through {first['tensor']} that "
            f"{first['written_by']} wrote; {_size(total)} in all come back from memory between launches (traced, by "
            "address): one kernel that does both steps would not move them.",
        )
    in_place = [row["tensor"] for row in result.tables["tensors"] if row["read_bytes"] and row["written_bytes"]]
    if in_place:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT,
            f"No launch reads what an earlier one wrote, but {', '.join(dict.fromkeys(in_place))} is both read and "
            "written within a launch (traced).",
        )
    return Finding(Verdict.HOLDS, "No launch reads a tensor that it or an earlier launch wrote (traced, by address).")


def _touched_again(row: Row) -> int:
    return int(row["unique_bytes"]) if row["read_bytes"] > ABOUT_ONCE * row["unique_bytes"] else 0


def _size(count: float) -> str:
    return format_quantity(count, "bytes")


TRAFFIC_CLAIMS = (
    Claim(
        id="read-once",
        statement=Text("Each byte is read about once.", "每个字节大约只读一次。"),
        source="The lower bound of a memory-bound kernel: Williams et al. 2009 (Roofline), compulsory misses",
        test=read_once,
    ),
    Claim(
        id="not-read-back",
        statement=Text(
            "What a kernel writes is not read back: no intermediate goes through memory.",
            "kernel 写出的数据不会再被读回：没有中间结果经过显存。",
        ),
        source="The reason to fuse kernels: Dao et al. 2022 (arXiv 2205.14135), section 2.1",
        test=not_read_back,
    ),
)
