"""What merging, saving and loading do to a trained adapter: the rows of the lora result."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.contracts.text import EMPTY, Text, tr


class Merge(StrEnum):
    """A way to merge an update into stored weights."""

    BF16 = "bf16"
    FP16 = "fp16"
    NF4 = "nf4"
    DEQUANTIZED = "nf4_dequantized"
    ORIGINAL = "nf4_original"

    @property
    def label(self) -> Text:
        return _LABELS[self]

    @property
    def detail(self) -> Text:
        return _DETAILS[self]


_LABELS = {
    Merge.BF16: tr("bf16"),
    Merge.FP16: tr("fp16"),
    Merge.NF4: tr("NF4 again"),
    Merge.DEQUANTIZED: tr("NF4 into bf16"),
    Merge.ORIGINAL: tr("NF4 into original"),
}
_DETAILS = {
    Merge.BF16: tr("The base is stored in bf16, and the sum is rounded to bf16."),
    Merge.FP16: tr("The base is stored in fp16, and the sum is rounded to fp16."),
    Merge.NF4: tr("The base is stored in NF4 (blocks of 64); base and update are quantized again."),
    Merge.DEQUANTIZED: tr("The NF4 base is dequantized, the update is added, and the sum is stored in bf16."),
    Merge.ORIGINAL: tr(
        "The adapter of an NF4 base is added to the original weights in bf16: the error of NF4, which was there "
        "without merging, is gone, so the model is another one than before."
    ),
}
MERGES = tuple(Merge)
_AS_LARGE = 0.999


@dataclass(frozen=True)
class MatrixMerge:
    """One merge of one matrix, measured in float32. `update` and `rounding` are root mean squares over its `elements`:
    of the update, and of merged minus unmerged weights.

    `arrives` is the share of the update that the merged weights contain: the projection of their change on it.
    `unchanged` is the share of the stored weights that merging leaves as they were.
    """

    name: str
    merge: Merge
    elements: int
    update: float
    rounding: float
    arrives: float
    unchanged: float

    @property
    def rounding_share(self) -> float:
        """The size of the rounding divided by that of the update; 0 without an update."""
        return self.rounding / self.update if self.update else 0.0

    @property
    def is_swallowed(self) -> bool:
        """Whether rounding is at least as large as the update, but for the rounding of float32 in measuring both."""
        return self.update > 0 and self.rounding >= _AS_LARGE * self.update


@dataclass(frozen=True)
class SavedAdapter:
    """An adapter that was saved and loaded again. `bytes` are those of all its files; `empty_tensors` have no elements,
    because AdaLoRA left rank 0 there. `max_error` is the largest difference of a logit, relative to the largest logit
    if that is above 1. `triplets` are AdaLoRA's loaded ones, None for LoRA. `resumes` says why training cannot go on as
    before; empty if it can."""

    run: str
    bytes: int
    tensors: int
    empty_tensors: int
    max_error: float
    parameters_before: int
    parameters_after: int
    triplets: int | None = None
    resumes: Text = EMPTY
