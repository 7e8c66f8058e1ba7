"""The error maps of the page: tensors by position, kinds of tensors by layer, and formats by position of one tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.checkpoint.errors import MAP_COLUMNS
from core.checkpoint.names import NO_LAYER
from core.contracts.result import Result, Row
from core.format import format_quantity
from core.topics.quantization.model.plan import Plan
from core.topics.quantization.payload import MAP_PREFIX
from gui.charts.row_grid import ColourScale, RowGrid
from gui.pages.quantization.report_figures import LABELS
from gui.pages.quantization.view_data import INKS, params_of, sample_errors, short_name

_WORST, _MOST_TICKS = 5, 8
_LOW, _HIGH = 1.0, 99.0
"""Percentiles between which colours change: one bad block does not make all the others look alike."""
_LEAST_SPREAD = 0.1
"""Of the middle of the scale: smaller differences are noise and are not stretched over all the colours."""


@dataclass(frozen=True, kw_only=True)
class ErrorGrid(RowGrid):
    """Relative RMSE in percent. `key` says what a cell stands for (a tensor, say; None for nothing).

    `cells` is where a key is: its row and column, the column -1 for a whole row.
    """

    key: Callable[[int, int], str | None]
    cells: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def error_scale(values: np.ndarray) -> ColourScale:
    """Colours for errors in percent, spread over all but the extremes; over 0 to 1 without any."""
    known = values[np.isfinite(values)]
    low, high = 0.0, 1.0
    if known.size:
        low, high = (float(value) for value in np.percentile(known, (_LOW, _HIGH)))
        middle, least = (low + high) / 2, _LEAST_SPREAD * (low + high) / 2
        if high - low < least:
            low, high = middle - least / 2, middle + least / 2
        high = high if high > low else low + 1.0
    ticks = (high, f"≥ {_short(high)}"), ((low + high) / 2, _short((low + high) / 2)), (low, f"≤ {_short(low)}")
    tip = "Relative RMSE: root mean square of the errors over that of the weights"
    return ColourScale("inferno", (low, high), ticks, "relative RMSE", tip)


class Report:
    """What a result says of its tensors in one format.

    `map` float64 [rows, columns] in percent, `map_rows` what its rows are; `row_of` the report's row of a tensor.
    `blocks` is how many there are of weights that were drawn, whose map has a column a block; None of a checkpoint.
    """

    def __init__(self, result: Result, format_id: str) -> None:
        self.format = format_id
        self.map = 100 * result.arrays[f"{MAP_PREFIX}{format_id}"].astype(np.float64)
        self.map_rows: list[Row] = result.tables.get("map_rows", [])
        params = params_of(result)
        self.blocks = None if params.checkpoint.strip() else params.blocks
        rows = [row for row in result.tables.get("tensors", []) if row["format"] == format_id]
        self.row_of: dict[str, Row] = {row["tensor"]: row for row in rows}
        known = [row for row in rows if row["relative_rmse"] is not None]
        self.worst_first = [row["tensor"] for row in sorted(known, key=lambda row: -row["relative_rmse"])]
        self._ranks = {name: rank for rank, name in enumerate(self.worst_first, start=1)}

    @property
    def tensors(self) -> int:
        return len(self.row_of)

    def summary(self, expected: int, *, names_worst: bool) -> tuple[str, ...]:
        """How many tensors there are, of as many as are expected, in wordings from the longest to the shortest."""
        many = f"{self.tensors:,} of {expected:,}" if self.tensors < expected else f"{self.tensors:,}"
        said = f"{many} {'tensor' if many == '1' else 'tensors'} in {LABELS[self.format]}"
        if not names_worst or self.tensors <= _WORST:
            return (said,)
        return f"{said} · red: the {_WORST} worst", f"{many} · red: {_WORST} worst", f"red: {_WORST} worst"

    def map_of(self, tensor: str | None) -> np.ndarray | None:
        """float64 [columns] of a tensor, of the first one for None; rows of one tensor follow one another.

        Columns behind the last block of weights that were drawn are left out.
        """
        if not self.map_rows:
            return None
        name = self.map_rows[0]["tensor"] if tensor is None else tensor
        own = [index for index, row in enumerate(self.map_rows) if row["tensor"] == name]
        return self.map[own].ravel()[: self.blocks] if own else None

    def describe(self, tensor: str) -> str:
        """What the report says of the whole tensor."""
        row = self.row_of[tensor]
        rank = self._ranks.get(tensor)
        ranked = "" if rank is None or self.tensors == 1 else f"\nrank {rank:,} of {self.tensors:,} by error"
        bad = f"\n{row['nonfinite']:,} weights are NaN or infinite" if row["nonfinite"] else ""
        return (
            f"{LABELS[self.format]}, whole tensor: relative RMSE {percent(row['relative_rmse'])}, "
            f"SNR {_number(row['snr_db'], 'dB')}{ranked}{bad}"
        )


def tensor_grid(report: Report, *, worst_first: bool) -> ErrorGrid | None:
    """A row a tensor (of a single one that was drawn, a stretch of it), the blocks in order to the right."""
    rows = report.map_rows
    if not rows:
        return None
    order = list(range(len(rows)))
    if worst_first:
        rank = {name: index for index, name in enumerate(report.worst_first)}
        order.sort(key=lambda index: rank.get(rows[index]["tensor"], len(rank)))
    names = [rows[index]["tensor"] for index in order]

    def read(at: int, column: int) -> str:
        row = report.row_of[names[at]]
        stretch = f"{rows[order[at]]['kind']}\n" if report.tensors == 1 and len(rows) > 1 else ""
        value = percent(report.map[order[at], column] / 100)
        where = _stretch(column) if report.blocks is None else f"block {order[at] * MAP_COLUMNS + column:,}"
        about = f"{row['tensor']}  [{row['shape']}] {row['dtype']}\n{stretch}"
        return f"{about}{where}: {value}\n{report.describe(names[at])}"

    values, many = report.map[order], report.tensors > 1
    # Norms and biases have errors of another size, and are not what is quantized in practice.
    matrices = [row for row, name in enumerate(names) if " x " in report.row_of[name]["shape"]]
    worst = report.worst_first[:_WORST] if report.tensors > _WORST else []
    return ErrorGrid(
        values=values,
        scale=error_scale(values[matrices] if matrices else values),
        names=tuple(short_name(rows[index]["layer"], rows[index]["kind"]) for index in order),
        x_name="position in the tensor" if report.blocks is None else "block of the stretch",
        x_unit="%" if report.blocks is None else "",
        x_range=(0.0, 100.0 if report.blocks is None else float(MAP_COLUMNS)),
        read=read,
        key=lambda row, _column: names[row],
        cells={name: (row, -1) for row, name in enumerate(names)} if many else {},
        highlighted=tuple(names.index(name) for name in worst if name in names),
    )


def layer_grid(report: Report) -> ErrorGrid | None:
    """A row a kind of tensor, a column a layer that there is; where several tensors fall together, the worst.

    None without layers.
    """
    inside = [row for row in report.row_of.values() if row["layer"] != NO_LAYER]
    if not inside:
        return None
    kinds = list(dict.fromkeys(row["kind"] for row in inside))
    layers = sorted({row["layer"] for row in inside})
    size = len(kinds), len(layers)
    values, tensor_of = np.full(size, np.nan), np.full(size, -1)
    row_of_kind, column_of = ({name: at for at, name in enumerate(names)} for names in (kinds, layers))
    for index, row in enumerate(inside):
        at, error = (row_of_kind[row["kind"]], column_of[row["layer"]]), row["relative_rmse"]
        if tensor_of[at] < 0 or (error is not None and not 100 * error <= values[at]):
            values[at], tensor_of[at] = np.nan if error is None else 100 * error, index

    def read(row: int, column: int) -> str:
        index = int(tensor_of[row, column])
        if index < 0:
            return f"layer {layers[column]} has no {kinds[row]}"
        tensor, shape = (inside[index][name] for name in ("tensor", "shape"))
        return f"{tensor}  [{shape}]\n{report.describe(tensor)}"

    def key(row: int, column: int) -> str | None:
        found = tensor_of[row] if column < 0 else tensor_of[row, [column]]
        known = found[found >= 0]
        return str(inside[int(known[0])]["tensor"]) if known.size else None

    cells = {
        str(inside[int(tensor_of[row, column])]["tensor"]): (row, column)
        for row, column in np.argwhere(tensor_of >= 0).tolist()
    }
    if layers[-1] - layers[0] == len(layers) - 1:
        x_name, range_, ticks = "layer", (layers[0] - 0.5, layers[-1] + 0.5), ()
    else:
        x_name, range_ = "layer (numbers without a tensor left out)", (-0.5, len(layers) - 0.5)
        every = -(-len(layers) // _MOST_TICKS)
        ticks = tuple((float(at), str(layers[at])) for at in range(0, len(layers), every))
    return ErrorGrid(
        values=values, names=tuple(kinds), scale=error_scale(values), x_name=x_name, x_range=range_, x_ticks=ticks,
        read=read, key=key, cells=cells,
    )  # fmt: skip


def format_grid(plan: Plan, report_of: Callable[[str], Report | None], tensor: str | None) -> ErrorGrid:
    """A row a format, the blocks of one tensor to the right: of the run's, or of the plan's sample without one."""
    names = sorted((name.value for name in plan.params.formats), key=INKS.__getitem__)
    rows, about = [], []
    blocks, what = None, "sample"
    for name in names:
        report = report_of(name)
        own = None if report is None else report.map_of(tensor)
        if report is None or own is None:
            found = sample_errors(plan, name)
            rows.append(100 * found.map_row)
            about.append(f"{plan.sampled}: relative RMSE {percent(found.relative_rmse)}, SNR {found.snr_db:.3g} dB")
        else:
            rows.append(own)
            blocks, what = report.blocks, "tensor"
            about.append(report.describe(tensor or report.map_rows[0]["tensor"]))
    values = np.stack(rows) if rows else np.empty((0, MAP_COLUMNS))

    def read(row: int, column: int) -> str:
        where = _stretch(column) if blocks is None else f"block {column:,}"
        value = percent(values[row, column] / 100)
        return f"{LABELS[names[row]]}, {where}: {value}\n{about[row]}"

    return ErrorGrid(
        values=values,
        scale=error_scale(values),
        names=tuple(LABELS[name] for name in names),
        x_name=f"position in the {what}" if blocks is None else "block",
        x_unit="%" if blocks is None else "",
        x_range=(0.0, 100.0 if blocks is None else float(blocks)),
        read=read,
        key=lambda row, _column: names[row],
        cells={name: (row, -1) for row, name in enumerate(names)},
    )


def percent(share: Any) -> str:
    """A share as percent; without one, why there is none."""
    known = share is not None and np.isfinite(share)
    return format_quantity(100 * float(share), "%") if known else "none (no blocks here, or zeros alone)"


def _stretch(column: int) -> str:
    """The part of a tensor that a column of its map stands for."""
    first, last = (100 * edge / MAP_COLUMNS for edge in (column, column + 1))
    return f"blocks from {first:.4g}% to {last:.4g}%"


def _short(percent: float) -> str:
    return f"{percent:.3g}%" if percent >= 1 else f"{percent:.2g}%"


def _number(value: float | None, unit: str) -> str:
    return format_quantity(float("nan") if value is None else value, unit)
