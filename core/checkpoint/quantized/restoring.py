"""Restores the weights of a quantized file in float32, some rows at a time.

The rules are those of the libraries that write the files: bitsandbytes, AutoGPTQ (zeros are stored minus one; not in
its second version), AutoAWQ, compressed-tensors, ModelOpt, and transformers for gpt-oss.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.gguf_files import types
from core.checkpoint.header import StoredTensor
from core.checkpoint.quantized.finding import FP8_TYPES, block_shape
from core.checkpoint.quantized.floats import FP4_E2M1, Floats, byte_values, nibbles, unpacked
from core.checkpoint.quantized.layouts import Layout, QuantizedWeight
from core.checkpoint.slices import read_bytes, read_stored

Rows = Callable[[int, int], Floats]
"""The weights of some rows, float32 [end - begin, columns]: a tensor's leading axes are its rows."""

_AWQ_ORDER = (0, 4, 1, 5, 2, 6, 3, 7)
"""The place of each column's code in a word: AutoAWQ packs the columns as 0, 2, 4, 6, 1, 3, 5, 7."""

_BYTE_TYPES = {
    **dict.fromkeys((*FP8_TYPES, "F8_E8M0", "U8"), np.uint8),
    "I8": np.int8,
    "I32": np.int32,
    "I64": np.int64,
}


def restored_rows(weight: QuantizedWeight, rows: int) -> Iterator[Floats]:
    """The weight, flat, at most `rows` rows of its matrix at a time. Raises FileChanged, and ValueError for contents
    that do not fit the format."""
    assert weight.shape is not None
    count = math.prod(weight.shape[:-1])
    read = row_reader(weight)
    for begin in range(0, count, rows):
        yield read(begin, min(begin + rows, count)).reshape(-1)


def row_reader(weight: QuantizedWeight) -> Rows:
    """Reads any rows of the weight. Raises as `restored_rows` does, and so does what it returns."""
    return _READERS[weight.layout](weight)


def whole(tensor: StoredTensor) -> NDArray[Any]:
    """A tensor as numpy array in its shape: floats as float32, other types as they are."""
    return _floats_or_codes(tensor, 0, tensor.elements).reshape(tensor.shape)


def _floats_or_codes(tensor: StoredTensor, first: int, last: int) -> NDArray[Any]:
    stored = read_stored(tensor, first, last)
    if tensor.dtype == "BF16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    if tensor.dtype in _BYTE_TYPES:
        return stored
    return stored.astype(np.float32)


def _rows_of_codes(tensor: StoredTensor, begin: int, end: int) -> NDArray[Any]:
    columns = tensor.shape[-1]
    return read_stored(tensor, begin * columns, end * columns).reshape(-1, columns)


