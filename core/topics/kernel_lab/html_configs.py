"""The configurations of autotuned kernels on the page of a trace, compared where all were tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.contracts.text import tr, tr_in
from core.format import format_quantity
from core.outside import shown_name
from core.topics.kernel_lab.html_pieces import cell, number, safe, section, shown, size, table, table_row
from core.topics.kernel_lab.result import ConfigRow


def config_tables(rows: Sequence[ConfigRow]) -> Iterator[str]:
    """A section for each kernel whose configurations were tried."""
    for function in dict.fromkeys(row.function for row in rows if row.was_tried):
        title = tr("Configurations of {kernel}, on the same tensors", kernel=shown_name(function))
        mine = [row for row in rows if row.function == function]
        yield section(title, _table(mine))


def _table(rows: Sequence[ConfigRow]) -> str:
    titles = [tr_in("column", "number"), tr_in("column", "configuration"), tr("read"), tr("written"), tr("unique")]
    titles += [tr_in("column", "FLOPs"), tr_in("column", "registers"), tr_in("column", "spills")]
    return table([*titles, tr_in("column", "difference")], map(_row, rows), first=1)


def _row(row: ConfigRow) -> str:
    return table_row(
        [
            number(str(row.number)),
            cell(f"{shown(row.config)}{_remark(row)}"),
            *(number("" if count is None else size(count)) for count in (row.read_bytes, row.written_bytes)),
            number("" if row.unique_bytes is None else size(row.unique_bytes)),
            number(format_quantity(row.product_flops, "") if row.product_flops else ""),
            *(number("" if count is None else str(count)) for count in (row.registers, row.spills)),
            number("" if row.difference is None else f"{row.difference:.3g}"),
        ],
        "kernel" if row.chosen else "",
    )


def _remark(row: ConfigRow) -> str:
    """Why it cannot be compiled, or that pruning leaves it out."""
    if row.problem:
        return f" <small>{safe(str(row.problem))}</small>"
    return "" if row.kept else f" <small>{safe(str(tr('pruned')))}</small>"
