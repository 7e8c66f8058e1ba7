"""The tensors of a report as columns, cheap to send every second, and the error maps of one format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.names import NO_LAYER
from core.checkpoint.report import TensorErrors, worst_rows
from core.contracts.archive import Array

_COLUMNS = {item.name: str(item.type) for item in fields(TensorErrors) if item.name != "format"}
_DEFAULTS = {item.name: item.default for item in fields(TensorErrors) if item.default is not MISSING}
_DTYPES: Mapping[str, Any] = {"str": np.str_, "int": np.int64}
_FACTS = tuple(_COLUMNS)[: tuple(item.name for item in fields(TensorErrors)).index("format")]
"""The fields of TensorErrors that do not depend on the format: those before `format`."""


@dataclass(frozen=True)
class TensorTable:
    """Every tensor in each of `formats`: the fields of TensorErrors as arrays, by name.

    Facts about a tensor are [tensors], its errors [tensors, formats]: int64, float64 (NaN for None) or strings. A
    thousand tensors in six formats are 20 arrays instead of 120,000 values.
    """

    formats: tuple[str, ...] = ()
    columns: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill in the columns that a table of an earlier version lacks."""
        missing = {name: default for name, default in _DEFAULTS.items() if name not in self.columns}
        if self.columns and missing:
            shape = self.columns["snr_db"].shape
            filled = {name: np.full(shape, np.nan if value is None else value) for name, value in missing.items()}
            object.__setattr__(self, "columns", {**self.columns, **filled})

    @classmethod
    def of(cls, rows: Sequence[TensorErrors]) -> TensorTable:
        """The table of `rows`, which go tensor by tensor, each tensor in the same formats."""
        formats = tuple(dict.fromkeys(row.format for row in rows))
        if not rows:
            return cls()
        columns: dict[str, NDArray[Any]] = {}
        for name, kind in _COLUMNS.items():
            shown = rows[:: len(formats)] if name in _FACTS else rows
            values = np.array([getattr(row, name) for row in shown], dtype=_DTYPES.get(kind, np.float64))
            columns[name] = values if name in _FACTS else values.reshape(-1, len(formats))
        return cls(formats, columns)

    def __len__(self) -> int:
        """The number of tensors."""
        return len(self.columns["tensor"]) if self.columns else 0

    @cached_property
    def rows(self) -> tuple[TensorErrors, ...]:
        """One row per tensor and format, tensor by tensor."""
        by_format = [self.rows_in(format_id) for format_id in self.formats]
        return tuple(chain.from_iterable(zip(*by_format, strict=True)))

    def rows_in(self, format_id: str) -> tuple[TensorErrors, ...]:
        """One row per tensor, made on first use; none in a format that was not measured."""
        if format_id not in self.formats:
            return ()
        if format_id not in self._rows_by_format:
            known, index = self._known.get(format_id, ()), self.formats.index(format_id)
            values = [self._listed(name, index, start=len(known)) for name in _COLUMNS]
            values.insert(len(_FACTS), [format_id] * (len(self) - len(known)))
            self._rows_by_format[format_id] = known + tuple(map(TensorErrors, *values))
        return self._rows_by_format[format_id]

    def reuse_rows(self, earlier: TensorTable) -> None:
        """Take over the rows of `earlier` for the leading tensors that are equal in both tables.

        If a report grows by a tensor, only that tensor's rows are then made anew.
        """
        count = self._shared_tensors(earlier)
        for format_id, rows in earlier._rows_by_format.items():
            self._known[format_id] = rows[:count]

    def _shared_tensors(self, other: TensorTable) -> int:
        """The number of leading tensors whose every value is the same in both tables."""
        count = min(len(self), len(other))
        if not count or self.formats != other.formats:
            return 0
        same = np.ones(count, dtype=np.bool_)
        for name in _COLUMNS:
            mine, theirs = self.columns[name][:count], other.columns[name][:count]
            equal = (mine == theirs) | ((mine != mine) & (theirs != theirs))  # NaN stands for None
            same &= equal.reshape(count, -1).all(axis=1)
        return count if same.all() else int(same.argmin())

    def row(self, tensor: str, format_id: str) -> TensorErrors | None:
        return next((row for row in self.rows_in(format_id) if row.tensor == tensor), None)

    def worst(self, format_id: str, count: int = 20) -> list[TensorErrors]:
        """The worst weight matrices, worst first. Tensors without an error are left out."""
        return worst_rows(self.rows_in(format_id), format_id, count)

    def by_error(self, format_id: str) -> tuple[TensorErrors, ...]:
        """The tensors with an error, the worst first."""
        ranked = [row for row in self.rows_in(format_id) if row.is_ranked]
        return tuple(sorted(ranked, key=lambda row: row.rank_key))

    @cached_property
    def _rows_by_format(self) -> dict[str, tuple[TensorErrors, ...]]:
        return {}

    @cached_property
    def _known(self) -> dict[str, tuple[TensorErrors, ...]]:
        """Rows of an earlier table of the same tensors, by format."""
        return {}

    def _listed(self, name: str, format_index: int, start: int) -> list[Any]:
        """A column's values in one format, from tensor `start` on."""
        values = self.columns[name] if name in _FACTS else self.columns[name][:, format_index]
        listed = values[start:].tolist()
        return [None if value != value else value for value in listed] if "None" in _COLUMNS[name] else listed


