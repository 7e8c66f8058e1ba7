"""The numbers of a picture as a table, for other programs: CSV and JSON.

A widget that shows numbers offers them as `data_table()`: a DataTable, or None while it shows none. It is not called
`table`, since views have attributes of that name.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from PySide6.QtWidgets import QWidget

from core.contracts.text import Text

Value = str | int | float | bool | None


@dataclass(frozen=True)
class DataTable:
    """`columns` are the same in every language, `rows` have a value for each; NaN and infinite values are missing."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]

    def labelled(self, column: str, value: Value) -> DataTable:
        """The table with the same value in one more column, unless it has that column."""
        if column in self.columns:
            return self
        return DataTable((*self.columns, column), tuple((*row, value) for row in self.rows))


def table_of(columns: Mapping[str, Iterable[Any]]) -> DataTable:
    """A table from its columns by name, all of one length: numpy arrays, texts, numbers."""
    values = (map(plain, column.tolist() if hasattr(column, "tolist") else column) for column in columns.values())
    return DataTable(tuple(columns), tuple(zip(*values, strict=True)))


@runtime_checkable
class HasTable(Protocol):
    """A widget that shows numbers."""

    def data_table(self) -> DataTable | None: ...


def tables_in(root: QWidget) -> list[DataTable]:
    """The tables of what is in view under a widget, from the top down. What is within another one is left out."""
    return list(_tables_in(root))


def _tables_in(widget: QWidget) -> Iterator[DataTable]:
    table = widget.data_table() if isinstance(widget, HasTable) else None
    if table is not None:
        if table.rows:
            yield table
        return
    for child in widget.children():
        if isinstance(child, QWidget) and child.isVisibleTo(widget):
            yield from _tables_in(child)


def as_csv(tables: list[DataTable]) -> str:
    """One table under the other, with an empty line between them, and a head each."""
    return "\n".join(map(_csv, tables))


def as_json(tables: list[DataTable]) -> str:
    """A list of one object per row; of several tables, a list of such lists."""
    rows = [[dict(zip(table.columns, map(_known, row), strict=True)) for row in table.rows] for table in tables]
    return json.dumps(rows[0] if len(rows) == 1 else rows, ensure_ascii=False, indent=1)


def plain(value: Any) -> Value:
    """A value of a record as one of a table: numpy scalars as numbers, all else as its text."""
    value = value.item() if hasattr(value, "item") else value
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def is_plain(value: Any) -> bool:
    """Whether a value is a number or a text, and not a record of several."""
    return value is None or isinstance(value, str | int | float | bool | Text) or hasattr(value, "item")


def _csv(table: DataTable) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(["" if value is None else value for value in map(_known, row)] for row in table.rows)
    return text.getvalue()


def _known(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value
