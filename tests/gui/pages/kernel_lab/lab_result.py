"""A kernel-lab result made by hand: a copy kernel of four programs, read twice, with one fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.contracts.result import Environment, Metric, Provenance
from core.contracts.text import tr
from core.topics.kernel_lab import analysis
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import KernelLabResult, source_lines
from core.trace.affine import Affine, Term
from core.trace.file import EncodedTrace
from core.trace.record import Access, Buffer, Fault, Launch
from core.trace.tables import tables
from core.user_code.paths import shown

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
        Buffer(name, "float32", 4, size, 4096 * (index + 1), (PROGRAMS, BLOCK), (BLOCK, 1))
        for index, name in enumerate(("x_ptr", "y_ptr"))
    )

    def access(kind: str, buffer: int, line: int, order: int) -> Access:
        return Access(kind, buffer, file, line, (), programs, (BLOCK,), offset, None, 4, order)  # type: ignore[arg-type]

    accesses = [access("load", 0, load_line, order) for order in range(loads)]
    accesses.append(access("store", 1, load_line + 1, loads))
    location = f"{file}:{load_line}"
    sentence = tr(
        "Illegal {kind} in {kernel} at {location}: program {program} reaches index {index} of {tensor} with a "
        "scalar access, but the memory holds indices {low} to {high}.",
        kind="load", kernel=function, location=location, program="(3, 0, 0)", index=256, tensor="x_ptr",
        low=0, high=255,
    )  # fmt: skip
    fault = Fault(
        kind="out of bounds", access="load", buffer=0, file=file, line=load_line, program=3, index=256, count=7,
        sentence=sentence,
    )  # fmt: skip
    return Launch(function, file, 5, SOURCE, "module {}", (PROGRAMS, 1, 1), buffers, tuple(accesses), faults=(fault,))


def lab_result(
    path: Path, loads: int = 1, load_line: int = LOAD_LINE, launches: int = 1, function: str = "", views: bool = True
) -> KernelLabResult:
    """The result of running `path`, whose text it reads; without `views`, as runs of many accesses are."""
    traced = [lab_launch(str(path), loads, load_line) for _ in range(launches)]
    counted = tables([analysis.with_shown_files(launch) for launch in traced])
    return KernelLabResult(
        params=KernelLabParams(file=shown(path), function=function),
        environment=Environment("cpu", "TTIR interpreter (CPU)"),
        metrics={"accesses": Metric(512.0, "", Provenance.TRACED)},
        launches=counted.launches,
        tensors=counted.tensors,
        line_traffic=counted.lines,
        lines=source_lines(counted.lines),
        faults=counted.faults,
        files=analysis.traced_files(traced, {str(path): path.read_text()}),
        sources=analysis.kernel_sources(traced),
        trace=EncodedTrace.of(traced),
        views=analysis.launch_views(traced) if views else {},
    )
