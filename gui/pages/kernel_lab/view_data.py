"""The data of the views of kernel-lab, made from a result and its launches."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.format import format_quantity
from core.topics.kernel_lab.plan import shown
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.record import Launch
from gui.pages.kernel_lab.editor import LineNotes

EXAMPLES = Path(__file__).resolve().parents[3] / "resources" / "examples"
_COOLEST = 0.12


@dataclass(frozen=True)
class Example:
    """A file that comes with Tilescope: its path as in the parameters, and the first line of its docstring."""

    path: str
    title: str
    about: str


@cache
def examples() -> tuple[Example, ...]:
    """The shipped examples, in order of their names."""
    shipped = []
    for path in sorted(EXAMPLES.glob("*.py")):
        if not path.name.startswith("_"):
            about = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
            title = path.stem.replace("_", " ").capitalize()
            shipped.append(Example(shown(path), title, about.rstrip(".")))
    return tuple(shipped)


def is_shipped(path: Path | None) -> bool:
    return path is not None and path.parent == EXAMPLES


def line_notes(result: KernelLabResult) -> dict[str, LineNotes]:
    """Bytes, heat and faults of each line, by file."""
    traffic: dict[str, dict[int, int]] = defaultdict(dict)
    for (file, line), moved_bytes in result.line_bytes().items():
        traffic[file][line] = moved_bytes
    faults: dict[str, dict[int, str]] = defaultdict(dict)
    for fault in result.faults:
        faults[fault.file].setdefault(fault.line, fault.sentence)
    most = max((count for by_line in traffic.values() for count in by_line.values()), default=0) or 1
    return {
        file: LineNotes(
            {line: format_quantity(count, "bytes") for line, count in traffic[file].items()},
            {line: _COOLEST + (1 - _COOLEST) * (count / most) ** 0.5 for line, count in traffic[file].items() if count},
            faults[file],
        )
        for file in {*traffic, *faults}
    }


def tensor_labels(launch: Launch) -> list[tuple[str, str]]:
    """The tensors of a launch: name, shape and dtype. Several arguments with the same tensor count once."""
    seen: dict[int, tuple[str, str]] = {}
    for buffer in launch.buffers:
        if buffer.size_bytes:
            shape = " × ".join(map(str, buffer.shape)) or "scalar"
            seen.setdefault(buffer.data_ptr, (buffer.name, f"{shape} {buffer.dtype}"))
    return list(seen.values())


def launch_labels(result: KernelLabResult) -> list[str]:
    return [
        f"{row.launch + 1}: {row.function} [{row.grid.replace(' x ', ' × ')}]"
        + (f" {row.config}" if row.config else "")
        for row in result.launches
    ]


def summary(result: KernelLabResult) -> str:
    """One line with the bytes of all launches."""
    read, written = (format_quantity(result.value(name), "bytes") for name in ("read_bytes", "written_bytes"))
    return f"{read} read · {written} written"
