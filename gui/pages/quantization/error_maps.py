"""The error maps of the page: tensors by position, kinds of tensors by layer, and formats by position of one tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.checkpoint.errors import MAP_COLUMNS
from core.checkpoint.tensor_table import FormatReport
from core.format import format_quantity
from core.topics.quantization.plan import Plan
from core.topics.quantization.result import QuantizationResult
from gui.charts.row_grid import ColourScale, RowGrid
from gui.pages.quantization.view_data import LABELS, formats, short_name

_WORST, _MOST_TICKS = 5, 8
_LOW, _HIGH = 1.0, 99.0
"""Percentiles between which colours change: one bad block does not make all the others look alike."""
_LEAST_SPREAD = 0.1
"""Of the middle of the scale: smaller differences are noise, and the colours do not stretch over them."""


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


def tensor_grid(report: FormatReport, *, worst_first: bool) -> ErrorGrid | None:
    """A row per tensor (of a single one that was drawn, per stretch of it), the blocks in order to the right."""
    if not report.map_rows:
        return None
    order = report.order(worst_first=worst_first)
    rows = [report.map_rows[index] for index in order]
    names = [row.tensor for row in rows]

    def read(row: int, column: int) -> str:
        tensor = report.row_of[names[row]]
        stretch = f"{rows[row].kind}\n" if report.tensors == 1 and len(rows) > 1 else ""
        value = percent(report.percent[order[row], column] / 100)
        where = _stretch(column) if report.blocks is None else f"block {order[row] * MAP_COLUMNS + column:,}"
        about = f"{tensor.tensor}  [{tensor.shape}] {tensor.dtype}\n{stretch}"
        return f"{about}{where}: {value}\n{describe(report, names[row])}"

    values, many = report.percent[order], report.tensors > 1
    # Norms and biases have errors of another size, and are not what is quantized in practice.
    matrices = [row for row, name in enumerate(names) if report.row_of[name].is_matrix]
    worst = report.worst_first[:_WORST] if report.tensors > _WORST else ()
    return ErrorGrid(
        values=values,
        scale=error_scale(values[matrices] if matrices else values),
        names=tuple(short_name(row.layer, row.kind) for row in rows),
        x_name="position in the tensor" if report.blocks is None else "block of the stretch",
        x_unit="%" if report.blocks is None else "",
        x_range=(0.0, 100.0 if report.blocks is None else float(MAP_COLUMNS)),
        read=read,
        key=lambda row, _column: names[row],
        cells={name: (row, -1) for row, name in enumerate(names)} if many else {},
        highlighted=tuple(names.index(name) for name in worst if name in names),
    )


def layer_grid(report: FormatReport) -> ErrorGrid | None:
    """A row per kind of tensor, a column per layer that there is; where several tensors fall together, the worst.

    None without layers.
    """
    layers = report.layer_map
    if layers is None:
        return None
    worst, numbers = layers.worst, layers.layers

    def read(row: int, column: int) -> str:
        tensor = worst[row][column]
        if tensor is None:
            return f"layer {numbers[column]} has no {layers.kinds[row]}"
        return f"{tensor.tensor}  [{tensor.shape}]\n{describe(report, tensor.tensor)}"

    def key(row: int, column: int) -> str | None:
        return next((tensor.tensor for tensor in (worst[row] if column < 0 else [worst[row][column]]) if tensor), None)

    cells = {
        tensor.tensor: (row, column)
        for row, of_kind in enumerate(worst)
        for column, tensor in enumerate(of_kind)
        if tensor is not None
    }
    ticks: tuple[tuple[float, str], ...] = ()
    x_name, x_range = "layer", (numbers[0] - 0.5, numbers[-1] + 0.5)
    if layers.has_gaps:
        x_name, x_range = "layer (numbers without a tensor left out)", (-0.5, len(numbers) - 0.5)
        step = -(-len(numbers) // _MOST_TICKS)
        ticks = tuple((float(place), str(numbers[place])) for place in range(0, len(numbers), step))
    return ErrorGrid(
        values=layers.percent, names=layers.kinds, scale=error_scale(layers.percent), x_name=x_name, x_range=x_range,
        x_ticks=ticks, read=read, key=key, cells=cells,
    )  # fmt: skip


def format_grid(plan: Plan, fitting: QuantizationResult | None, tensor: str | None) -> ErrorGrid:
    """A row per format, the blocks of one tensor to the right: of the run's, or of the plan's sample without one."""
    names = formats(plan)
    rows, about = [], []
    blocks, what = None, "sample"
    for name in names:
        report = None if fitting is None else fitting.report(name)
        of_tensor = None if report is None else report.map_of(tensor)
        if report is None or of_tensor is None:
            errors = plan.errors_in(name)
            rows.append(100 * errors.map_row)
            about.append(f"{plan.sampled}: relative RMSE {percent(errors.relative_rmse)}, SNR {errors.snr_db:.3g} dB")
        else:
            rows.append(of_tensor)
            blocks, what = report.blocks, "tensor"
            about.append(describe(report, tensor or report.map_rows[0].tensor))
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


def summary(report: FormatReport, expected: int, *, names_worst: bool) -> tuple[str, ...]:
    """How many tensors there are, of as many as are expected, in wordings from the longest to the shortest."""
    many = f"{report.tensors:,} of {expected:,}" if report.tensors < expected else f"{report.tensors:,}"
    whole = f"{many} {'tensor' if many == '1' else 'tensors'} in {LABELS[report.format]}"
    if not names_worst or report.tensors <= _WORST:
        return (whole,)
    return f"{whole} · red: the {_WORST} worst", f"{many} · red: {_WORST} worst", f"red: {_WORST} worst"


def describe(report: FormatReport, tensor: str) -> str:
    """What the report says of a whole tensor."""
    row, rank = report.row_of[tensor], report.ranks.get(tensor)
    ranked = "" if rank is None or report.tensors == 1 else f"\nrank {rank:,} of {report.tensors:,} by error"
    bad = f"\n{row.nonfinite:,} NaN or inf weights" if row.nonfinite else ""
    return (
        f"{LABELS[report.format]}, whole tensor: relative RMSE {percent(row.relative_rmse)}, "
        f"SNR {_number(row.snr_db, 'dB')}{ranked}{bad}"
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
