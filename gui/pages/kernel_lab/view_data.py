"""What the plots of kernel-lab draw, made from a result and its launches."""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from core.contracts.result import Environment, KernelSource, Metric, Provenance, Result, Row
from core.format import format_quantity
from core.topics.kernel_lab.model import shown
from core.topics.kernel_lab.payload import launches_of
from core.trace.file import load
from core.trace.record import Launch
from core.trace.tables import tables
from gui.pages.kernel_lab.editor import LineNotes
from gui.pages.kernel_lab.traffic_source import SourceFile

EXAMPLES = Path(__file__).resolve().parents[3] / "resources" / "examples"
_COOLEST = 0.12


@dataclass(frozen=True)
class Example:
    """A file that comes with Tilescope: its path as parameters name it, and the first line of its docstring."""

    path: str
    title: str
    about: str


@cache
def examples() -> tuple[Example, ...]:
    """The shipped examples, by name."""
    found = []
    for path in sorted(EXAMPLES.glob("*.py")):
        if not path.name.startswith("_"):
            about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
            title = path.stem.replace("_", " ").capitalize()
            found.append(Example(shown(path), title, about.rstrip(".")))
    return tuple(found)


def is_shipped(path: Path | None) -> bool:
    return path is not None and path.parent == EXAMPLES


def launches_in(result: Result) -> list[Launch]:
    """The launches of a result, their files named as in its tables."""
    return [_with_shown_files(launch) for launch in launches_of(result)]


def opened(path: Path) -> tuple[Result, list[Launch]]:
    """A trace that somebody exported, as a result. Raises TilescopeError for a file that is none."""
    launches = [_with_shown_files(launch) for launch in load(path)]
    found = tables(launches)
    files = dict.fromkeys(launch.file for launch in launches)
    found["sources"] = [{"file": file, "text": "", "functions": _functions(launches, file)} for file in files]
    units = {"programs": "", "accesses": "", "read_bytes": "bytes", "written_bytes": "bytes"}
    metrics = {
        name: Metric(float(sum(row[name] for row in found["launches"])), unit, Provenance.TRACED, path.name)
        for name, unit in units.items()
    }
    return Result("kernel-lab", {}, Environment(f"opened from {path.name}", "trace file"), metrics, {}, found), launches


def source_files(result: Result, launches: Sequence[Launch]) -> list[SourceFile]:
    """The files of a result, none of which can be edited: those of an opened trace hold their kernels only."""
    files = []
    for row in result.tables.get("sources", []):
        if row["text"]:
            files.append(SourceFile(row["file"], row["text"]))
            continue
        inside = sorted({(launch.first_line, launch.source) for launch in launches if launch.file == row["file"]})
        text, first = _joined(inside)
        files.append(SourceFile(row["file"], text, first))
    return files


def kernel_sources(result: Result) -> tuple[KernelSource, ...]:
    """One per kernel, with the text of the kernel alone."""
    sources: dict[str, KernelSource] = {}
    for source in result.tables.get("sources", []):
        name = source["file"].replace("\\", "/").rpartition("/")[2]
        for kernel in source["functions"]:
            function, first_line = kernel["function"], kernel["first_line"]
            text = kernel.get("text") or _definition(source["text"], first_line)
            sources.setdefault(function, KernelSource(name, function, source["file"], first_line, text, kernel["ttir"]))
    return tuple(sources.values())


def faults(result: Result) -> list[Row]:
    """The table 'faults', with files in its sentences named as elsewhere."""
    project = f"{EXAMPLES.parents[1]}{os.sep}"
    return [{**row, "sentence": row["sentence"].replace(project, "")} for row in result.tables.get("faults", [])]


def line_notes(result: Result) -> dict[str, LineNotes]:
    """Bytes, heat and faults of each line, by file."""
    moved: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for row in result.tables.get("lines", []):
        moved[row["file"]][row["line"]] += row["bytes"]
    at_fault: dict[str, dict[int, str]] = defaultdict(dict)
    for row in faults(result):
        at_fault[row["file"]].setdefault(row["line"], row["sentence"])
    most = max((held for by_line in moved.values() for held in by_line.values()), default=0) or 1
    return {
        file: LineNotes(
            {line: format_quantity(held, "bytes") for line, held in moved[file].items()},
            {line: _COOLEST + (1 - _COOLEST) * (held / most) ** 0.5 for line, held in moved[file].items() if held},
            at_fault[file],
        )
        for file in {*moved, *at_fault}
    }


