"""The example files that ship with Tilescope, and the page that opens each."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.contracts.errors import InvalidParams
from core.contracts.text import Text, tr, verbatim
from core.user_code.paths import resolved

if TYPE_CHECKING:
    from core.contracts.params import Params, Scalar
    from core.contracts.topic import Topic

FOLDER = Path(__file__).resolve().parents[1] / "resources" / "examples"
_COMPARISON = "compare_"

_SUMMARIES = (
    tr("A comparison: two softmax kernels of one's own, PyTorch's, and a reference. Open it on the compare page."),
    tr("FlashAttention's forward pass, causal: each program keeps one Q tile and loops over K and V."),
    tr("Layer norm, forward and backward: autograd launches the second and third kernel."),
    tr("Matrix product with grouped ordering: consecutive programs share tiles of A and B."),
    tr("A read past the end: each element is read with its successor, and the last successor is not masked."),
    tr("A race: every program stores its sum in the same element, and only the last store remains."),
    tr("Row softmax: each program holds a whole row, so every element is read once and written once."),
    tr("The same copy twice: along the rows of a matrix, and down its columns."),
    tr("Vector addition: each program adds one block; the mask keeps the last block inside the tensors."),
)
"""What the examples that ship say of themselves, so that it is translated."""


@dataclass(frozen=True)
class Example:
    """`summary` is the first line of the file's docstring, empty without one. `set` are the parameters that open it."""

    name: str
    summary: Text
    page: str
    set: Mapping[str, Scalar]


def examples(folder: Path = FOLDER) -> tuple[Example, ...]:
    """All examples by name. They are parsed, never run."""
    return tuple(_example(path) for path in sorted(folder.glob("*.py")))


def is_shipped(path: Path | None) -> bool:
    """Whether a file is one of the examples."""
    return path is not None and path.parent == FOLDER


def opens_own_files(topic: Topic, params: Params) -> bool:
    """Whether a run opens a file of the user: one that is named and is none of the examples."""
    files = (str(getattr(params, name)).strip() for name in topic.path_params)
    return any(file and not _is_example(file) for file in files)


def _is_example(file: str) -> bool:
    try:
        return is_shipped(resolved(file))
    except InvalidParams:
        return False


def _example(path: Path) -> Example:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    line = docstring.partition("\n")[0]
    summary = next((each for each in _SUMMARIES if each.message == line), verbatim(line))
    shown = f"resources/examples/{path.name}" if path.parent == FOLDER else str(path)
    if path.name.startswith(_COMPARISON):
        return Example(path.name, summary, "compare", {"family": "file", "file": shown})
    return Example(path.name, summary, "kernel-lab", {"file": shown, "function": ""})
