"""Two runs against each other: bytes per tensor and per source line, lines matched by their text."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from core.contracts.result import Result


@dataclass(frozen=True)
class Difference:
    """Bytes of one thing in both runs. `file` and `line` are those of B where it is a line that B has."""

    kind: Literal["total", "tensor", "line"]
    label: str
    a_bytes: int
    b_bytes: int
    file: str = ""
    line: int = 0
    tensor: str = ""

    @property
    def delta_bytes(self) -> int:
        return self.b_bytes - self.a_bytes

    @property
    def share(self) -> float | None:
        """The change relative to A; None where A moved nothing."""
        return self.delta_bytes / self.a_bytes if self.a_bytes else None


def differences(a: Result, b: Result) -> list[Difference]:
    """Totals first, then tensors, then lines in the order of B's file; what neither moves is left out."""
    found = [*_totals(a, b), *_tensors(a, b), *_lines(a, b)]
    return [difference for difference in found if difference.a_bytes or difference.b_bytes]


def _totals(a: Result, b: Result) -> list[Difference]:
    sums = [
        {way: sum(row[f"{way}_bytes"] for row in result.tables.get("launches", [])) for way in ("read", "written")}
        for result in (a, b)
    ]
    return [Difference("total", f"all tensors {way}", sums[0][way], sums[1][way]) for way in ("read", "written")]


def _tensors(a: Result, b: Result) -> list[Difference]:
    counts = [_tensor_bytes(result) for result in (a, b)]
    keys = dict.fromkeys([*counts[1], *counts[0]])
    return [
        Difference("tensor", f"{tensor} {way}", counts[0][tensor, way], counts[1][tensor, way], tensor=tensor)
        for tensor, way in keys
    ]


def _tensor_bytes(result: Result) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in result.tables.get("tensors", []):
        for way in ("read", "written"):
            counts[row["tensor"], way] += row[f"{way}_bytes"]
    return counts


def _lines(a: Result, b: Result) -> list[Difference]:
    """Lines of A take the number that they have in B; those that B lacks stay under their own, as removed."""
    moved_a, moved_b = _line_bytes(a), _line_bytes(b)
    numbers = _numbers_in_b(a, b)
    texts = {row["file"]: row["text"].split("\n") for row in b.tables.get("sources", [])}
    old_texts = {row["file"]: row["text"].split("\n") for row in a.tables.get("sources", [])}
    matched: Counter[tuple[str, int]] = Counter()
    removed = []
    for (file, line), held in moved_a.items():
        place = numbers.get((file, line))
        if place is None:
            removed.append(
                Difference("line", f"{_name(file)}:{line} (A only)  {_text(old_texts, file, line)}", held, 0)
            )
        else:
            matched[place] += held
    places = sorted({*matched, *moved_b})
    kept = [
        Difference(
            "line",
            f"{_name(file)}:{line}  {_text(texts, file, line)}",
            matched[file, line],
            moved_b[file, line],
            file,
            line,
        )
        for file, line in places
    ]
    return kept + removed


def _line_bytes(result: Result) -> Counter[tuple[str, int]]:
    counts: Counter[tuple[str, int]] = Counter()
    for row in result.tables.get("lines", []):
        counts[row["file"], row["line"]] += row["bytes"]
    return counts


def _numbers_in_b(a: Result, b: Result) -> dict[tuple[str, int], tuple[str, int]]:
    """(file, line) of A to that of B, where the line is in both. A renamed file goes with the one at its place."""
    sources_a, sources_b = a.tables.get("sources", []), b.tables.get("sources", [])
    by_name = {row["file"]: row for row in sources_b}
    numbers = {}
    for index, old in enumerate(sources_a):
        new = by_name.get(old["file"]) or (sources_b[index] if index < len(sources_b) else None)
        if new is None:
            continue
        matcher = difflib.SequenceMatcher(None, old["text"].split("\n"), new["text"].split("\n"), autojunk=False)
        for first_a, first_b, size in matcher.get_matching_blocks():
            for step in range(size):
                numbers[old["file"], first_a + step + 1] = (new["file"], first_b + step + 1)
        for tag, a0, a1, b0, b1 in matcher.get_opcodes():
            # As many lines as before: the same ones, edited.
            if tag == "replace" and a1 - a0 == b1 - b0:
                for step in range(a1 - a0):
                    numbers[old["file"], a0 + step + 1] = (new["file"], b0 + step + 1)
    return numbers


def _name(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[2]


def _text(texts: dict[str, list[str]], file: str, line: int) -> str:
    lines = texts.get(file, [])
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""
