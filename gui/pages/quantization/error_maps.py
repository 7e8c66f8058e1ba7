"""The error maps: tensors by position, kinds of tensors by layer, and the formats of one tensor by position."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.checkpoint.errors import MAP_COLUMNS
from core.checkpoint.tensor_table import FormatReport, MapRow
from core.contracts.text import Text, tr, tr_in, tr_plural
from core.format import quantity
from core.topics.quantization.labels import source_label
from core.topics.quantization.plan import Plan
from core.topics.quantization.result import QuantizationResult
from gui.charts.row_grid import ColourScale, RowGrid
from gui.pages.quantization.view_data import formats, label, short_name

_WORST, _MOST_TICKS = 5, 8
_LOW, _HIGH = 1.0, 99.0
"""The colours spread between these percentiles, so that one bad block does not make all others look alike."""
_LEAST_SPREAD = 0.1
"""The least range of the colours, relative to its middle: smaller differences are noise and are not spread."""


@dataclass(frozen=True, kw_only=True)
class ErrorGrid(RowGrid):
    """Relative RMSE in percent. `key` is what a cell stands for, such as a tensor; None for nothing.

    `cells` gives the row and column of a key; the column is -1 for a whole row.
    """

    key: Callable[[int, int], str | None]
    cells: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def error_scale(values: np.ndarray) -> ColourScale:
    """Colours for errors in percent, spread over all but the extremes; over 0 to 1 if there are no errors."""
    known = values[np.isfinite(values)]
    low, high = 0.0, 1.0
    if known.size:
        low, high = (float(value) for value in np.percentile(known, (_LOW, _HIGH)))
        middle, least = (low + high) / 2, _LEAST_SPREAD * (low + high) / 2
        if high - low < least:
            low, high = middle - least / 2, middle + least / 2
        high = high if high > low else low + 1.0
    ticks = (high, f"≥ {_short(high)}"), ((low + high) / 2, _short((low + high) / 2)), (low, f"≤ {_short(low)}")
    tip = tr("Relative RMSE: root mean square of the errors over that of the weights.")
    return ColourScale("inferno", (low, high), ticks, str(tr("relative RMSE")), str(tip))


def tensor_grid(report: FormatReport, *, worst_first: bool) -> ErrorGrid | None:
    """One row per tensor (for a single drawn tensor, one per stretch of it), with the blocks in order to the right."""
    if not report.map_rows:
        return None
    order = report.order(worst_first=worst_first)
    rows = [report.map_rows[index] for index in order]
    names = [row.tensor for row in rows]

    def read(row: int, column: int) -> str:
        tensor = report.row_of[names[row]]
        share = report.percent[order[row], column] / 100
        if report.blocks is None:
            cell = _value_in(column, share)
        else:
            cell = _value_of_block(order[row] * MAP_COLUMNS + column, share)
        stretch = "" if rows[row].blocks is None else f"{_row_name(rows[row])}\n"
        head = f"{source_label(tensor.tensor)}  [{tensor.shape}] {tensor.dtype}\n{stretch}"
        return f"{head}{cell}\n{describe(report, names[row])}"

    values, many = report.percent[order], report.tensors > 1
    # Norms and biases have errors of another size, and are not quantized in practice.
    matrices = [row for row, name in enumerate(names) if report.row_of[name].is_matrix]
    worst = report.worst_first[:_WORST] if report.tensors > _WORST else ()
    return ErrorGrid(
        values=values,
        scale=error_scale(values[matrices] if matrices else values),
        names=tuple(_row_name(row) for row in rows),
        x_name=str(tr("position in the tensor") if report.blocks is None else tr("block of the row")),
        x_unit="%" if report.blocks is None else "",
        x_range=(0.0, 100.0 if report.blocks is None else float(MAP_COLUMNS)),
        read=read,
        key=lambda row, _column: names[row],
        cells={name: (row, -1) for row, name in enumerate(names)} if many else {},
        highlighted=tuple(names.index(name) for name in worst if name in names),
    )


def layer_grid(report: FormatReport) -> ErrorGrid | None:
    """One row per kind of tensor and one column per layer. If several tensors share a cell, it shows the worst one.

    None without layers.
    """
    layers = report.layer_map
    if layers is None:
        return None
    worst, numbers = layers.worst, layers.layers

    def read(row: int, column: int) -> str:
        tensor = worst[row][column]
        if tensor is None:
            return str(tr("layer {layer} has no {kind}", layer=numbers[column], kind=layers.kinds[row]))
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
    x_name, x_range = str(tr("layer")), (numbers[0] - 0.5, numbers[-1] + 0.5)
    if layers.has_gaps:
        x_name, x_range = str(tr("layer (layers without tensors left out)")), (-0.5, len(numbers) - 0.5)
        step = -(-len(numbers) // _MOST_TICKS)
        ticks = tuple((float(place), str(numbers[place])) for place in range(0, len(numbers), step))
    return ErrorGrid(
        values=layers.percent, names=layers.kinds, scale=error_scale(layers.percent), x_name=x_name, x_range=x_range,
        x_ticks=ticks, read=read, key=key, cells=cells,
    )  # fmt: skip


def format_grid(plan: Plan, fitting: QuantizationResult | None, tensor: str | None) -> ErrorGrid:
    """One row per format with the blocks of one tensor to the right: from the run, or without one the plan's sample."""
    names = formats(plan)
    rows, about = [], []
    blocks, x_name = None, tr("position in the sample")
    for name in names:
        report = None if fitting is None else fitting.report(name)
        of_tensor = None if report is None else report.map_of(tensor)
        if report is None or of_tensor is None:
            errors = plan.errors_in(name)
            rows.append(100 * errors.map_row)
            totals = tr(
                "{source}: relative RMSE {error}, SNR {snr:.3g} dB",
                source=source_label(plan.sampled),
                error=percent(errors.relative_rmse),
                snr=errors.snr_db,
            )
            about.append(str(totals))
        else:
            rows.append(of_tensor)
            blocks, x_name = report.blocks, tr("position in the tensor")
            about.append(describe(report, tensor or report.map_rows[0].tensor))
    values = np.stack(rows) if rows else np.empty((0, MAP_COLUMNS))

    def read(row: int, column: int) -> str:
        share = values[row, column] / 100
        cell = _value_in(column, share) if blocks is None else _value_of_block(column, share)
        head = tr("{format}, {cell}", format=label(names[row]), cell=cell)
        return f"{head}\n{about[row]}"

    return ErrorGrid(
        values=values,
        scale=error_scale(values),
        names=tuple(label(name) for name in names),
        x_name=str(x_name if blocks is None else tr_in("quantization", "block")),
        x_unit="%" if blocks is None else "",
        x_range=(0.0, 100.0 if blocks is None else float(blocks)),
        read=read,
        key=lambda row, _column: names[row],
        cells={name: (row, -1) for row, name in enumerate(names)},
    )


