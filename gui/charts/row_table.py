"""The numbers of a row chart as a table."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gui.charts.row_chart_spec import Cell, Column, RowSpec
from gui.widgets.data_table import DataTable, Value

_COLUMNS = ("band", "group", "row", "column", "bar", "part", "value", "error", "unit")


def table_of(spec: RowSpec) -> DataTable:
    """One row per known value: of each part of each bar, counted from 1, or of a mark with its error."""
    rows: list[tuple[Value, ...]] = []
    for band in spec.bands:
        for row in band.rows:
            for column, cell in zip(spec.columns, row.cells, strict=False):
                place = (band.title, row.group, row.name, _name(column))
                rows += [(*place, *value, column.unit) for value in _values(cell)]
    return DataTable(_COLUMNS, tuple(rows))


def _name(column: Column) -> str:
    return column.titles[0] if column.titles else column.name


def _values(cell: Cell) -> Iterator[tuple[Value, ...]]:
    for number, bar in enumerate(cell.bars, start=1):
        for segment in bar:
            if math.isfinite(segment.value):
                part = segment.labels[0] if segment.labels else segment.key or ""
                yield number, part, float(segment.value), None
    if math.isfinite(cell.mark):
        yield None, "", float(cell.mark), float(cell.error)