@dataclass(frozen=True)
class MapRow:
    """What one row of an error map shows: a tensor, or a stretch of one from the first to the last of its `blocks`."""

    tensor: str
    layer: int
    kind: str
    blocks: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class LayerMap:
    """Relative RMSE in percent by kind of tensor and layer, float64 [kinds, layers]; NaN where there is no tensor.

    `worst` holds the tensor of each cell: the worst one if there are several, None if there is none.
    """

    kinds: tuple[str, ...]
    layers: tuple[int, ...]
    percent: NDArray[np.float64]
    worst: tuple[tuple[TensorErrors | None, ...], ...]

    @property
    def has_gaps(self) -> bool:
        """Whether some layers between the first and the last have no column."""
        return self.layers[-1] - self.layers[0] != len(self.layers) - 1


@dataclass(frozen=True, eq=False)
class FormatReport:
    """A report in one format.

    `percent` float64 [rows, columns] is the relative RMSE of the blocks by their position in the tensor; `map_rows`
    says what the rows are. `blocks` is the number of blocks of weights drawn from a distribution: their map has one
    cell per block, row after row. It is None for a checkpoint.
    """

    format: str
    percent: NDArray[np.float64]
    map_rows: tuple[MapRow, ...]
    row_of: Mapping[str, TensorErrors]
    worst_first: tuple[str, ...]
    blocks: int | None = None

    @property
    def tensors(self) -> int:
        return len(self.row_of)

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """The rank of each tensor that has an error; 1 is the worst."""
        return {name: rank for rank, name in enumerate(self.worst_first, start=1)}

    def map_of(self, tensor: str | None) -> NDArray[np.float64] | None:
        """The map of one tensor as float64 [columns]; None means the first tensor. The rows of a tensor are joined.

        For weights drawn from a distribution, the columns behind the last block are left out.
        """
        if not self.map_rows:
            return None
        name = self.map_rows[0].tensor if tensor is None else tensor
        places = [index for index, row in enumerate(self.map_rows) if row.tensor == name]
        return self.percent[places].ravel()[: self.blocks] if places else None

    def order(self, *, worst_first: bool) -> list[int]:
        """The rows of the map in the order of the file, or by error."""
        places = list(range(len(self.map_rows)))
        if worst_first:
            last = len(self.ranks) + 1
            places.sort(key=lambda index: self.ranks.get(self.map_rows[index].tensor, last))
        return places

    @cached_property
    def layer_map(self) -> LayerMap | None:
        """The report by kind and layer; None without layers."""
        return layer_map(self.row_of.values())


def layer_map(tensors: Iterable[TensorErrors]) -> LayerMap | None:
    """Kinds of tensors by layer, in order of appearance; None without layers."""
    inside = [row for row in tensors if row.layer != NO_LAYER]
    if not inside:
        return None
    kinds = tuple(dict.fromkeys(row.kind for row in inside))
    layers = tuple(sorted({row.layer for row in inside}))
    row_of, column_of = ({name: place for place, name in enumerate(names)} for names in (kinds, layers))
    percent = np.full((len(kinds), len(layers)), np.nan)
    worst: list[list[TensorErrors | None]] = [[None] * len(layers) for _ in kinds]
    for tensor in inside:
        row, column, error = row_of[tensor.kind], column_of[tensor.layer], tensor.relative_rmse
        if worst[row][column] is None or (error is not None and not 100 * error <= percent[row, column]):
            percent[row, column], worst[row][column] = np.nan if error is None else 100 * error, tensor
    return LayerMap(kinds, layers, percent, tuple(map(tuple, worst)))
