"""The weights of any tensor slice by slice: as they are stored, or restored from a quantized file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.header import StoredTensor
from core.checkpoint.measuring import as_float32
from core.checkpoint.opening import Checkpoint
from core.checkpoint.quantized.floats import Floats
from core.checkpoint.quantized.layouts import LAYOUT_LABELS, Layout, QuantizedWeight
from core.checkpoint.quantized.restoring import Rows, restored_rows, row_reader, whole
from core.checkpoint.slices import SLICE_ELEMENTS, FileChanged, read_stored, slices
from core.contracts.text import EMPTY, Text, sentences, tr

_MISFITS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What numpy and JSON raise if the contents of a tensor do not fit its format."""

_STATES = (Layout.BNB_NF4, Layout.BNB_FP4)


@dataclass(frozen=True, slots=True)
class RestoredTensor(StoredTensor):
    """A weight that is quantized in its file and restored while it is read. `dtype` is its format; its bytes are those
    of codes and scales together."""

    weight: QuantizedWeight | None = None

    @property
    def skipped(self) -> Text:
        return EMPTY if self.elements else tr("the tensor is empty")


def with_restored(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with the weights of known formats in the place of their codes, so that they are measured too.
    Raises FileChanged."""
    restored = {}
    for weight in checkpoint.quantized:
        shape = _shape(weight)
        if shape is not None:
            whole_weight = replace(weight, shape=shape)
            restored[weight.codes.name] = RestoredTensor(
                weight.name, weight.format, shape, weight.codes.shard, 0, weight.bytes, weight=whole_weight
            )
    return replace(checkpoint, tensors=tuple(restored.get(tensor.name, tensor) for tensor in checkpoint.tensors))


def weight_slices(tensor: StoredTensor, elements: int = SLICE_ELEMENTS) -> Iterator[NDArray[Any]]:
    """The tensor's elements in order, at most `elements` at a time, as `core.checkpoint.slices` gives them; restored
    weights are float32. Raises FileChanged, also for contents that do not fit their format."""
    if not isinstance(tensor, RestoredTensor) or tensor.weight is None:
        yield from slices(tensor, elements)
        return
    rows = max(1, elements // tensor.shape[-1])
    try:
        yield from _rechunked(restored_rows(tensor.weight, rows), elements)
    except _MISFITS as error:
        raise _misfit(tensor) from error


def rows_of(tensor: StoredTensor) -> Rows:
    """Reads any rows of a tensor as float32 [rows, columns]; its leading axes are its rows, and a vector is one row.
    What it returns raises FileChanged, also for contents that do not fit their format."""
    columns = tensor.shape[-1] if tensor.shape else 1

    def stored(begin: int, end: int) -> Floats:
        return as_float32(read_stored(tensor, begin * columns, end * columns)).reshape(-1, columns)

    if not isinstance(tensor, RestoredTensor) or tensor.weight is None:
        return stored
    weight, readers = tensor.weight, list[Rows]()

    def restored(begin: int, end: int) -> Floats:
        try:
            if not readers:
                readers.append(row_reader(weight))
            return readers[0](begin, end).reshape(-1, columns)
        except _MISFITS as error:
            raise _misfit(tensor) from error

    return restored


def _misfit(tensor: StoredTensor) -> FileChanged:
    text = tr(
        "{tensor} cannot be restored: its contents do not fit {format}.",
        tensor=tensor.name,
        format=LAYOUT_LABELS.get(tensor.dtype) or tensor.dtype,
    )
    return FileChanged(sentences(text, tr("Download the file again, or save it again.")))


def _rechunked(parts: Iterable[Floats], elements: int) -> Iterator[Floats]:
    pending = np.empty(0, np.float32)
    for part in parts:
        pending = np.concatenate([pending, part.astype(np.float32, copy=False)]) if len(pending) else part
        while len(pending) >= elements:
            yield pending[:elements]
            pending = pending[elements:]
    if len(pending):
        yield pending


def _shape(weight: QuantizedWeight) -> tuple[int, ...] | None:
    """The shape of a weight that can be restored. That of bitsandbytes' 4-bit weights is stored as data."""
    if weight.shape is None or weight.layout not in _STATES:
        return weight.shape
    try:
        state = json.loads(whole(weight.parts["state"]).tobytes())
        shape = tuple(map(int, state["shape"]))
    except _MISFITS:
        return None
    fits = math.prod(shape) in (weight.elements, weight.elements - 1) and all(size > 0 for size in shape)
    return shape if fits and shape else None
