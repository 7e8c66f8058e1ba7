"""A trace as the tables and metrics of payload.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from core.contracts.result import Metric, Provenance, Row
from core.engine.steps import ProgressCallback
from core.topics.kernel_lab.experiment.tracing import Traced
from core.topics.kernel_lab.model import Plan, sectors, shown
from core.trace import tables as trace_tables
from core.trace.record import Launch

Tables = dict[str, list[Row]]


def tables(planned: Plan, traced: Traced, progress: ProgressCallback) -> Tables:
    """'launches', 'tensors', 'lines', 'faults', 'sectors', 'handovers', 'sources' and 'log'."""
    found: Tables = {"launches": [], "tensors": [], "lines": [], "faults": [], "sectors": []}
    for index, launch in enumerate(traced.launches):
        progress(index, len(traced.launches), f"counting the bytes of {launch.function}")
        for name, rows in trace_tables.tables([launch]).items():
            found[name] += [_placed(row, index) for row in rows]
        found["sectors"] += [_placed(row, index) for row in sectors.as_rows(index, launch, sectors.sector_use(launch))]
    found["handovers"] = _handovers(traced.launches, found["tensors"])
    found["sources"] = _sources(planned, traced.launches)
    found["log"] = _log(traced)
    return found


def metrics(found: Mapping[str, Sequence[Row]]) -> dict[str, Metric]:
    """Totals of all launches."""
    launches, faults = found["launches"], found["faults"]
    once = "each launch counted by itself"
    units = {
        "programs": ("", ""),
        "accesses": ("", "elements loaded and stored, masked ones left out"),
        "read_bytes": ("bytes", "loads of all programs"),
        "written_bytes": ("bytes", "stores of all programs"),
        "unique_bytes": ("bytes", f"distinct, {once}"),
    }
    return {
        "launches": _traced(len(launches)),
        **{name: _traced(sum(row[name] for row in launches), unit, note) for name, (unit, note) in units.items()},
        "out_of_bounds": _traced(sum(row["kind"] == "out of bounds" for row in faults), note="places in the source"),
        "races": _traced(sum(row["kind"] == "write-write race" for row in faults), note="places in the source"),
    }


def _placed(row: Row, index: int) -> Row:
    placed = {**row, "launch": index}
    if "file" in row:
        placed["file"] = shown(row["file"])
    return placed


def _handovers(launches: Sequence[Launch], tensors: Iterable[Row]) -> list[Row]:
    """What a launch wrote to memory and a later one, or the same, read: by address, tensor by tensor."""
    rows = iter(tensors)
    used = [
        (index, launch.function, buffer, row)
        for index, launch in enumerate(launches)
        for buffer, row in zip(launch.buffers, rows, strict=False)
    ]
    writers: list[tuple[int, str, int, int]] = []
    found = []
    for index, function, buffer, row in used:
        first, last = buffer.data_ptr, buffer.data_ptr + buffer.size_bytes
        writer = next((w for w in reversed(writers) if w[2] < last and first < w[3] and w[0] < index), None)
        if row["read_bytes"] and writer is not None:
            found.append(
                {
                    "tensor": row["tensor"],
                    "written_by": writer[1],
                    "writing_launch": writer[0],
                    "read_by": function,
                    "reading_launch": index,
                    "read_bytes": row["read_bytes"],
                }
            )
        if row["written_bytes"]:
            writers.append((index, function, first, last))
    return found


def _sources(planned: Plan, launches: Sequence[Launch]) -> list[Row]:
    """The person's file first, then every other that a launched kernel stands in."""
    assert planned.path is not None
    texts = {str(planned.path): planned.text}
    for launch in launches:
        if launch.file not in texts:
            texts[launch.file] = _text(launch)
    return [
        {"file": shown(file), "text": text, "functions": _functions(launches, file)} for file, text in texts.items()
    ]


def _functions(launches: Sequence[Launch], file: str) -> list[Row]:
    """The kernels of a file, one for each compiled form, with the launches that ran it."""
    found: dict[tuple[str, str], Row] = {}
    for index, launch in enumerate(launches):
        if launch.file == file:
            about = {"function": launch.function, "first_line": launch.first_line, "ttir": launch.ttir, "launches": []}
            found.setdefault((launch.function, launch.ttir), about)["launches"].append(index)
    return list(found.values())


def _text(launch: Launch) -> str:
    """The whole file; the kernel alone, at its own lines, where the file is not to be had."""
    try:
        return Path(launch.file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "\n" * (launch.first_line - 1) + launch.source


def _log(traced: Traced) -> list[Row]:
    printed = "".join(f"{line}\n" for launch in traced.launches for line in launch.printed)
    streams = {"stdout": traced.log.stdout, "stderr": traced.log.stderr, "kernel": printed}
    return [{"stream": stream, "text": text} for stream, text in streams.items() if text]


def _traced(value: float, unit: str = "", note: str = "") -> Metric:
    return Metric(float(value), unit, Provenance.TRACED, note)
