"""The formats that quantized checkpoints come in, and one weight of such a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.checkpoint.header import StoredTensor
from core.contracts.text import Text, tr, verbatim


class Layout(StrEnum):
    BNB_NF4 = "bitsandbytes-nf4"
    BNB_FP4 = "bitsandbytes-fp4"
    BNB_INT8 = "bitsandbytes-int8"
    GPTQ = "gptq"
    AWQ = "awq"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"
    FP8 = "fp8"
    FP8_BLOCK = "fp8-block"
    FP8_CHANNEL = "fp8-channel"
    FP8_TENSOR = "fp8-tensor"
    PACKED_INT = "packed-int"
    INT8 = "int8-scaled"
    TORCHAO = "torchao"
    GGUF = "gguf"
    UNKNOWN = "unknown"


LAYOUT_LABELS: Mapping[str, Text] = {
    Layout.BNB_NF4: verbatim("bitsandbytes NF4"),
    Layout.BNB_FP4: verbatim("bitsandbytes FP4"),
    Layout.BNB_INT8: verbatim("bitsandbytes LLM.int8()"),
    Layout.GPTQ: verbatim("GPTQ"),
    Layout.AWQ: verbatim("AWQ"),
    Layout.MXFP4: verbatim("MXFP4"),
    Layout.NVFP4: verbatim("NVFP4"),
    Layout.FP8: tr("FP8 without scales"),
    Layout.FP8_BLOCK: tr("FP8 with a scale per block"),
    Layout.FP8_CHANNEL: tr("FP8 with a scale per row"),
    Layout.FP8_TENSOR: tr("FP8 with a scale per tensor"),
    Layout.PACKED_INT: tr("packed integers (compressed-tensors)"),
    Layout.INT8: tr("INT8 with scales (compressed-tensors)"),
    Layout.TORCHAO: verbatim("torchao"),
    Layout.GGUF: verbatim("GGUF"),
    Layout.UNKNOWN: tr("scales of a format that is not recognised"),
}
"""The names of the formats, by id."""


@dataclass(frozen=True)
class QuantizedWeight:
    """One weight of a quantized file: `codes`, and the other tensors that belong to it by their part ('scales',
    'zeros', 'groups', 'second', …).

    `name` is the name that the weight has in an unquantized file. `shape` is that of the weight, as it would be stored
    unquantized; None if the weight cannot be restored. `elements` is the number of weights.
    """

    name: str
    layout: Layout
    codes: StoredTensor
    parts: Mapping[str, StoredTensor]
    elements: int
    shape: tuple[int, ...] | None

    @property
    def format(self) -> str:
        """The id of the format: a Layout, and in GGUF, which has many, the type of the tensor ('Q4_K')."""
        return self.codes.dtype if self.layout is Layout.GGUF else self.layout.value

    @property
    def bytes(self) -> int:
        return self.codes.bytes + sum(part.bytes for part in self.parts.values())
