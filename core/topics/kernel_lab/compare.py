"""Compares two runs: bytes per tensor and per source line, with lines matched by their text."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from core.contracts.text import Text, tr, verbatim
from core.topics.kernel_lab.result import KernelLabResult, TracedFile, file_name


@dataclass(frozen=True)
class Difference:
    """Bytes of a total, a tensor or a line in both runs. `file` and `line` locate a line of B."""

    kind: Literal["total", "tensor", "line"]
    label: Text
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
        """The change relative to A; None if A moved nothing."""
        return self.delta_bytes / self.a_bytes if self.a_bytes else None


def differences(a: KernelLabResult, b: KernelLabResult) -> list[Difference]:
    """Totals first, then tensors, then lines in the order of B's file, without those that neither run moves."""
    candidates = [*_totals(a, b), *_tensors(a, b), *_lines(a, b)]
    return [difference for difference in candidates if difference.a_bytes or difference.b_bytes]


def _totals(a: KernelLabResult, b: KernelLabResult) -> list[Difference]:
    read, written = (
        [sum(getattr(row, name) for row in run.launches) for run in (a, b)] for name in ("read_bytes", "written_bytes")
    )
    return [
        Difference("total", tr("all tensors, read"), *read),
        Difference("total", tr("all tensors, written"), *written),
    ]


def _tensors(a: KernelLabResult, b: KernelLabResult) -> list[Difference]:
    counts = [_tensor_bytes(result) for result in (a, b)]
    keys = dict.fromkeys([*counts[1], *counts[0]])
    return [
        Difference(
            "tensor",
            tr("{tensor}, read", tensor=tensor) if kind == "read" else tr("{tensor}, written", tensor=tensor),
            counts[0][tensor, kind],
            counts[1][tensor, kind],
            tensor=tensor,
        )
        for tensor, kind in keys
    ]


def _tensor_bytes(result: KernelLabResult) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in result.tensors:
        counts[row.tensor, "read"] += row.read_bytes
        counts[row.tensor, "written"] += row.written_bytes
    return counts


def _lines(a: KernelLabResult, b: KernelLabResult) -> list[Difference]:
    """Lines of A take their line number in B; lines that B lacks keep their own number, as removed."""
    bytes_a, bytes_b = a.line_bytes(), b.line_bytes()
    numbers = _numbers_in_b(a, b)
    texts, old_texts = (_line_texts(run.files) for run in (b, a))
    matched: Counter[tuple[str, int]] = Counter()
    removed = []
    for (file, line), moved_bytes in bytes_a.items():
        place = numbers.get((file, line))
        if place is None:
            location, code = f"{file_name(file)}:{line}", _text(old_texts, file, line)
            label = tr("{location} (only in A)  {code}", location=location, code=code)
            removed.append(Difference("line", label, moved_bytes, 0))
        else:
            matched[place] += moved_bytes
    places = sorted({*matched, *bytes_b})
    kept = [
        Difference(
            "line",
            verbatim(f"{file_name(file)}:{line}  {_text(texts, file, line)}"),
            matched[file, line],
            bytes_b[file, line],
            file,
            line,
        )
        for file, line in places
    ]
    return kept + removed


def _numbers_in_b(a: KernelLabResult, b: KernelLabResult) -> dict[tuple[str, int], tuple[str, int]]:
    """Maps (file, line) of A to that of B for lines in both. A renamed file matches the file with the same index."""
    by_name = {traced.file: traced for traced in b.files}
    numbers = {}
    for index, old in enumerate(a.files):
        new = by_name.get(old.file) or (b.files[index] if index < len(b.files) else None)
        if new is None:
            continue
        matcher = difflib.SequenceMatcher(None, old.text.split("\n"), new.text.split("\n"), autojunk=False)
        for first_a, first_b, size in matcher.get_matching_blocks():
            for step in range(size):
                numbers[old.file, first_a + step + old.first_line] = (new.file, first_b + step + new.first_line)
        for tag, a0, a1, b0, b1 in matcher.get_opcodes():
            # The same number of lines as before: treat them as the same lines, edited.
            if tag == "replace" and a1 - a0 == b1 - b0:
                for step in range(a1 - a0):
                    numbers[old.file, a0 + step + old.first_line] = (new.file, b0 + step + new.first_line)
    return numbers


def _line_texts(files: Iterable[TracedFile]) -> dict[str, dict[int, str]]:
    """The text of each line, by file and number."""
    return {traced.file: dict(enumerate(traced.text.split("\n"), traced.first_line)) for traced in files}


def _text(texts: dict[str, dict[int, str]], file: str, line: int) -> str:
    return texts.get(file, {}).get(line, "").strip()
