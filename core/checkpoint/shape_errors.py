"""What the shape of a tensor costs: blocks that straddle rows against blocks that do not, the error by row and by
column, and by expert. Measured in one format with its scales in float32, on a part of each tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.coding import restored_weights
from core.checkpoint.errors import snr_db
from core.checkpoint.header import StoredTensor
from core.checkpoint.measuring import Quantization, cores
from core.checkpoint.names import layer_and_kind
from core.checkpoint.quantized.floats import Floats
from core.checkpoint.quantized.reading import rows_of
from core.checkpoint.report import shape_text
from core.checkpoint.shapes import Layout, ShapeKind, layout_of
from core.contracts.result import number_or_none
from kernels.quantization.formats import FORMATS, FormatId

_PART_ELEMENTS = 1 << 20
"""How many weights of a tensor are measured: the first rows of each expert."""

_EXPERT_ELEMENTS = 1 << 17
"""The least number of each expert, however many there are."""

Sums = NDArray[np.float64]
OnTensor = Callable[[StoredTensor], None]
"""Called before a tensor's errors are returned; may raise to stop."""


@dataclass(frozen=True)
class ExpertErrors:
    """One expert of a tensor that holds many, in one format; `elements` of its weights were measured."""

    tensor: str
    layer: int
    expert: int
    format: str
    elements: int
    snr_db: float | None
    relative_rmse: float | None


@dataclass(frozen=True)
class ShapeErrors:
    """One tensor in one format, by its shape. `kind` is a ShapeKind.

    Blocks are counted over the whole tensor. Errors are of the first `sampled` weights, the same share of each expert:
    with blocks as they are stored, with blocks that begin with each row (`aligned_…`), and with such blocks along the
    columns (`columns_snr_db`). Rows are output channels and columns input channels of a linear layer; their errors are
    relative RMSE, and -1 stands for no such row or column. `outlier_power` is the power of the column with the most
    over that of the median column. Nothing is measured along the columns of a vector, or if a column has fewer measured
    weights than a block.
    """

    tensor: str
    layer: int
    kind: str
    shape: str
    role: str
    format: str
    experts: int
    blocks: int
    blocks_over_rows: int
    blocks_over_experts: int
    sampled: int
    snr_db: float | None
    aligned_snr_db: float | None
    columns_snr_db: float | None
    bits_per_parameter: float
    aligned_bits_per_parameter: float
    signal_power: float
    error_power: float
    aligned_error_power: float
    columns_error_power: float | None
    median_row_rmse: float | None
    worst_row_rmse: float | None
    aligned_worst_row_rmse: float | None
    worst_row: int
    median_column_rmse: float | None
    worst_column_rmse: float | None
    worst_column: int
    outlier_column: int
    outlier_power: float | None


@dataclass(frozen=True)
class OfTensor:
    """What is measured of one tensor; `experts` is empty for one that holds none."""

    shape: ShapeErrors
    experts: tuple[ExpertErrors, ...] = ()


def shape_errors(
    tensors: Sequence[StoredTensor], quantization: Quantization, on_tensor: OnTensor
) -> Iterator[OfTensor]:
    """The errors of each tensor in the first format, in order, on all cores. Raises FileChanged."""
    with ThreadPoolExecutor(cores(), thread_name_prefix="shapes") as pool:
        for tensor, measured in zip(tensors, pool.map(lambda each: measure(each, quantization), tensors), strict=True):
            on_tensor(tensor)
            yield measured


