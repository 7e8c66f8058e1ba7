"""A kernel-lab result made by hand: a copy kernel of four programs, read twice, with one fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.contracts.result import Environment, Metric, Provenance, Result
from core.topics.kernel_lab.model import shown
from core.topics.kernel_lab.payload import ARRAY_PREFIX
from core.trace.affine import Affine, Term
from core.trace.file import encode
from core.trace.record import Access, Buffer, Fault, Launch
from core.trace.tables import tables

PROGRAMS, BLOCK = 4, 64
SOURCE = """import triton
import triton.language as tl


@triton.jit
def copy_kernel(x_ptr, y_ptr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + at)
    tl.store(y_ptr + at, x)


def main():
    copy_kernel[(4,)](1, 2, BLOCK=64)


def other():
    copy_kernel[(4,)](1, 2, BLOCK=64)
"""
LOAD_LINE, STORE_LINE = 8, 9


def lab_launch(file: str, loads: int = 1, load_line: int = LOAD_LINE, function: str = "copy_kernel") -> Launch:
    """`loads` loads of x and a store of y, block by block."""
    programs = np.arange(PROGRAMS)
    lane = Term(1, (programs * BLOCK)[:, None], 0, (PROGRAMS - 1) * BLOCK)
    column = Term(2, np.arange(BLOCK)[None, :], 0, BLOCK - 1)
    offset = Affine(1, 0, (lane, column))
    size = PROGRAMS * BLOCK * 4
    buffers = tuple(
        Buffer(name, "float32", 4, size, 4096 * (at + 1), (PROGRAMS, BLOCK), (BLOCK, 1))
        for at, name in enumerate(("x_ptr", "y_ptr"))
    )

    def access(kind: str, buffer: int, line: int, order: int) -> Access:
        return Access(kind, buffer, file, line, (), programs, (BLOCK,), offset, None, 4, order)  # type: ignore[arg-type]

    accesses = [access("load", 0, load_line, order) for order in range(loads)]
    accesses.append(access("store", 1, load_line + 1, loads))
    fault = Fault("out of bounds", "load", 0, file, load_line, 3, 256, 7, f"Illegal load at {file}:{load_line}.")
    return Launch(function, file, 5, SOURCE, "module {}", (PROGRAMS, 1, 1), buffers, tuple(accesses), faults=(fault,))


def lab_result(path: Path, loads: int = 1, load_line: int = LOAD_LINE, launches: int = 1, function: str = "") -> Result:
    """The result of running `path`, whose text it reads."""
    made = [lab_launch(str(path), loads, load_line) for _ in range(launches)]
    rows, arrays = encode(made)
    found = tables(made)
    for table in ("launches", "lines", "faults"):
        found[table] = [{**row, "file": shown(row["file"])} for row in found[table]]
    kernel = {"function": "copy_kernel", "first_line": 5, "ttir": "module {}", "launches": [0]}
    found["sources"] = [{"file": shown(path), "text": path.read_text(), "functions": [kernel]}]
    found["trace"] = rows
    return Result(
        "kernel-lab",
        {"file": shown(path), "function": function, "addresses_only": False, "memory_budget_mb": 2048},
        Environment("cpu", "lanes"),
        {"accesses": Metric(512.0, "", Provenance.TRACED)},
        {f"{ARRAY_PREFIX}{name}": array for name, array in arrays.items()},
        found,
    )
