"""Analyses traced launches, of a run or of an opened trace: rows, metrics, files, pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.bounded_output import FirstAndLast, text_of
from core.contracts.result import Environment, KernelSource, Metric, Provenance
from core.contracts.text import EMPTY, Text, tr
from core.sanitizer.kinds import OUT_OF_BOUNDS, group_of
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.result import (
    Handover,
    KernelLabResult,
    LaunchViews,
    Printed,
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
from core.trace.tables import FaultRow, LaunchRow, TensorRow, sectors, tables
from core.user_code.paths import in_project, shown

MOST_CELLS = 512
"""Most rows or columns of a heatmap. For larger tensors, a cell is a whole number of elements."""
MOST_TILE_ROWS = 1 << 20
"""Rows of tiles (`core.trace.rows`) that a run draws in advance. They take about a second on one core."""
MOST_VIEW_BYTES = 32_000_000
"""Largest size of the pictures that a run adds to its result."""
KEPT_CHARACTERS = 65536
"""Of each stream that is printed to."""


def launches_of(result: KernelLabResult) -> list[Launch]:
    """The traced launches of a result; [] for a Partial. Raises TilescopeError if they cannot be read."""
    return [] if result.trace is None else [with_shown_files(launch) for launch in result.trace.launches()]


def with_shown_files(launch: Launch) -> Launch:
    """The launch with its files named as in results."""
    names = {file: shown(file) for file in {launch.file, *(access.file for access in launch.accesses)}}
    return replace(
        launch,
        file=names[launch.file],
        launched_at=shown(launch.launched_at) if launch.launched_at else "",
        buffers=tuple(
            replace(buffer, made_at=shown(buffer.made_at)) if buffer.made_at else buffer for buffer in launch.buffers
        ),
        accesses=tuple(replace(access, file=names[access.file]) for access in launch.accesses),
        faults=tuple(
            replace(
                fault,
                file=shown(fault.file),
                other_file=shown(fault.other_file) if fault.other_file else "",
                sentence=in_project(fault.sentence),
            )
            for fault in launch.faults
        ),
    )


def metrics(launches: Sequence[LaunchRow], faults: Sequence[FaultRow]) -> dict[str, Metric]:
    """Totals of all launches."""
    return {
        "launches": _traced(len(launches)),
        "programs": _traced(sum(row.programs for row in launches)),
        "accesses": _traced(
            sum(row.accesses for row in launches), note=tr("elements loaded and stored, without masked ones")
        ),
        "read_bytes": _traced(sum(row.read_bytes for row in launches), "bytes", tr("loads of all programs")),
        "written_bytes": _traced(sum(row.written_bytes for row in launches), "bytes", tr("stores of all programs")),
        "unique_bytes": _traced(
            sum(row.unique_bytes for row in launches), "bytes", tr("distinct bytes per launch, added up")
        ),
        "out_of_bounds": _traced(sum(row.kind == OUT_OF_BOUNDS for row in faults), note=tr("source locations")),
        "races": _traced(
            sum(row.severity == "fault" and group_of(row.kind) == "race" for row in faults), note=tr("source locations")
        ),
        "faults": _traced(sum(row.severity == "fault" for row in faults), note=tr("source locations")),
        "remarks": _traced(sum(row.severity == "remark" for row in faults), note=tr("source locations")),
    }


def handovers(launches: Sequence[Launch], tensors: Iterable[TensorRow]) -> tuple[Handover, ...]:
    """The memory that one launch wrote and a later one read, matched by address, per tensor."""
    rows = iter(tensors)
    uses = [
        (index, launch.function, buffer, row)
        for index, launch in enumerate(launches)
        for buffer, row in zip(launch.buffers, rows, strict=False)
    ]
    writers: list[tuple[int, str, int, int]] = []
    handovers: list[Handover] = []
    for index, function, buffer, row in uses:
        first, last = buffer.data_ptr, buffer.data_ptr + buffer.size_bytes
        writer = next((w for w in reversed(writers) if w[2] < last and first < w[3] and w[0] < index), None)
        if row.read_bytes and writer is not None:
            handovers.append(Handover(row.tensor, writer[1], writer[0], function, index, row.read_bytes))
        if row.written_bytes:
            writers.append((index, function, first, last))
    return tuple(handovers)


def traced_files(launches: Sequence[Launch], texts: Mapping[str, str]) -> tuple[TracedFile, ...]:
    """The files of `texts` (by path), then every other file that contains a launched kernel."""
    read = {launch.file: _text(launch) for launch in launches if launch.file not in texts}
    return tuple(TracedFile(shown(file), text, _kernels(launches, file)) for file, text in {**texts, **read}.items())


def kernel_sources(launches: Iterable[Launch]) -> tuple[KernelSource, ...]:
    """One source per kernel, with only the kernel's own text."""
    sources: dict[str, KernelSource] = {}
    for launch in launches:
        file = shown(launch.file)
        source = KernelSource(file_name(file), launch.function, file, launch.first_line, launch.source, launch.ttir)
        sources.setdefault(launch.function, source)
    return tuple(sources.values())


