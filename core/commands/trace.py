"""`trace FILE.py::FUNCTION`: memory traffic of each launch, per source line and per tensor, and its memory errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.commands.run import as_document
from core.commands.session import engine_for, run_once
from core.contracts.registry import topic as find_topic
from core.contracts.text import Text as Message
from core.contracts.text import tr, tr_in
from core.engine.addresses import Target
from core.format import format_quantity
from core.outside import cleaned, shown_name
from core.topics.kernel_lab.result import TABLES, KernelLabResult, Printed
from core.trace.tables import FaultRow, LaunchRow, LineRow, SectorRow, TensorRow
from core.wording import backend

TOPIC_ID = "kernel-lab"
FAULTS_FOUND = 1

_LINE_COLUMNS: tuple[tuple[Message, Literal["left", "right"]], ...] = (
    (tr_in("column", "line"), "left"),
    (tr_in("column", "kind"), "left"),
    (tr("tensor"), "left"),
    (tr("accesses"), "right"),
    (tr("read"), "right"),
    (tr("written"), "right"),
    (tr("unique"), "right"),
    (tr("masked off"), "right"),
    (tr("reuse"), "right"),
    (tr("sectors used"), "right"),
)
_TENSOR_COLUMNS: tuple[tuple[Message, Literal["left", "right"]], ...] = (
    (tr("tensor"), "left"),
    (tr_in("column", "type"), "left"),
    (tr("shape"), "left"),
    (tr("size"), "right"),
    (tr("read"), "right"),
    (tr("written"), "right"),
    (tr("unique"), "right"),
    (tr("reuse"), "right"),
)
_SOURCE: tuple[Message, Literal["left", "right"]] = (tr_in("column", "source"), "left")

_FAULTS = {"out of bounds": tr("out of bounds"), "write-write race": tr("write-write race")}

_LEAST_WIDTH, _WIDTH_WITH_SOURCE = 120, 150
"""In columns: the width that the numbers need, used in a pipe and a narrower terminal too, and the width from which the
source code fits beside them."""


def trace_target(target: str, *, addresses_only: bool, device: Target, as_json: bool) -> int:
    """Trace every Triton kernel that the function launches, and print. `target` is FILE.py::FUNCTION, or FILE.py where
    one function is obvious.

    Returns exit code 1 after an access out of bounds or a race between programs, else 0. Raises TilescopeError for bad
    input.
    """
    topic = find_topic(TOPIC_ID)
    file, _, function = target.rpartition("::") if "::" in target else (target, "", "")
    params = topic.params.parse({"file": file, "function": function, "addresses_only": addresses_only})
    planned = topic.plan(params)
    topic.check(params)
    params = params.changed(file=str(planned.path), function=planned.function)
    with engine_for(device) as (engine, engine_device):
        result = run_once(engine, topic, params, engine_device, partial=True)  # all numbers; only the trace is missing
    assert isinstance(result, KernelLabResult)
    if as_json:
        findings = [(claim, claim.test(result)) for claim in topic.claims]
        document = as_document(result, findings)
        print(json.dumps({**document, **{name: result.rows(name) for name in TABLES}}, indent=2, ensure_ascii=False))
    else:
        _print(result)
    return FAULTS_FOUND if result.faults else 0


def _print(result: KernelLabResult) -> None:
    console = Console(highlight=False)
    console.width = max(console.width, _LEAST_WIDTH)
    environment = result.environment
    place = tr("Traced on {device}, {backend}", device=environment.device, backend=backend(environment))
    console.print(Text(str(place), style="dim"))
    texts = {traced.file: traced.text.splitlines() for traced in result.files}
    for launch in result.launches:
        lines = [row for row in result.line_traffic if row.launch == launch.launch]
        sectors = [row for row in result.sectors if row.launch == launch.launch]
        console.print()
        console.print(_headline(launch))
        console.print(_line_table(lines, sectors, texts if console.width >= _WIDTH_WITH_SOURCE else None))
        console.print(_tensor_table([row for row in result.tensors if row.launch == launch.launch]))
        for fault in result.faults:
            if fault.launch == launch.launch:
                console.print(_fault_line(fault))
    for message in result.messages:
        console.print()
        console.print(Text(str(message.text), style="bold yellow"))
    _print_log(result.log)


def _headline(launch: LaunchRow) -> Text:
    totals = tr(
        "grid {grid}, {accesses:,} accesses, read {read}, written {written}, distinct {unique}",
        grid=str(launch.grid),
        accesses=launch.accesses,
        read=_bytes(launch.read_bytes),
        written=_bytes(launch.written_bytes),
        unique=_bytes(launch.unique_bytes),
    )
    head = Text.assemble((f"{launch.launch}  {shown_name(launch.function)}", "bold"), f"  {totals}")
    if launch.config:
        config = tr("configuration {config}", config=str(launch.config))
        head.append(f"\n   {config}", "dim")
    return head


def _line_table(rows: Sequence[LineRow], sectors: Sequence[SectorRow], texts: dict[str, list[str]] | None) -> Table:
    """The source lines of a launch, with their code if `texts` is given: the lines of each file."""
    table = _table(*_LINE_COLUMNS, *([] if texts is None else [_SOURCE]))
    for row in rows:
        code = [] if texts is None else [_source_line(texts.get(row.file, []), row.line)]
        table.add_row(
            Text(f"{shown_name(row.file.rpartition('/')[2])}:{row.line}"),
            row.kind,
            Text(shown_name(row.tensor)),
            f"{row.accesses:,}",
            _bytes(row.bytes) if row.kind != "store" else "",
            _bytes(row.bytes) if row.kind != "load" else "",
            _bytes(row.unique_bytes),
            f"{row.masked_share:.1%}",
            _times(row.reuse),
            next((f"{sector.used_share:.1%}" for sector in sectors if _place(sector) == _place(row)), ""),
            *code,
        )
    return table


def _place(row: LineRow | SectorRow) -> tuple[str, int, str, str]:
    return row.file, row.line, row.kind, row.tensor


def _tensor_table(rows: Sequence[TensorRow]) -> Table:
    table = _table(*_TENSOR_COLUMNS)
    for row in rows:
        table.add_row(
            Text(shown_name(row.tensor)),
            row.dtype,
            Text(row.shape),
            _bytes(row.size_bytes),
            _bytes(row.read_bytes),
            _bytes(row.written_bytes),
            _bytes(row.unique_bytes),
            _times(row.reuse),
        )
    return table


def _table(*columns: tuple[Message, Literal["left", "right"]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        title, justify = column
        # In a narrow terminal only the code is cut; numbers are never wrapped.
        table.add_column(str(title), justify=justify, no_wrap=column is not _SOURCE)
    return table


def _fault_line(fault: FaultRow) -> Text:
    place = tr(
        "{file}:{line}, program {program}, index {index} of {tensor}",
        file=fault.file,
        line=fault.line,
        program=str(fault.program),
        index=fault.index,
        tensor=fault.tensor,
    )
    if fault.other_program is not None:
        place = tr(
            "{file}:{line}, programs {program} and {other}, index {index} of {tensor}",
            file=fault.file,
            line=fault.line,
            program=str(fault.program),
            other=str(fault.other_program),
            index=fault.index,
            tensor=fault.tensor,
        )
    message = tr(
        "{kind}: {place}. {explanation}",
        kind=_FAULTS.get(fault.kind, fault.kind),
        place=place,
        explanation=fault.sentence,
    )
    return Text(str(message), style="bold red")


def _print_log(rows: Sequence[Printed]) -> None:
    """Print the output of the file and its kernels to stderr, so that stdout has only the numbers."""
    console = Console(stderr=True, highlight=False)
    for row in rows:
        console.print(Text(f"[{row.stream}]\n{cleaned(row.text.rstrip())}", style="dim"))


def _source_line(lines: Sequence[str], number: int) -> Text:
    code = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    return Text(cleaned(code), style="dim", no_wrap=True, overflow="ellipsis")


def _bytes(count: float) -> str:
    return format_quantity(count, "bytes")


def _times(reuse: float) -> str:
    return format_quantity(reuse, "x")
