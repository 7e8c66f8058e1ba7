"""The data of the views of kernel-lab, made from a result and its launches."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache

from core.contracts.text import EMPTY, Text, sentences, tr, verbatim
from core.examples import FOLDER
from core.format import format_quantity, quantity
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.record import Launch
from core.user_code.paths import shown
from gui.pages.kernel_lab.editor import LineNotes

_ABOUT = {
    "flash_attention": (
        tr("Flash attention"),
        tr("FlashAttention's causal forward pass: a program keeps one tile of Q and loops over K and V"),
    ),
    "layer_norm": (tr("Layer norm"), tr("Layer norm, forward and backward: autograd launches two of its kernels")),
    "matmul": (
        tr("Matmul"),
        tr("Matrix product with grouped ordering: consecutive programs share tiles of A and B"),
    ),
    "out_of_bounds": (tr("Out of bounds"), tr("A stencil that reads one element past the end of its tensor")),
    "race": (tr("Race"), tr("Every program stores its sum into the same element")),
    "softmax": (
        tr("Softmax"),
        tr("Row softmax: a program holds a whole row, so each element is read once and written once"),
    ),
    "uncoalesced": (tr("Uncoalesced"), tr("The same copy twice: along the rows of a matrix, and down its columns")),
    "vector_add": (
        tr("Vector add"),
        tr("Vector addition: each program adds one block, and a mask keeps the last block inside the tensors"),
    ),
}
_COOLEST = 0.12


@dataclass(frozen=True)
class Example:
    """A file that comes with Tilescope: its path as in the parameters, its title, and what it shows."""

    path: str
    title: Text
    about: Text


@cache
def examples() -> tuple[Example, ...]:
    """The shipped examples, in order of their file names."""
    names = sorted(path.stem for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
    return tuple(Example(shown(FOLDER / f"{name}.py"), *_ABOUT.get(name, (verbatim(name), EMPTY))) for name in names)


def line_notes(result: KernelLabResult) -> dict[str, LineNotes]:
    """Bytes, heat and faults of each line, by file."""
    traffic: dict[str, dict[int, int]] = defaultdict(dict)
    for (file, line), moved_bytes in result.line_bytes().items():
        traffic[file][line] = moved_bytes
    faults: dict[str, dict[int, str]] = defaultdict(dict)
    for fault in result.faults:
        if fault.severity == "fault":
            faults[fault.file].setdefault(fault.line, str(sentences(fault.sentence, fault.repair)))
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
            shape = " × ".join(map(str, buffer.shape)) or str(tr("scalar"))
            seen.setdefault(buffer.data_ptr, (buffer.name, f"{shape} {buffer.dtype}"))
    return list(seen.values())


def launch_labels(result: KernelLabResult) -> list[str]:
    return [
        f"{row.launch + 1}: {row.function} [{row.grid.replace(' x ', ' × ')}]"
        + (f" {row.config}" if row.config else "")
        for row in result.launches
    ]


def summary(result: KernelLabResult) -> Text:
    """One line with the bytes of all launches."""
    read, written = (quantity(result.value(name), "bytes") for name in ("read_bytes", "written_bytes"))
    return tr("{read} read · {written} written", read=read, written=written)
