"""What a run of the kernel-lab experiment returns. Everything in it is traced."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from core.contracts.archive import Array
from core.contracts.params import Params
from core.contracts.result import KernelSource, LineTraffic, Message, Result
from core.contracts.text import EMPTY, Text
from core.proofs.record import Proof
from core.topics.kernel_lab.params import KernelLabParams
from core.trace.file import EncodedTrace
from core.trace.heatmap import TensorHeatmap
from core.trace.reuse import Reuse
from core.trace.tables import FaultRow, LaunchRow, LineRow, SectorRow, TensorRow
from core.trace.totals import KernelTotal, TensorTotal, kernel_totals, tensor_totals
from core.user_code.paths import in_project

TABLES = {
    "launches": "launches",
    "tensors": "tensors",
    "lines": "line_traffic",
    "faults": "faults",
    "sectors": "sectors",
    "configs": "configs",
}
"""The tables of JSON and CSV files, and the result fields that hold their rows."""


@dataclass(frozen=True)
class Handover:
    """Bytes that a launch reads and an earlier launch wrote, matched by address."""

    tensor: str
    written_by: str
    writing_launch: int
    read_by: str
    reading_launch: int
    read_bytes: int


@dataclass(frozen=True)
class ConfigRow:
    """A configuration of an autotuned kernel; `number` counts from 1. `chosen` means that a launch ran it.

    If all configurations were tried, the rest is known too: whether pruning left it, its traffic and FLOPs, registers
    and spills of a thread (None if they are unknown), the largest absolute difference of what it wrote from the first
    one (None without data), and the reason if Triton cannot compile it.
    """

    function: str
    number: int
    config: str
    chosen: bool
    kept: bool | None = None
    read_bytes: int | None = None
    written_bytes: int | None = None
    unique_bytes: int | None = None
    product_flops: int | None = None
    registers: int | None = None
    spills: int | None = None
    difference: float | None = None
    problem: Text = EMPTY

    @property
    def was_tried(self) -> bool:
        return self.kept is not None


@dataclass(frozen=True)
class TracedKernel:
    """One compiled form of a kernel, and the indices of the launches that ran it."""

    function: str
    first_line: int
    ttir: str
    launches: tuple[int, ...] = ()


@dataclass(frozen=True)
class TracedFile:
    """A source file as it was during the run: `text` begins at line `first_line` (from 1)."""

    file: str
    text: str
    kernels: tuple[TracedKernel, ...] = ()
    first_line: int = 1


@dataclass(frozen=True)
class Printed:
    """What the file or its kernels printed: beyond 64 KB, the beginning and the end. `stream` is 'stdout', 'stderr' or
    'kernel'."""

    stream: str
    text: str


@dataclass(frozen=True, eq=False)
class LaunchViews:
    """The pictures of a launch, besides its memory access map.

    accesses  float64 [programs]: element accesses of each program, x fastest.
    heatmaps  by tensor (an argument's name), of all programs; at most 512 x 512 cells, small unsigned integers.
    """

    accesses: Array
    reuse: Reuse
    heatmaps: Mapping[str, TensorHeatmap]


@dataclass(frozen=True, kw_only=True)
class KernelLabResult(Result):
    """Files inside the project are named relative to it, others by their absolute path; `trace` keeps absolute paths.

    launches      one row per kernel launch, in order; the rows of the other tables refer to it by index, from 0.
    line_traffic  one row per launch, source line and tensor; `lines` of the base holds the same for the Source tab.
    faults        what the sanitizer found, launch by launch, faults before remarks.
    configs       the configurations of the autotuned kernels that were launched.
    files         the traced file first, then every other file that contains a launched kernel.
    trace         the launches, encoded; None in a Partial.
    views         by launch index, for the launches that are cheap to draw; the others are drawn from `trace`.
    trace_file    the name of the file that the trace was opened from, '' for a run. `params` of an opened trace are
                  the form's at that time.
    failure       what the function raised after its launches, empty if nothing; also among the messages. `stack` is
                  the user's own part of the traceback.
    proofs        the answer about each kernel, if it was asked for. A counterexample that was executed and showed its
                  fault is among `faults` too, with `is_of_proof`.

    Metrics (all traced):
      launches, programs, accesses, read_bytes, written_bytes, unique_bytes (distinct in each launch, added up),
      out_of_bounds, races, faults, remarks (rows of `faults`)
    """

    topic: str = "kernel-lab"
    params: KernelLabParams
    launches: tuple[LaunchRow, ...] = ()
    tensors: tuple[TensorRow, ...] = ()
    line_traffic: tuple[LineRow, ...] = ()
    faults: tuple[FaultRow, ...] = ()
    sectors: tuple[SectorRow, ...] = ()
    configs: tuple[ConfigRow, ...] = ()
    handovers: tuple[Handover, ...] = ()
    files: tuple[TracedFile, ...] = ()
    log: tuple[Printed, ...] = ()
    trace: EncodedTrace | None = None
    views: Mapping[int, LaunchViews] = field(default_factory=dict)
    trace_file: str = ""
    failure: Text = EMPTY
    stack: str = ""
    proofs: tuple[Proof, ...] = ()

    @property
    def notices(self) -> tuple[Message, ...]:
        """The messages, and the answers of the proofs."""
        return (*self.messages, *(Message("notice", proof.sentence) for proof in self.proofs))

    def is_run_of(self, params: Params) -> bool:
        """An opened trace stays valid as long as the form names the same file and function."""
        if self.trace_file and isinstance(params, KernelLabParams):
            return (params.file, params.function) == (self.params.file, self.params.function)
        return super().is_run_of(params)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of one of `TABLES`, for JSON and CSV; texts in the current language."""
        return [{name: _cell(getattr(row, name)) for name in _names(row)} for row in getattr(self, TABLES[table])]

    @property
    def addresses_only(self) -> bool | None:
        """Whether the arithmetic was skipped, which may differ from what was asked for; None if that is unknown."""
        known = {row.addresses_only for row in self.launches}
        return known.pop() if len(known) == 1 else None

    @cached_property
    def kernel_totals(self) -> tuple[KernelTotal, ...]:
        """The kernels over all launches, the heaviest first."""
        return kernel_totals(self.launches, self.line_traffic, self.sectors)

    @cached_property
    def tensor_totals(self) -> tuple[TensorTotal, ...]:
        """The tensors over all launches, the heaviest first."""
        return tensor_totals(self.tensors)

    def line_bytes(self) -> Counter[tuple[str, int]]:
        """Bytes moved per source line over all launches, by file and line number."""
        moved: Counter[tuple[str, int]] = Counter()
        for row in self.line_traffic:
            moved[row.file, row.line] += row.bytes
        return moved

    def function_at(self, file: str, line: int) -> str | None:
        """The kernel of a line: the one that made its accesses, else the last one that begins before it."""
        accessing = next((row.function for row in self.line_traffic if (row.file, row.line) == (file, line)), None)
        if accessing is not None:
            return accessing
        kernels = [kernel for traced in self.files if traced.file == file for kernel in traced.kernels]
        before = [(kernel.first_line, kernel.function) for kernel in kernels if kernel.first_line <= line]
        return max(before)[1] if before else None

    def tensor_at(self, file: str, line: int, launch: int) -> str | None:
        """The tensor of which a line moves the most bytes in a launch, or None."""
        rows = [row for row in self.line_traffic if (row.file, row.line) == (file, line)]
        rows = [row for row in rows if row.launch == launch] or rows
        return max(rows, key=lambda row: row.bytes).tensor if rows else None

    def file_of(self, function: str) -> str | None:
        """The file that contains a kernel."""
        return next((source.file for source in self.sources if source.function == function), None)

    @classmethod
    def from_tables(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Older files hold `line_traffic` and `files` as 'lines' and 'sources', and the members of the trace apart."""
        tables = stored["tables"]
        tree = super().from_tables({**stored, "arrays": {}})
        tree["faults"] = [
            {**row, "sentence": in_project(Text(row["sentence"])).plain()} for row in tables.get("faults", [])
        ]
        tree["line_traffic"] = tables.get("lines", [])
        tree["lines"] = [asdict(line) for line in source_lines(LineRow(**row) for row in tables.get("lines", []))]
        tree["files"] = [
            {
                "file": row["file"],
                "text": row["text"],
                "kernels": [{name: kernel[name] for name in _KERNEL_FIELDS} for kernel in row["functions"]],
            }
            for row in tables.get("sources", [])
        ]
        rows = tables.get("trace")
        tree["trace"] = None if rows is None else {"rows": rows, "arrays": _without_prefix(stored["arrays"])}
        tree["sources"] = _stored_sources(rows or (), tables.get("sources", []))
        return tree


_KERNEL_FIELDS = ("function", "first_line", "ttir", "launches")


def source_lines(rows: Iterable[LineRow]) -> tuple[LineTraffic, ...]:
    """The rows of `line_traffic` for the Source tab."""
    return tuple(
        LineTraffic(
            kernel=file_name(row.file),
            function=row.function,
            file=row.file,
            line=row.line,
            op=row.kind,
            tensor=row.tensor,
            accesses=row.accesses,
            bytes=row.bytes,
            masked_share=row.masked_share,
        )
        for row in rows
    )


def _names(row: Any) -> list[str]:
    return [item.name for item in fields(row)]


def _cell(value: Any) -> Any:
    return str(value) if isinstance(value, Text) else value


def file_name(path: str) -> str:
    """The last part of a path, of any operating system."""
    return path.replace("\\", "/").rpartition("/")[2]


def _without_prefix(arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("trace."): array for name, array in arrays.items() if name.startswith("trace.")}


def _stored_sources(
    trace_rows: Iterable[Mapping[str, Any]], files: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One source per kernel. Its text is in the trace's rows, the name of its file in the sources table."""
    texts = {row["function"]: row["source"] for row in trace_rows if row["row"] == "launch"}
    sources: dict[str, KernelSource] = {}
    for row in files:
        for kernel in row["functions"]:
            name, first_line = kernel["function"], kernel["first_line"]
            text = texts.get(name, "")
            sources.setdefault(
                name, KernelSource(file_name(row["file"]), name, row["file"], first_line, text, kernel["ttir"])
            )
    return [asdict(source) for source in sources.values()]