def summary(report: FormatReport, expected: int, *, names_worst: bool) -> tuple[str, ...]:
    """How many of the expected tensors there are, in wordings from the longest to the shortest."""
    if report.tensors < expected:
        tensors = tr(
            "{measured:,} of {expected:,} tensors in {format}",
            measured=report.tensors,
            expected=expected,
            format=label(report.format),
        )
    else:
        tensors = tr_plural(
            "{count:,} tensor in {format}",
            "{count:,} tensors in {format}",
            count=report.tensors,
            format=label(report.format),
        )
    if not names_worst or report.tensors <= _WORST:
        return (str(tensors),)
    worst = tr("red: {count} worst", count=_WORST)
    return str(tr("{tensors} · red: the {count} worst", tensors=tensors, count=_WORST)), str(worst)


def describe(report: FormatReport, tensor: str) -> str:
    """The errors of a whole tensor in the report."""
    row, rank = report.row_of[tensor], report.ranks.get(tensor)
    lines = [
        tr(
            "{format}, whole tensor: relative RMSE {error}, SNR {snr}",
            format=label(report.format),
            error=percent(row.relative_rmse),
            snr=quantity(math.nan if row.snr_db is None else row.snr_db, "dB"),
        )
    ]
    if rank is not None and report.tensors > 1:
        lines.append(tr("rank {rank:,} of {count:,} by error", rank=rank, count=report.tensors))
    if row.block_snr_db is not None:
        lines.append(tr("median block {snr}", snr=quantity(row.block_snr_db, "dB")))
    if row.lost:
        lost = tr_plural(
            "{count:,} NaN or inf weight: {lost:,} weights are lost",
            "{count:,} NaN or inf weights: {lost:,} weights are lost",
            count=row.nonfinite,
            lost=row.lost,
        )
        lines.append(lost)
    return "\n".join(map(str, lines))


def percent(share: Any) -> Text:
    """A share as percent, or why there is none."""
    is_known = share is not None and np.isfinite(share)
    return quantity(100 * float(share), "%") if is_known else tr("none (no blocks here, or only zeros)")


def _value_in(column: int, share: Any) -> Text:
    """The error of the blocks of a tensor that share a column of its map."""
    first, last = (100 * edge / MAP_COLUMNS for edge in (column, column + 1))
    return tr("blocks from {first:.4g}% to {last:.4g}%: {error}", first=first, last=last, error=percent(share))


def _value_of_block(block: int, share: Any) -> Text:
    return tr("block {block:,}: {error}", block=block, error=percent(share))


def _row_name(row: MapRow) -> str:
    """The name of a row: a tensor, or a stretch of blocks."""
    if row.blocks is None:
        return short_name(row.layer, row.kind)
    first, last = row.blocks
    return str(tr("blocks {first} to {last}", first=first, last=last))


def _short(percent: float) -> str:
    return f"{percent:.3g}%" if percent >= 1 else f"{percent:.2g}%"