def launch_views(launches: Sequence[Launch]) -> dict[int, LaunchViews]:
    """The pictures of the first launches, by launch index: as many as are cheap to compute and to store."""
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
    """Element accesses per program, float64 [programs]."""
    return Order([launch]).accesses_of_program()


def heatmap(launch: Launch, buffer: Buffer, program: int | None = None) -> TensorHeatmap:
    """The heatmap of one tensor of a launch, for all programs or one.

    A tensor with gaps between its rows is drawn as one row: the memory that it spans.
    """
    elements = buffer.size_bytes // buffer.element_bytes
    shape = buffer.shape if math.prod(buffer.shape) == elements else (elements,)
    height, width = (_cells(extent) for extent in (math.prod(shape[:-1]), shape[-1] if shape else 1))
    return tensor_heatmap([launch], buffer.data_ptr, buffer.size_bytes, shape, height, width, program=program)


def opened(path: Path, params: KernelLabParams) -> KernelLabResult:
    """An exported trace as a result. Raises TilescopeError if the file is not a trace."""
    traced = load(path)
    launches = [with_shown_files(launch) for launch in traced]
    counted = tables(launches)
    return KernelLabResult(
        params=params,
        environment=Environment(path.name, "trace file"),
        metrics=metrics(counted.launches, counted.faults),
        launches=counted.launches,
        tensors=counted.tensors,
        line_traffic=counted.lines,
        lines=source_lines(counted.lines),
        faults=counted.faults,
        sectors=tuple(row for index, launch in enumerate(launches) for row in sectors(launch, index)),
        handovers=handovers(launches, counted.tensors),
        files=tuple(_kernels_alone(launches, file) for file in dict.fromkeys(launch.file for launch in launches)),
        sources=kernel_sources(launches),
        log=tuple(printed_by_kernels(launches)),
        trace=EncodedTrace.of(traced),
        trace_file=path.name,
    )


def printed_by_kernels(launches: Iterable[Launch]) -> Iterator[Printed]:
    """What `tl.device_print` printed, if anything: beyond a limit, its beginning and its end."""
    kept = kept_characters()
    for launch in launches:
        for line in launch.printed:
            kept.add(f"{line}\n")
    if text := text_of(kept):
        yield Printed("kernel", text)


def kept_characters() -> FirstAndLast[str]:
    """Takes what is printed, and keeps what a result stores of it."""
    return FirstAndLast("", KEPT_CHARACTERS // 2)


def _cells(extent: int) -> int:
    """The number of cells along an axis, all of the same number of elements."""
    each = -(-extent // MOST_CELLS)
    return -(-extent // max(1, each))


def _kernels(launches: Sequence[Launch], file: str) -> tuple[TracedKernel, ...]:
    """The kernels of a file, one per compiled form, with the launches that ran it."""
    forms: dict[tuple[str, str], list[int]] = {}
    for index, launch in enumerate(launches):
        if launch.file == file:
            forms.setdefault((launch.function, launch.ttir), []).append(index)
    return tuple(
        TracedKernel(function, launches[numbers[0]].first_line, ttir, tuple(numbers))
        for (function, ttir), numbers in forms.items()
    )


def _text(launch: Launch) -> str:
    """The whole file. If it cannot be read, only the kernel, at its own line numbers."""
    try:
        return Path(launch.file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "\n" * (launch.first_line - 1) + launch.source


def _kernels_alone(launches: Sequence[Launch], file: str) -> TracedFile:
    """The kernels of a file at their own line numbers, with blank lines between them: all that a trace holds of it."""
    lines: list[str] = []
    texts = sorted({(launch.first_line, launch.source) for launch in launches if launch.file == file})
    first = texts[0][0]
    for begin, text in texts:
        lines += [""] * (begin - first - len(lines))
        lines += text.rstrip("\n").split("\n")
    return TracedFile(file, "\n".join(lines), _kernels(launches, file), first)


def _traced(value: float, unit: str = "", note: Text = EMPTY) -> Metric:
    return Metric(float(value), unit, Provenance.TRACED, note)
