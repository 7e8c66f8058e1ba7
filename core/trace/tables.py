"""The numbers of a trace as flat rows, for tables, JSON and CSV: a row per launch, per tensor and per source line.

`reuse` is bytes asked for over distinct bytes: 1.0 where every byte is touched once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from core.trace.races import races
from core.trace.record import Launch
from core.trace.rows import rows_of
from core.trace.traffic import Traffic, traffic

Row = dict[str, Any]


def tables(launches: Sequence[Launch]) -> dict[str, list[Row]]:
    """The tables 'launches', 'tensors', 'lines' and 'faults'; rows count launches from 0."""
    counted = [traffic(launch) for launch in launches]
    numbered = list(enumerate(zip(launches, counted, strict=True)))
    return {
        "launches": [_launch_row(index, launch, counts) for index, (launch, counts) in numbered],
        "tensors": [row for index, (launch, counts) in numbered for row in _tensors(index, launch, counts)],
        "lines": [row for index, (launch, counts) in numbered for row in _lines(index, launch, counts)],
        "faults": [row for index, launch in enumerate(launches) for row in _faults(index, launch)],
    }


def _launch_row(index: int, launch: Launch, counts: Traffic) -> Row:
    return {
        "launch": index,
        "function": launch.function,
        "file": launch.file,
        "first_line": launch.first_line,
        "grid": " x ".join(map(str, launch.grid)),
        "programs": launch.programs,
        "config": launch.config,
        "accesses": sum(int(rows_of(access).elements_per_lane().sum()) for access in launch.accesses),
        "read_bytes": counts.read_bytes,
        "written_bytes": counts.written_bytes,
        "unique_bytes": sum(row.unique_bytes for row in counts.buffers),
        "trace_bytes": launch.trace_bytes(),
    }


def _tensors(index: int, launch: Launch, counts: Traffic) -> list[Row]:
    return [
        {
            "launch": index,
            "tensor": row.buffer,
            "dtype": buffer.dtype,
            "shape": str(list(buffer.shape)),
            "size_bytes": buffer.size_bytes,
            "read_accesses": row.read_accesses,
            "written_accesses": row.written_accesses,
            "read_bytes": row.read_bytes,
            "written_bytes": row.written_bytes,
            "unique_bytes": row.unique_bytes,
            "reuse": _reuse(row.read_bytes + row.written_bytes, row.unique_bytes),
        }
        for row, buffer in zip(counts.buffers, launch.buffers, strict=True)
    ]


def _lines(index: int, launch: Launch, counts: Traffic) -> list[Row]:
    return [
        {
            "launch": index,
            "function": launch.function,
            "file": row.file,
            "line": row.line,
            "kind": row.kind,
            "tensor": row.buffer,
            "accesses": row.accesses,
            "bytes": row.bytes,
            "unique_bytes": row.unique_bytes,
            "masked_share": row.masked_share,
            "reuse": _reuse(row.bytes, row.unique_bytes),
        }
        for row in sorted(counts.lines, key=lambda row: (row.file, row.line))
    ]


def _reuse(asked: int, distinct: int) -> float:
    return asked / distinct if distinct else 0.0


def _faults(index: int, launch: Launch) -> list[Row]:
    """What execution survived, then the races that its stores show."""
    found: list[Row] = []
    for fault in launch.faults:
        row = {**asdict(fault), "launch": index, "tensor": launch.buffers[fault.buffer].name, "other_program": None}
        found.append(row)
    for race in races(launch):
        found.append({**asdict(race), "launch": index, "kind": race.kind})
    columns = ["launch", "kind", "tensor", "file", "line", "program", "other_program", "index", "count", "sentence"]
    return [{name: row[name] for name in columns} for row in found]
