"""Run A behind run B: its curves, and ticks at its values, on the same axes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from core.contracts.text import tr
from gui.charts.row_chart_spec import Cell, Ink, LegendKey, Row, RowSpec, total
from gui.charts.series import Series

A_INK = Ink("text", 0.55)
A_NAME = tr("A, pinned")


def behind(series: Iterable[Series], of_b: Iterable[Series]) -> tuple[Series, ...]:
    """The lines of A to draw with those of B: faint, behind them, and only those that B has too."""
    names = {one.name for one in of_b}
    return tuple(
        replace(one, name=str(tr("A: {name}", name=one.name)), pinned=True, key="", in_legend=False)
        for one in series
        if not names or one.name in names
    )


def with_pinned(spec: RowSpec | None, pinned: RowSpec | None) -> RowSpec | None:
    """The rows of B with a tick at the value of A; rows are matched by their names, and columns by their units. Without
    a row in common, the spec as it is."""
    if spec is None or pinned is None or _units(spec) != _units(pinned):
        return spec
    rows_of_a = {(band.title, row.group, row.name): row for band in pinned.bands for row in band.rows}
    bands = tuple(
        replace(band, rows=tuple(_marked(row, rows_of_a.get((band.title, row.group, row.name))) for row in band.rows))
        for band in spec.bands
    )
    if bands == spec.bands:
        return spec
    key = LegendKey(str(A_NAME), A_INK, "tick")
    first, *others = spec.legends or ((),)
    return replace(spec, bands=bands, legends=((*first, key), *others))


def _units(spec: RowSpec) -> list[tuple[str, bool]]:
    return [(column.unit, column.log) for column in spec.columns]


def _marked(row: Row, of_a: Row | None) -> Row:
    if of_a is None or len(of_a.cells) != len(row.cells):
        return row
    cells = tuple(replace(cell, pinned=_values(a)) for cell, a in zip(row.cells, of_a.cells, strict=True))
    if cells == row.cells:
        return row
    texts = [cell.texts[0] for cell in of_a.cells if cell.texts]
    value = str(tr("A: {name}", name="  ".join(texts))) if texts else str(A_NAME)
    return replace(row, cells=cells, read_out=f"{row.read_out}\n{value}".strip())


def _values(cell: Cell) -> tuple[float, ...]:
    """Where the bars of a cell end, one below the other, or where its mark is."""
    return tuple(total(bar) for bar in cell.bars) if cell.bars else (cell.mark,) if math.isfinite(cell.mark) else ()
