"""What follows from traced launches, of a run and of an opened trace alike: rows, metrics, files, pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.contracts.result import Environment, KernelSource, Metric, Provenance
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.plan import in_project, shown
from core.topics.kernel_lab.result import (
    Handover,
    KernelLabResult,
    LaunchViews,
    TracedFile,
    TracedKernel,
    file_name,
    source_lines,
)
from core.trace.file import EncodedTrace, load
from core.trace.heatmap import TensorHeatmap, tensor_heatmap
from core.trace.order import Order
from core.trace.record import Buffer, Launch
from core.trace.reuse import reuse
from core.trace.rows import rows_of
from core.trace.tables import FaultRow, LaunchRow, TensorRow, tables

MOST_CELLS = 512
"""The most rows and columns of a heatmap: a cell is a whole number of elements where more would be needed."""
MOST_TILE_ROWS = 1 << 20
"""Rows of tiles (`core.trace.rows`) that a run draws in advance: about a second on one core."""
MOST_VIEW_BYTES = 32_000_000
"""What the pictures of a run may add to its result."""


def launches_of(result: KernelLabResult) -> list[Launch]:
    """The traced launches of a result; [] for a Partial. Raises TilescopeError where they cannot be read."""
    return [] if result.trace is None else [with_shown_files(launch) for launch in result.trace.launches()]


def with_shown_files(launch: Launch) -> Launch:
    """The launch with its files named as results name them."""
    names = {file: shown(file) for file in {launch.file, *(access.file for access in launch.accesses)}}
    return replace(
        launch,
        file=names[launch.file],
        accesses=tuple(replace(access, file=names[access.file]) for access in launch.accesses),
        faults=tuple(
            replace(fault, file=shown(fault.file), sentence=in_project(fault.sentence)) for fault in launch.faults
        ),
    )


def metrics(launches: Sequence[LaunchRow], faults: Sequence[FaultRow]) -> dict[str, Metric]:
    """Totals of all launches."""
    return {
        "launches": _traced(len(launches)),
        "programs": _traced(sum(row.programs for row in launches)),
        "accesses": _traced(
            sum(row.accesses for row in launches), note="elements loaded and stored, masked ones left out"
        ),
        "read_bytes": _traced(sum(row.read_bytes for row in launches), "bytes", "loads of all programs"),
        "written_bytes": _traced(sum(row.written_bytes for row in launches), "bytes", "stores of all programs"),
        "unique_bytes": _traced(
            sum(row.unique_bytes for row in launches), "bytes", "distinct, each launch counted by itself"
        ),
        "out_of_bounds": _traced(sum(row.kind == "out of bounds" for row in faults), note="places in the source"),
        "races": _traced(sum(row.kind == "write-write race" for row in faults), note="places in the source"),
    }


def handovers(launches: Sequence[Launch], tensors: Iterable[TensorRow]) -> tuple[Handover, ...]:
    """What a launch wrote to memory and a later one read: by address, tensor by tensor."""
    rows = iter(tensors)
    used = [
        (index, launch.function, buffer, row)
        for index, launch in enumerate(launches)
        for buffer, row in zip(launch.buffers, rows, strict=False)
    ]
    writers: list[tuple[int, str, int, int]] = []
    handed: list[Handover] = []
    for index, function, buffer, row in used:
        first, last = buffer.data_ptr, buffer.data_ptr + buffer.size_bytes
        writer = next((w for w in reversed(writers) if w[2] < last and first < w[3] and w[0] < index), None)
        if row.read_bytes and writer is not None:
            handed.append(Handover(row.tensor, writer[1], writer[0], function, index, row.read_bytes))
        if row.written_bytes:
            writers.append((index, function, first, last))
    return tuple(handed)


def traced_files(launches: Sequence[Launch], texts: Mapping[str, str]) -> tuple[TracedFile, ...]:
    """The files of `texts` (by path), then every other that a launch stands in."""
    read = {launch.file: _text(launch) for launch in launches if launch.file not in texts}
    return tuple(TracedFile(shown(file), text, _kernels(launches, file)) for file, text in {**texts, **read}.items())


def kernel_sources(launches: Iterable[Launch]) -> tuple[KernelSource, ...]:
    """One per kernel, with the text of the kernel alone."""
    sources: dict[str, KernelSource] = {}
    for launch in launches:
        file = shown(launch.file)
        source = KernelSource(file_name(file), launch.function, file, launch.first_line, launch.source, launch.ttir)
        sources.setdefault(launch.function, source)
    return tuple(sources.values())


def launch_views(launches: Sequence[Launch]) -> dict[int, LaunchViews]:
    """The pictures of the first launches, by number: as many as are cheap to make and to keep."""
    views: dict[int, LaunchViews] = {}
    tile_rows = view_bytes = 0
    for index, launch in enumerate(launches):
        tile_rows += sum(math.prod(rows_of(access).shape) for access in launch.accesses)
        if tile_rows > MOST_TILE_ROWS or view_bytes > MOST_VIEW_BYTES:
            break
        heatmaps = {buffer.name: heatmap(launch, buffer) for buffer in launch.buffers if buffer.size_bytes}
        view_bytes += sum(drawn.reads.nbytes + drawn.writes.nbytes for drawn in heatmaps.values())
        views[index] = LaunchViews(accesses_of_programs(launch), reuse([launch]), heatmaps)
    return views


def accesses_of_programs(launch: Launch) -> np.ndarray:
    """Element accesses that each program makes, float64 [programs]."""
    return Order([launch]).accesses_of_program()


def heatmap(launch: Launch, buffer: Buffer, program: int | None = None) -> TensorHeatmap:
    """One tensor of a launch, of all programs or of one.

    A tensor with gaps between its rows is drawn as the memory that it spans, in one row.
    """
    elements = buffer.size_bytes // buffer.element_bytes
    shape = buffer.shape if math.prod(buffer.shape) == elements else (elements,)
    height, width = (_cells(extent) for extent in (math.prod(shape[:-1]), shape[-1] if shape else 1))
    return tensor_heatmap([launch], buffer.data_ptr, buffer.size_bytes, shape, height, width, program=program)


def opened(path: Path, params: KernelLabParams) -> KernelLabResult:
    """A trace that somebody exported, as a result. Raises TilescopeError for a file that is none."""
    traced = load(path)
    launches = [with_shown_files(launch) for launch in traced]
    counted = tables(launches)
    units = {"programs": "", "accesses": "", "read_bytes": "bytes", "written_bytes": "bytes"}
    return KernelLabResult(
        params=params,
        environment=Environment(f"opened from {path.name}", "trace file"),
        metrics={
            name: _traced(sum(getattr(row, name) for row in counted.launches), unit, path.name)
            for name, unit in units.items()
        },
        launches=counted.launches,
        tensors=counted.tensors,
        line_traffic=counted.lines,
        lines=source_lines(counted.lines),
        faults=counted.faults,
        files=tuple(_kernels_alone(launches, file) for file in dict.fromkeys(launch.file for launch in launches)),
        sources=kernel_sources(launches),
        trace=EncodedTrace.of(traced),
        trace_file=path.name,
    )


def _cells(extent: int) -> int:
    """Cells along an axis, each of as many elements as the others."""
    each = -(-extent // MOST_CELLS)
    return -(-extent // max(1, each))


def _kernels(launches: Sequence[Launch], file: str) -> tuple[TracedKernel, ...]:
    """The kernels of a file, one for each compiled form, with the launches that ran it."""
    forms: dict[tuple[str, str], list[int]] = {}
    for index, launch in enumerate(launches):
        if launch.file == file:
            forms.setdefault((launch.function, launch.ttir), []).append(index)
    return tuple(
        TracedKernel(function, launches[numbers[0]].first_line, ttir, tuple(numbers))
        for (function, ttir), numbers in forms.items()
    )


def _text(launch: Launch) -> str:
    """The whole file; the kernel alone, at its own lines, where the file is not to be had."""
    try:
        return Path(launch.file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "\n" * (launch.first_line - 1) + launch.source


def _kernels_alone(launches: Sequence[Launch], file: str) -> TracedFile:
    """The kernels of a file at their own lines, blank lines between: what a trace knows of it."""
    lines: list[str] = []
    texts = sorted({(launch.first_line, launch.source) for launch in launches if launch.file == file})
    first = texts[0][0]
    for begin, text in texts:
        lines += [""] * (begin - first - len(lines))
        lines += text.rstrip("\n").split("\n")
    return TracedFile(file, "\n".join(lines), _kernels(launches, file), first)


def _traced(value: float, unit: str = "", note: str = "") -> Metric:
    return Metric(float(value), unit, Provenance.TRACED, note)