def tensor_labels(launch: Launch) -> list[tuple[str, str]]:
    """The tensors of a launch: name, shape and precision. Arguments that are one tensor count once."""
    seen: dict[int, tuple[str, str]] = {}
    for buffer in launch.buffers:
        if buffer.size_bytes:
            shape = " × ".join(map(str, buffer.shape)) or "scalar"
            seen.setdefault(buffer.data_ptr, (buffer.name, f"{shape} {buffer.dtype}"))
    return list(seen.values())


def launch_labels(result: Result) -> list[str]:
    return [
        f"{row['launch'] + 1}: {row['function']} [{row['grid'].replace(' x ', ' × ')}]"
        + (f" {row['config']}" if row["config"] else "")
        for row in result.tables.get("launches", [])
    ]


def summary(result: Result) -> str:
    """The bytes of all launches in a line."""
    rows = result.tables.get("launches", [])
    read, written = (format_quantity(sum(row[f"{way}_bytes"] for row in rows), "bytes") for way in ("read", "written"))
    return f"{read} read · {written} written"


def function_at(result: Result, file: str, line: int) -> str | None:
    """The kernel that a line belongs to: the one that made its accesses, else the one that begins last before it."""
    rows = result.tables.get("lines", [])
    direct = next((row["function"] for row in rows if row["file"] == file and row["line"] == line), None)
    if direct is not None:
        return str(direct)
    begins = [
        (function["first_line"], function["function"])
        for source in result.tables.get("sources", [])
        if source["file"] == file
        for function in source["functions"]
        if function["first_line"] <= line
    ]
    return max(begins)[1] if begins else None


def tensor_at(result: Result, file: str, line: int, launch: int) -> str | None:
    """The tensor that a line moves most of in a launch, or None."""
    rows = [row for row in result.tables.get("lines", []) if (row["file"], row["line"]) == (file, line)]
    rows = [row for row in rows if row["launch"] == launch] or rows
    return None if not rows else str(max(rows, key=lambda row: row["bytes"])["tensor"])


def file_of(result: Result, function: str) -> str | None:
    """The file that a kernel stands in."""
    for source in result.tables.get("sources", []):
        if any(row["function"] == function for row in source["functions"]):
            return str(source["file"])
    return None


def _with_shown_files(launch: Launch) -> Launch:
    names = {file: shown(file) for file in {launch.file, *(access.file for access in launch.accesses)}}
    return replace(
        launch,
        file=names[launch.file],
        accesses=tuple(replace(access, file=names[access.file]) for access in launch.accesses),
    )


def _functions(launches: Sequence[Launch], file: str) -> list[Row]:
    rows = {}
    for launch in launches:
        if launch.file == file:
            about = {"first_line": launch.first_line, "ttir": launch.ttir, "text": launch.source, "launches": []}
            rows.setdefault(launch.function, {"function": launch.function, **about})
    return list(rows.values())


def _joined(kernels: Iterable[tuple[int, str]]) -> tuple[str, int]:
    """Kernels of one file at their own lines, blank lines between, and the number of the first line."""
    lines: list[str] = []
    first: int | None = None
    for begin, text in kernels:
        first = begin if first is None else first
        lines += [""] * (begin - first - len(lines))
        lines += text.rstrip("\n").split("\n")
    return "\n".join(lines), first or 1


def _definition(text: str, first_line: int) -> str:
    """The function that begins at a line of a file, decorators included."""
    lines = text.split("\n")[first_line - 1 :]
    body_seen = False
    for index, line in enumerate(lines):
        top = line[:1] not in ("", " ", "\t", ")", "#")
        if body_seen and top:
            return "\n".join(lines[:index]).rstrip() + "\n"
        body_seen = body_seen or line.startswith("def ")
    return "\n".join(lines).rstrip() + "\n"