def _bitsandbytes4(weight: QuantizedWeight) -> Rows:
    state = json.loads(whole(weight.parts["state"]).tobytes())
    levels, absmax = whole(weight.parts["levels"]).ravel(), whole(weight.parts["absmax"]).ravel()
    block = int(state["blocksize"])
    if "nested_absmax" in weight.parts:
        nested = whole(weight.parts["nested_absmax"]).ravel()
        group = np.arange(len(absmax)) // int(state["nested_blocksize"])
        of_codes = whole(weight.parts["nested_levels"]).ravel()[absmax]
        absmax = of_codes * nested[group] + np.float32(state["nested_offset"])
    columns = weight.codes.elements * 2 if weight.shape is None else weight.shape[-1]

    def rows(begin: int, end: int) -> Floats:
        first, last = begin * columns, end * columns
        codes = nibbles(read_stored(weight.codes, first // 2, -(-last // 2)), high_first=True)
        codes = codes[first % 2 : first % 2 + last - first]
        restored: Floats = levels[codes] * absmax[np.arange(first, last) // block]
        return restored

    return rows


def _bitsandbytes8(weight: QuantizedWeight) -> Rows:
    scales = whole(weight.parts["scales"]).ravel().astype(np.float32) / np.float32(127)

    def rows(begin: int, end: int) -> Floats:
        restored: Floats = _rows_of_codes(weight.codes, begin, end).astype(np.float32) * scales[begin:end, None]
        return restored

    return rows


def _scaled_bytes(weight: QuantizedWeight) -> Rows:
    codes, values = weight.codes, byte_values(weight.codes.dtype)
    scales = _scales_by_block(weight)

    def rows(begin: int, end: int) -> Floats:
        restored = values[_rows_of_codes(codes, begin, end).view(np.uint8)]
        return restored if scales is None else restored * scales(begin, end)

    return rows


def _scales_by_block(weight: QuantizedWeight) -> Rows | None:
    """The scale of every weight in some rows, where weights share one in blocks along each axis."""
    stored = weight.parts.get("scales")
    if stored is None:
        return None
    shape, scales = weight.codes.shape, whole(stored)
    if stored.dtype == "F8_E8M0":
        scales = byte_values(stored.dtype)[scales]
    if scales.size == 1:
        return lambda begin, end: scales.reshape(1, 1)
    sizes = block_shape(shape, scales.shape)
    assert sizes is not None
    by_row = scales.reshape(*shape[:-1], 1) if scales.shape == shape[:-1] else scales
    columns = np.arange(shape[-1]) // sizes[-1]

    def rows(begin: int, end: int) -> Floats:
        leading = np.unravel_index(np.arange(begin, end), shape[:-1])
        places = tuple(index // size for index, size in zip(leading, sizes[:-1], strict=True))
        picked: Floats = by_row[places][:, columns]
        return picked

    return rows


def _fp4(weight: QuantizedWeight) -> Rows:
    """MXFP4 and NVFP4: two codes per byte, the low one first, and a scale for 32 or 16 weights of a row."""
    assert weight.shape is not None
    columns, count = weight.shape[-1], math.prod(weight.shape[:-1])
    stored = weight.parts["scales"]
    values = byte_values("F8_E8M0" if stored.dtype == "U8" else stored.dtype)
    factor = _second_scale(weight, count)

    def rows(begin: int, end: int) -> Floats:
        packed = read_stored(weight.codes, begin * columns // 2, end * columns // 2).reshape(end - begin, -1)
        groups = stored.elements // count
        scales = values[read_stored(stored, begin * groups, end * groups).reshape(end - begin, -1)]
        scales = scales * factor[begin:end, None]
        return FP4_E2M1[nibbles(packed)] * np.repeat(scales, columns // groups, axis=1)

    return rows


def _second_scale(weight: QuantizedWeight, rows: int) -> Floats:
    """What the scales of each row are multiplied by, float32 [rows]: NVFP4's second scale, one or one per expert."""
    if "second" in weight.parts:
        second = whole(weight.parts["second"]).ravel()
    elif "divisor" in weight.parts:
        second = 1 / whole(weight.parts["divisor"]).ravel()
    else:
        second = np.ones(1, np.float32)
    if rows % len(second):
        raise ValueError("there is neither one second scale nor one per expert")
    return np.repeat(second, rows // len(second)).astype(np.float32)


def _gptq(weight: QuantizedWeight) -> Rows:
    assert weight.shape is not None
    inputs = weight.shape[1]
    codes, scales = whole(weight.codes), whole(weight.parts["scales"])
    bits = 32 * codes.shape[0] // inputs
    zeros = unpacked(whole(weight.parts["zeros"]), bits, axis=1)
    # The first version of the format stores zeros minus one. In the second, symmetric zeros are exactly in the middle.
    offset = 0 if (zeros == 1 << (bits - 1)).all() else 1
    groups = weight.parts.get("groups")
    group = np.arange(inputs) * len(scales) // inputs if groups is None else whole(groups).ravel()
    if len(group) != inputs or group.min() < 0 or group.max() >= len(scales):
        raise ValueError("g_idx does not fit the scales")

    def rows(begin: int, end: int) -> Floats:
        steps = unpacked(np.ascontiguousarray(codes[:, begin:end]), bits, axis=0).astype(np.float32)
        steps -= zeros[:, begin:end].astype(np.float32)[group] + np.float32(offset)
        return np.ascontiguousarray((steps * scales[:, begin:end][group]).T)

    return rows


def _awq(weight: QuantizedWeight) -> Rows:
    codes, scales = whole(weight.codes), whole(weight.parts["scales"])
    zeros = unpacked(whole(weight.parts["zeros"]), 4, 1, _AWQ_ORDER).astype(np.float32)
    group = codes.shape[0] // len(scales)

    def rows(begin: int, end: int) -> Floats:
        first, last = begin // 8, -(-end // 8)
        part = slice(begin - 8 * first, end - 8 * first)
        steps = unpacked(np.ascontiguousarray(codes[:, first:last]), 4, 1, _AWQ_ORDER)[:, part].astype(np.float32)
        steps -= np.repeat(zeros[:, begin:end], group, axis=0)
        return np.ascontiguousarray((steps * np.repeat(scales[:, begin:end], group, axis=0)).T)

    return rows


def _gguf(weight: QuantizedWeight) -> Rows:
    """The blocks of a row are beside each other, and a row is whole blocks."""
    assert weight.shape is not None
    row_bytes = weight.codes.bytes // math.prod(weight.shape[:-1])

    def rows(begin: int, end: int) -> Floats:
        codes = read_bytes(weight.codes, begin * row_bytes, end * row_bytes)
        return types.restored(codes.reshape(end - begin, row_bytes), weight.codes.dtype)

    return rows


_READERS: dict[Layout, Callable[[QuantizedWeight], Rows]] = {
    Layout.BNB_NF4: _bitsandbytes4,
    Layout.BNB_FP4: _bitsandbytes4,
    Layout.BNB_INT8: _bitsandbytes8,
    Layout.GPTQ: _gptq,
    Layout.AWQ: _awq,
    Layout.MXFP4: _fp4,
    Layout.NVFP4: _fp4,
    Layout.GGUF: _gguf,
    **dict.fromkeys((Layout.FP8, Layout.FP8_BLOCK, Layout.FP8_CHANNEL, Layout.FP8_TENSOR, Layout.INT8), _scaled_bytes),
}
