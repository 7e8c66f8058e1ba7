"""The findings of a run, each once, and which of them a comment in the source accepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from core.contracts.text import Text, sentences
from core.files import read_regular
from core.proofs.record import Proof
from core.sanitizer.suppressions import Suppression, suppressions
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.tables import FaultRow
from core.user_code.paths import PROJECT

_LARGEST_FILE_BYTES = 4 << 20


@dataclass(frozen=True)
class Found:
    """A finding; `row` is its first occurrence, and `launches` has all launches that it occurred in.

    `suppression` is the comment that accepts it, or None.
    """

    row: FaultRow
    launches: tuple[int, ...]
    suppression: Suppression | None = None

    @property
    def counts(self) -> bool:
        """Whether it makes a check fail."""
        return self.row.severity == "fault" and self.suppression is None

    @property
    def text(self) -> str:
        """What happened and how to mend it, in one line."""
        return " ".join(str(sentences(self.row.sentence, self.row.repair)).split())


@dataclass(frozen=True)
class Refused:
    """A suppression comment that is not accepted."""

    file: str
    line: int
    problem: Text


@dataclass(frozen=True)
class Check:
    """The findings of a run. Files inside the current folder are relative to it.

    `kernels` are the kernels that were launched, with their file and line. `failure` is what the function or its tests
    raised, or empty.
    """

    found: tuple[Found, ...]
    refused: tuple[Refused, ...]
    kernels: tuple[tuple[str, str, int], ...]
    result: KernelLabResult

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many faults and remarks there are that no comment accepts, and how many are suppressed."""
        open_ = [found for found in self.found if found.suppression is None]
        faults = sum(found.counts for found in open_)
        return {"faults": faults, "remarks": len(open_) - faults, "suppressed": len(self.found) - len(open_)}

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """What holds for all sizes, by kernel; empty unless it was asked for."""
        return tuple(replace(proof, file=_from_here(proof.file)) for proof in self.result.proofs)

    @property
    def fails(self) -> bool:
        return bool(self.result.failure) or self.counts["faults"] > 0

    def as_json(self) -> dict[str, Any]:
        """One object, texts in the current language. `suppressed` is the reason that a comment gives, or null."""
        return {
            "format": "tilescope-check",
            "version": 1,
            "counts": self.counts,
            "findings": [
                {
                    **{name: str(value) if isinstance(value, Text) else value for name, value in asdict_row(found.row)},
                    "launches": list(found.launches),
                    "suppressed": None if found.suppression is None else found.suppression.reason,
                }
                for found in self.found
            ],
            "refused_suppressions": [{**asdict(each), "problem": str(each.problem)} for each in self.refused],
            "kernels": [{"function": name, "file": file, "line": line} for name, file, line in self.kernels],
            "proofs": [{**vars(proof), "sentence": str(proof.sentence)} for proof in self.proofs],
            "failure": str(self.result.failure),
            "messages": [str(message.text) for message in self.result.messages],
            "printed": [asdict(part) for part in self.result.log],
        }


def asdict_row(row: FaultRow) -> Iterator[tuple[str, Any]]:
    """The fields of a row, without the launch: a finding may occur in several."""
    return ((name, value) for name, value in vars(row).items() if name != "launch")


def checked(result: KernelLabResult) -> Check:
    """The findings of a run, faults first. The same kind at the same line and tensor is one finding."""
    grouped: dict[tuple[object, ...], list[FaultRow]] = {}
    for row in result.faults:
        key = (row.severity != "fault", row.kind, row.file, row.line, row.tensor, row.other_file, row.other_line)
        grouped.setdefault(key, []).append(row)
    texts = _texts(result)
    accepted: dict[tuple[str, int], list[Suppression]] = {}
    refused: list[Refused] = []
    for file, text in texts.items():
        for each in suppressions(text):
            if each.problem is not None:
                refused.append(Refused(_from_here(file), each.line, each.problem))
            else:
                accepted.setdefault((file, each.line), []).append(each)
    found = tuple(_found(grouped[key], accepted) for key in sorted(grouped, key=lambda key: bool(key[0])))
    kernels = dict.fromkeys((row.function, _from_here(row.file), row.first_line) for row in result.launches)
    return Check(found, tuple(refused), tuple(kernels), result)


def _found(rows: list[FaultRow], accepted: Mapping[tuple[str, int], list[Suppression]]) -> Found:
    first = rows[0]
    places = [(first.file, first.line), (first.other_file, first.other_line)]
    comments = [comment for place in places for comment in accepted.get(place, ()) if first.kind in comment.kinds]
    shown = replace(
        first,
        file=_from_here(first.file),
        other_file=_from_here(first.other_file) if first.other_file else "",
    )
    return Found(shown, tuple(dict.fromkeys(row.launch for row in rows)), comments[0] if comments else None)


def _texts(result: KernelLabResult) -> dict[str, str]:
    """The text of every file with a kernel or a finding."""
    texts = {traced.file: traced.text for traced in result.files}
    for row in result.faults:
        for file in (row.file, row.other_file):
            if file and file not in texts:
                texts[file] = _read(PROJECT / file)
    return texts


def _read(path: Path) -> str:
    try:
        return read_regular(path, _LARGEST_FILE_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _from_here(file: str) -> str:
    """The path from the current folder, if it lies there: what editors and services for code expect."""
    path = PROJECT / file
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else str(path)
