"""The configurations of autotuned kernels as tables: what each of them moves, needs and writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from core.contracts.text import Text as Message
from core.contracts.text import tr, tr_in
from core.format import format_quantity
from core.outside import shown_name
from core.topics.kernel_lab.result import ConfigRow
from core.trace.tables import LaunchRow


def chosen_config(launch: LaunchRow, rows: Sequence[ConfigRow]) -> Message:
    """The configuration of a launch, with its number among those of its kernel."""
    mine = [row for row in rows if row.function == launch.function]
    number = next((row.number for row in mine if row.config == launch.config), None)
    if number is None:
        return tr("configuration {config}", config=launch.config)
    return tr(
        "configuration {number} of {count}: {config}",
        number=number,
        count=max(row.number for row in mine),
        config=launch.config,
    )


def config_tables(rows: Sequence[ConfigRow]) -> Iterator[Text | Table]:
    """A headline and a table for each kernel whose configurations were tried."""
    for function in dict.fromkeys(row.function for row in rows if row.was_tried):
        headline = tr("Configurations of {kernel}, on the same tensors", kernel=shown_name(function))
        yield Text(str(headline), style="bold")
        yield _table([row for row in rows if row.function == function])


def _table(rows: Sequence[ConfigRow]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(str(tr_in("column", "configuration")))
    for title in (
        tr("read"),
        tr("written"),
        tr("unique"),
        tr_in("column", "FLOPs"),
        tr_in("column", "registers"),
        tr_in("column", "spills"),
        tr_in("column", "difference"),
    ):
        table.add_column(str(title), justify="right", no_wrap=True)
    for row in rows:
        name = Text(f"{row.number}  {row.config}", style="bold" if row.chosen else "")
        if row.problem:
            name.append(f"\n{row.problem}", "red")
        elif not row.kept:
            name.append(f"  {tr('pruned')}", "dim")
        table.add_row(
            name,
            *(_bytes(count) for count in (row.read_bytes, row.written_bytes, row.unique_bytes)),
            "" if not row.product_flops else format_quantity(row.product_flops, ""),
            *("" if count is None else str(count) for count in (row.registers, row.spills)),
            "" if row.difference is None else f"{row.difference:.3g}",
        )
    return table


def _bytes(count: int | None) -> str:
    return "" if count is None else format_quantity(count, "bytes")