def measure(tensor: StoredTensor, quantization: Quantization) -> OfTensor:
    """The errors of one tensor in the first format. NaN and inf weights count as zeros. Raises FileChanged."""
    layout, format_id, block = layout_of(tensor.name, tensor.shape), quantization.formats[0], quantization.block_size
    per_expert = max(_PART_ELEMENTS // layout.experts, _EXPERT_ELEMENTS)
    rows = min(layout.rows, max(1, per_expert // layout.columns))
    if block < rows < layout.rows:
        rows -= rows % block  # whole blocks along the columns
    has_columns = layout.kind is not ShapeKind.VECTOR and (rows >= block or rows == layout.rows)
    read = _flat_reader(tensor)
    parts = [_part(read, layout, expert, rows, format_id, block) for expert in range(layout.experts)]
    total = parts[0]
    for part in parts[1:]:
        total = total.joined(part)
    bits = _bits(layout.blocks(block), layout, quantization)
    aligned_error = float(total.aligned_error.sum())
    aligned_bits = _bits(layout.aligned_blocks(block), layout, quantization)
    layer, _ = layer_and_kind(tensor.name)
    power, error = float(total.row_power.sum()), float(total.row_error.sum())
    of_rows, of_columns = _relative(total.row_power, total.row_error), _relative(total.column_power, total.column_error)
    outlier, outlier_power = _outlier(total.column_power) if layout.kind is not ShapeKind.VECTOR else (-1, None)
    row = ShapeErrors(
        tensor=tensor.name,
        layer=layer,
        kind=layout.kind.value,
        shape=shape_text(tensor),
        role=tensor.role.value,
        format=format_id.value,
        experts=layout.experts if layout.kind is ShapeKind.EXPERTS else 0,
        blocks=layout.blocks(block),
        blocks_over_rows=layout.blocks_over_rows(block),
        blocks_over_experts=layout.blocks_over_experts(block),
        sampled=layout.experts * rows * layout.columns,
        snr_db=number_or_none(snr_db(power, error)),
        aligned_snr_db=number_or_none(snr_db(power, aligned_error)),
        columns_snr_db=number_or_none(snr_db(power, total.columns_error)) if has_columns else None,
        bits_per_parameter=bits,
        aligned_bits_per_parameter=aligned_bits,
        signal_power=power,
        error_power=error,
        aligned_error_power=aligned_error,
        columns_error_power=total.columns_error if has_columns else None,
        median_row_rmse=_median(of_rows),
        worst_row_rmse=_largest(of_rows),
        aligned_worst_row_rmse=_largest(_relative(total.row_power, total.aligned_error)),
        worst_row=_row_in_tensor(_worst(of_rows), rows, layout),
        median_column_rmse=_median(of_columns),
        worst_column_rmse=_largest(of_columns),
        worst_column=_worst(of_columns),
        outlier_column=outlier,
        outlier_power=outlier_power,
    )
    if layout.kind is not ShapeKind.EXPERTS:
        return OfTensor(row)
    experts = tuple(
        _expert(tensor.name, layer, number, format_id, part, rows * layout.columns) for number, part in enumerate(parts)
    )
    return OfTensor(row, experts)


@dataclass(frozen=True)
class _Part:
    """Sums over some rows of one expert: powers and squared errors per row and per column, and the squared errors of
    the other ways to cut blocks: aligned per row, along the columns in total."""

    row_power: Sums
    row_error: Sums
    column_power: Sums
    column_error: Sums
    aligned_error: Sums
    columns_error: float

    def joined(self, other: _Part) -> _Part:
        return replace(
            self,
            row_power=np.concatenate([self.row_power, other.row_power]),
            row_error=np.concatenate([self.row_error, other.row_error]),
            column_power=self.column_power + other.column_power,
            column_error=self.column_error + other.column_error,
            aligned_error=np.concatenate([self.aligned_error, other.aligned_error]),
            columns_error=self.columns_error + other.columns_error,
        )


_Flat = Callable[[int, int], Floats]


def _part(read: _Flat, layout: Layout, expert: int, rows: int, format_id: FormatId, block: int) -> _Part:
    columns = layout.columns
    first = expert * layout.rows * columns
    last = first + rows * columns
    # Whole blocks of the tensor: the first and the last may belong to other rows in part.
    begin, end = first // block * block, min(-(-last // block) * block, layout.elements)
    flat = read(begin, end)
    weights = flat[first - begin : last - begin].reshape(rows, columns)
    stored = restored_weights(flat, format_id, block, 0)[first - begin : last - begin].reshape(rows, columns)
    errors = np.square((stored - weights).astype(np.float64))
    powers = np.square(weights.astype(np.float64))
    straddles = columns % block != 0 and layout.experts * layout.rows > 1
    aligned = _squared_errors(weights, format_id, block) if straddles else errors.sum(axis=1)
    return _Part(
        powers.sum(axis=1),
        errors.sum(axis=1),
        powers.sum(axis=0),
        errors.sum(axis=0),
        aligned,
        float(_squared_errors(weights.T, format_id, block).sum()),
    )


def _squared_errors(weights: Floats, format_id: FormatId, block: int) -> Sums:
    """The sums of squared errors, float64 [rows], where each row begins a block, and its last block is short."""
    whole = weights.shape[1] - weights.shape[1] % block
    parts = [(weights[:, :whole], block), (weights[:, whole:], weights.shape[1] - whole)]
    total = np.zeros(len(weights))
    for part, size in parts:
        if part.size:
            restored = restored_weights(np.ascontiguousarray(part).ravel(), format_id, size, 0).reshape(part.shape)
            total += np.square((restored - part).astype(np.float64)).sum(axis=1)
    return total


def _flat_reader(tensor: StoredTensor) -> _Flat:
    """Reads finite weights from the first to before the second place in the order of the tensor's bytes."""
    columns, read = (tensor.shape[-1] if tensor.shape else 1), rows_of(tensor)

    def flat(begin: int, end: int) -> Floats:
        first = begin // columns
        values = read(first, -(-end // columns)).ravel()[begin - first * columns : end - first * columns]
        values = np.array(values, dtype=np.float32)
        values[~np.isfinite(values)] = 0
        return values

    return flat


def _bits(blocks: int, layout: Layout, quantization: Quantization) -> float:
    """Bits per parameter with so many blocks."""
    format_ = FORMATS[quantization.formats[0]]
    size = quantization.block_size
    of_block = (format_.bits_per_parameter(size, quantization.nested_block) - format_.bits) * size
    return format_.bits + of_block * blocks / layout.elements


def _expert(name: str, layer: int, number: int, format_id: FormatId, part: _Part, elements: int) -> ExpertErrors:
    power, error = float(part.row_power.sum()), float(part.row_error.sum())
    relative = math.sqrt(error / power) if power else None
    return ExpertErrors(name, layer, number, format_id.value, elements, number_or_none(snr_db(power, error)), relative)


def _relative(power: Sums, error: Sums) -> Sums:
    """Relative RMSE of each row or column; NaN for zeros."""
    with np.errstate(invalid="ignore", divide="ignore"):
        relative: Sums = np.sqrt(np.where(power > 0, error / power, np.nan))
    return relative


def _median(values: Sums) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmedian(values))


def _largest(values: Sums) -> float | None:
    return None if np.isnan(values).all() else float(np.nanmax(values))


def _worst(values: Sums) -> int:
    return -1 if np.isnan(values).all() else int(np.nanargmax(values))


def _row_in_tensor(place: int, rows: int, layout: Layout) -> int:
    """The row of the whole tensor that is measured at `place`, where each expert has `rows` measured rows."""
    return place if place < 0 else place // rows * layout.rows + place % rows


def _outlier(column_power: Sums) -> tuple[int, float | None]:
    median = float(np.median(column_power))
    place = int(column_power.argmax())
    return place, float(column_power[place]) / median if median else None
