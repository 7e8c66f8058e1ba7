"""What a checkpoint's bytes are: how many are stored in which format."""

from __future__ import annotations

from dataclasses import dataclass

from core.checkpoint.opening import Checkpoint
from core.checkpoint.quantized.layouts import LAYOUT_LABELS, Layout
from core.checkpoint.quantized.reading import RestoredTensor
from core.checkpoint.stored_types import Packed
from core.contracts.text import Text, verbatim


@dataclass(frozen=True)
class StorageRow:
    """The weights in one format: `QuantizedWeight.format`, or the dtype of tensors that are not quantized.

    `share` is of the bytes of all tensors, 0 to 1. `bytes` counts codes, scales and whatever belongs to them.
    `restorable` counts the tensors whose weights can be restored, and measured with `requantize`.
    """

    format: str
    tensors: int
    elements: int
    bytes: int
    share: float
    bits_per_weight: float | None
    restorable: int = 0


def storage_label(format_id: str) -> Text:
    """The name of a format, or of a dtype."""
    return LAYOUT_LABELS.get(format_id) or verbatim(format_id)


def storage_rows(checkpoint: Checkpoint) -> tuple[StorageRow, ...]:
    """The formats of a checkpoint, the largest first. Their bytes add up to all its tensors' bytes."""
    sums: dict[str, list[int]] = {}

    def add(format_id: str, elements: int, size: int, restorable: bool = False) -> None:
        known = sums.setdefault(format_id, [0, 0, 0, 0])
        for index, value in enumerate((1, elements, size, int(restorable))):
            known[index] += value

    for weight in checkpoint.quantized:
        add(weight.format, weight.elements, weight.bytes, weight.shape is not None)
    counted = {part.name for weight in checkpoint.quantized for part in (weight.codes, *weight.parts.values())}
    for tensor in checkpoint.tensors:
        if tensor.name in counted or isinstance(tensor, RestoredTensor):
            continue
        alone = tensor.packed is Packed.SCALES
        add(Layout.UNKNOWN.value if alone else tensor.dtype, 0 if alone else tensor.elements, tensor.bytes)
    total = sum(size for _, _, size, _ in sums.values()) or 1
    rows = [
        StorageRow(name, count, elements, size, size / total, 8 * size / elements if elements else None, restorable)
        for name, (count, elements, size, restorable) in sums.items()
    ]
    return tuple(sorted(rows, key=lambda row: -row.bytes))
