"""The report of a trace in a terminal: totals over launches first, in as many columns as the terminal has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from core.commands.config_table import chosen_config, config_tables
from core.contracts.text import Text as Message
from core.contracts.text import tr, tr_in, tr_plural
from core.format import format_quantity
from core.outside import cleaned, shown_name
from core.topics.kernel_lab import wording
from core.topics.kernel_lab.result import KernelLabResult, Printed, file_name
from core.trace.tables import LaunchRow, LineRow, SectorRow, TensorRow
from core.trace.totals import KernelTotal, LineTotal, TensorTotal
from core.wording import backend

LEAST_WIDTH = 80
_WIDTH_WITH_TYPE, _WIDTH_WITH_MASKED = 100, 110
_LEAST_CODE, _LEAST_NAME, _MOST_ACCESS = 14, 12, 22
_MOST_CODE = 400
_GAP = 2
MOST_LINES, MOST_TENSORS, MOST_LAUNCHES = 40, 12, 40
"""Rows of each table of totals."""

Sources = Mapping[str, Sequence[str]]
"""The lines of each file; line 1 has the index 1."""


def print_report(result: KernelLabResult, *, with_launches: bool = False) -> None:
    """Print the report to stdout, with the tables of each launch if wanted, and what the file printed to stderr."""
    console = Console(highlight=False)
    console.width = max(console.width, LEAST_WIDTH)
    console.print(Text(str(_where(result)), style="dim"))
    sources = {traced.file: [""] * traced.first_line + traced.text.splitlines() for traced in result.files}
    if result.launches:
        _print_totals(console, result, sources)
    for launch in result.launches if with_launches else ():
        _print_launch(console, result, launch, sources)
    for part in config_tables(result.configs):
        console.print()
        console.print(part)
    for row in result.faults:
        console.print()
        colour = "red" if row.severity == "fault" else "yellow"
        console.print(Text(cleaned(str(wording.fault(row))), style=f"bold {colour}"))
    for message in result.notices:
        console.print()
        console.print(Text(str(message.text), style="bold yellow"))
    _print_log(result.log)


def _where(result: KernelLabResult) -> Message:
    environment = result.environment
    place = tr("Traced on {device}, {backend}", device=environment.device, backend=backend(environment))
    kind = wording.kind_of_trace(result)
    return tr("{place}: {kind}", place=place, kind=kind) if kind else place


def _print_totals(console: Console, result: KernelLabResult, sources: Sources) -> None:
    console.print()
    if len(result.launches) > 1:
        head, totals = str(wording.launches_of_kernels(result)), wording.totals_of(result)
    else:
        (launch,) = result.launches
        head, totals = shown_name(launch.function), wording.totals_of_launch(launch)
    console.print(Text.assemble((head, "bold"), f"  {totals}"))
    console.print(_kernel_table(result.kernel_totals, sources, console.width))
    console.print()
    console.print(_tensor_table(result.tensor_totals, console.width))
    if len(result.launches) > 1:
        console.print()
        console.print(_launch_table(result.launches, result.tensors, console.width))


# Kernels and their lines


def _kernel_table(kernels: Sequence[KernelTotal], sources: Sources, width: int) -> Table:
    """Each kernel, and its heaviest lines below it."""
    with_masked = width >= _WIDTH_WITH_MASKED
    titles = [tr("share"), tr("read"), tr("written"), tr("distinct"), tr("reuse"), tr("sectors"), tr("masked")]
    titles = titles if with_masked else titles[:-1]
    heaviest = {id(line) for line in _heaviest(kernels)}
    shown = [(kernel, [line for line in kernel.lines if id(line) in heaviest]) for kernel in kernels]
    rows: list[KernelTotal | LineTotal] = []
    for kernel, lines in shown:
        rows += [kernel, *lines]
    numbers = [_numbers(row, with_masked=with_masked) for row in rows]
    left = width - sum(widths := _widths(titles, numbers)) - _GAP * len(widths)
    access = _widest(_access(line) for _, lines in shown for line in lines)
    table = _table(str(tr("kernel, and its lines")), left, titles, widths)
    cells = iter(numbers)
    for kernel, lines in shown:
        table.add_row(_kernel_cell(kernel, left), *next(cells))
        for line in lines:
            row = [Text(cell, style="dim") for cell in next(cells)]
            table.add_row(_line_cell(line, kernel, sources, access, left), *row)
        if hidden := len(kernel.lines) - len(lines):
            table.add_row(Text(f"         {_more(hidden)}", style="dim"))
    return table


def _heaviest(kernels: Iterable[KernelTotal]) -> list[LineTotal]:
    lines = [line for kernel in kernels for line in kernel.lines]
    return sorted(lines, key=lambda line: -(line.read_bytes + line.written_bytes))[:MOST_LINES]


def _numbers(row: KernelTotal | LineTotal, *, with_masked: bool) -> list[str]:
    is_line = isinstance(row, LineTotal)
    cells = [
        f"{row.share:.1%}",
        "" if is_line and not row.read_bytes else _bytes(row.read_bytes),
        "" if is_line and not row.written_bytes else _bytes(row.written_bytes),
        _bytes(row.unique_bytes),
        format_quantity(row.reuse, "x"),
        "" if row.sector_share is None else f"{row.sector_share:.1%}",
    ]
    return [*cells, f"{row.masked_share:.1%}"] if with_masked else cells


def _kernel_cell(kernel: KernelTotal, width: int) -> Text:
    """Its name, how often it was launched and, if there is room, where it begins."""
    count = str(wording.times_launched(kernel.launches))
    name = shown_name(kernel.function, max(_LEAST_NAME, width - cell_len(count) - _GAP))
    place = shown_name(f"{file_name(kernel.file)}:{kernel.first_line}", 24)
    cell = Text.assemble((name, "bold"), f"  {count}")
    return cell.append(f"  {place}", "dim") if cell.cell_len + cell_len(place) + _GAP <= width else cell


def _line_cell(line: LineTotal, kernel: KernelTotal, sources: Sources, access: int, width: int) -> Text:
    """The line, what it accesses and, if there is room, its code."""
    place = str(line.line) if line.file == kernel.file else shown_name(f"{file_name(line.file)}:{line.line}", 24)
    cell = f"{place:>7}  {_columns([_access(line)], [access])}"
    if width - cell_len(cell) - _GAP >= _LEAST_CODE:
        cell += f"{'':{_GAP}}{_code(sources, line.file, line.line)}"
    return Text(cell)


def _access(row: LineTotal | LineRow) -> str:
    return f"{row.kind} {shown_name(row.tensor, _MOST_ACCESS - len(row.kind) - 1)}"


def _place(row: LineRow | SectorRow) -> tuple[str, int, str, str]:
    return row.file, row.line, row.kind, row.tensor


def _code(sources: Sources, file: str, line: int) -> str:
    lines = sources.get(file, ())
    return cleaned(lines[line].strip()).replace("\t", " ") if 0 < line < len(lines) else ""


# Tensors and launches


def _tensor_table(tensors: Sequence[TensorTotal], width: int) -> Table:
    """The heaviest allocations, by the names that the caller has for them."""
    shown = tensors[:MOST_TENSORS]
    numbers = [
        [
            f"{row.share:.1%}",
            _bytes(row.read_bytes),
            _bytes(row.written_bytes),
            _bytes(row.size_bytes),
            f"{row.launches:,}",
        ]
        for row in shown
    ]
    titles = [tr("share"), tr("read"), tr("written"), tr("size"), tr("launches")]
    places = [shown_name(file_name(row.made_at), 20) for row in shown]
    with_type = width >= _WIDTH_WITH_TYPE
    forms = [shown_name(f"{row.dtype} {row.shape}" if with_type else row.shape, 26) for row in shown]
    heads = [str(tr("tensor")), str(tr("type and shape") if with_type else tr("shape")), str(tr("made at"))]
    left = width - sum(widths := _widths(titles, numbers)) - _GAP * len(widths)
    form, place = _widest([heads[1], *forms]), _widest([heads[2], *places])
    name = max(_LEAST_NAME, left - form - place - 2 * _GAP)
    cells = [_columns(heads, (name, form, place))]
    cells += [
        _columns([shown_name(", ".join(row.names), name), *others], (name, form, place))
        for row, *others in zip(shown, forms, places, strict=True)
    ]
    table = _table(cells[0], left, titles, widths)
    for cell, row in zip(cells[1:], numbers, strict=True):
        table.add_row(Text(cell), *row)
    return _with_rest(table, len(tensors) - len(shown))


def _launch_table(launches: Sequence[LaunchRow], tensors: Iterable[TensorRow], width: int) -> Table:
    """The launches in order, each with what the caller passed below it."""
    shown = launches[:MOST_LAUNCHES]
    numbers = [[_bytes(row.read_bytes), _bytes(row.written_bytes), _bytes(row.unique_bytes)] for row in shown]
    titles = [tr("read"), tr("written"), tr("distinct")]
    arguments: dict[int, list[str]] = {}
    for tensor in tensors:
        if tensor.argument:
            arguments.setdefault(tensor.launch, []).append(f"{tensor.tensor} = {tensor.argument}")
    left = width - sum(widths := _widths(titles, numbers)) - _GAP * len(widths)
    heads = ["", str(tr_in("column", "launch")), str(tr_in("column", "grid")), str(tr("launched at"))]
    rows = [
        [f"{row.launch + 1:,}", shown_name(row.function), _grid(row), shown_name(file_name(row.launched_at), 20)]
        for row in shown
    ]
    number, grid, place = (_widest([heads[i], *(row[i] for row in rows)]) for i in (0, 2, 3))
    name = min(
        _widest([heads[1], *(row[1] for row in rows)]), max(_LEAST_NAME, left - number - grid - place - 3 * _GAP)
    )
    sizes = (number, name, grid, place)
    table = _table(_columns(heads, sizes), left, titles, widths)
    for launch, row, cells in zip(shown, rows, numbers, strict=True):
        table.add_row(Text(_columns(row, sizes)), *cells)
        if passed := arguments.get(launch.launch):
            code = shown_name(", ".join(passed), _MOST_CODE)
            table.add_row(Text(f"{'':{number + _GAP}}{code}", style="dim"))
    return _with_rest(table, len(launches) - len(shown))


def _grid(row: LaunchRow) -> str:
    return row.grid.removesuffix(" x 1").removesuffix(" x 1").replace(" x ", "×")


# One launch


def _print_launch(console: Console, result: KernelLabResult, launch: LaunchRow, sources: Sources) -> None:
    """The tables of one launch: its lines in the order of the source, and its tensors."""
    console.print()
    name = f"{launch.launch + 1}  {shown_name(launch.function)}"
    console.print(Text.assemble((name, "bold"), f"  {wording.totals_of_launch(launch)}"))
    if launch.config:
        console.print(Text(f"   {cleaned(str(chosen_config(launch, result.configs)))}", style="dim"))
    lines = [row for row in result.line_traffic if row.launch == launch.launch]
    sectors = [row for row in result.sectors if row.launch == launch.launch]
    console.print(_lines_of_launch(lines, sectors, sources, console.width))
    console.print(_tensors_of_launch([row for row in result.tensors if row.launch == launch.launch], console.width))


def _lines_of_launch(rows: Sequence[LineRow], sectors: Sequence[SectorRow], sources: Sources, width: int) -> Table:
    shares = {_place(row): row.used_share for row in sectors}
    numbers = [
        [
            f"{row.accesses:,}",
            _bytes(row.bytes) if row.kind != "store" else "",
            _bytes(row.bytes) if row.kind != "load" else "",
            _bytes(row.unique_bytes),
            format_quantity(row.reuse, "x"),
            f"{shares[_place(row)]:.1%}" if _place(row) in shares else "",
            f"{row.masked_share:.1%}",
        ]
        for row in rows
    ]
    titles = [tr("accesses"), tr("read"), tr("written"), tr("distinct"), tr("reuse"), tr("sectors"), tr("masked")]
    if width < _WIDTH_WITH_MASKED:
        titles, numbers = titles[1:-1], [cells[1:-1] for cells in numbers]
    left = width - sum(widths := _widths(titles, numbers)) - _GAP * len(widths)
    places = [shown_name(f"{file_name(row.file)}:{row.line}", 24) for row in rows]
    accesses = [_access(row) for row in rows]
    sizes = (_widest(places), _widest(accesses))
    room = left - sum(sizes) - 2 * _GAP
    table = _table(_columns([str(tr_in("column", "line")), str(tr("access"))], sizes), left, titles, widths)
    for row, place, access, cells in zip(rows, places, accesses, numbers, strict=True):
        code = f"{'':{_GAP}}{_code(sources, row.file, row.line)}" if room >= _LEAST_CODE else ""
        table.add_row(Text(f"{_columns([place, access], sizes)}{code}"), *cells)
    return table


def _tensors_of_launch(rows: Sequence[TensorRow], width: int) -> Table:
    numbers = [
        [
            _bytes(row.size_bytes),
            _bytes(row.read_bytes),
            _bytes(row.written_bytes),
            _bytes(row.unique_bytes),
            format_quantity(row.reuse, "x"),
        ]
        for row in rows
    ]
    titles = [tr("size"), tr("read"), tr("written"), tr("distinct"), tr("reuse")]
    left = width - sum(widths := _widths(titles, numbers)) - _GAP * len(widths)
    forms = [shown_name(f"{row.dtype} {row.shape}", 26) for row in rows]
    heads = [str(tr("tensor")), str(tr("type and shape"))]
    form = _widest([heads[1], *forms])
    name = max(_LEAST_NAME, left - form - _GAP)
    table = _table(_columns(heads, (name, form)), left, titles, widths)
    for row, kind, cells in zip(rows, forms, numbers, strict=True):
        named = f"{row.tensor} = {row.argument}" if row.argument else row.tensor
        table.add_row(Text(_columns([shown_name(named, name), kind], (name, form))), *cells)
    return table


# Layout


def _table(title: str, left: int, titles: Sequence[Message], widths: Sequence[int]) -> Table:
    """A left column that has the room that the numbers leave: it is cut there, and numbers never are."""
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    table.add_column(title, width=left, no_wrap=True, overflow="ellipsis")
    for each, width in zip(titles, widths, strict=True):
        table.add_column(str(each), justify="right", width=width, no_wrap=True)
    return table


def _widths(titles: Sequence[Message], rows: Sequence[Sequence[str]]) -> list[int]:
    return [_widest([str(title), *(row[i] for row in rows)]) for i, title in enumerate(titles)]


def _widest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Cells beside each other, each cut or filled to its width: a Chinese character takes two columns."""
    return (" " * _GAP).join(
        f"{set_cell_size(cell, width - 1)}…" if cell_len(cell) > width else set_cell_size(cell, width)
        for cell, width in zip(cells, widths, strict=True)
    )


def _with_rest(table: Table, hidden: int) -> Table:
    """The table with a last row that says how many rows are not in it."""
    if hidden:
        table.add_row(Text(str(_more(hidden)), style="dim"))
    return table


def _more(hidden: int) -> Message:
    return tr_plural("… {count:,} more: --json has all", "… {count:,} more: --json has all", count=hidden)


def _print_log(rows: Sequence[Printed]) -> None:
    """Print the output of the file and its kernels to stderr, so that stdout has only the numbers."""
    console = Console(stderr=True, highlight=False)
    for row in rows:
        console.print(Text(f"[{row.stream}]\n{cleaned(row.text.rstrip())}", style="dim"))


def _bytes(count: float) -> str:
    return format_quantity(count, "bytes")
