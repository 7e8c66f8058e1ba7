"""The tensor types of GGUF: names, blocks, and what the package `gguf` can do with them.

The package is numpy. It restores every type that llama.cpp writes today, but quantizes only some: there is no code for
K-quants and IQ types in it, whose search for good scales is in llama.cpp alone. It is imported on first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.stored_types import ELEMENT_BYTES

QUANTIZABLE = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "MXFP4", "TQ1_0", "TQ2_0")
"""The quantized types that the package can make of weights. A table, so that parameters need not import the package."""

RESTORED_ONLY = (
    "Q2_K",
    "Q3_K",
    "Q4_K",
    "Q5_K",
    "Q6_K",
    "IQ4_NL",
    "IQ4_XS",
    "IQ3_S",
    "IQ3_XXS",
    "IQ2_S",
    "IQ2_XS",
    "IQ2_XXS",
    "IQ1_M",
    "IQ1_S",
    "NVFP4",
)
"""Those that it can only restore."""


@dataclass(frozen=True)
class BlockType:
    """A quantized type: `block` weights of a row take `bytes` bytes, scales and codes together."""

    name: str
    block: int
    bytes: int

    @property
    def bits_per_weight(self) -> float:
        return 8 * self.bytes / self.block


def type_name(number: int) -> str:
    """The name of a tensor type, such as 'Q4_K'; 'GGML-99' for one that the package does not know."""
    return _names().get(number) or f"GGML-{number}"


def stored_bytes(name: str, elements: int) -> int | None:
    """The bytes of so many elements of a type; None if the type is unknown or `elements` are no whole blocks."""
    block, size = _sizes().get(name, (0, 0))
    return elements // block * size if block and elements % block == 0 else None


def block_type(name: str) -> BlockType | None:
    """The quantized type of this name; None if there is none, and for plain numbers."""
    if name in ELEMENT_BYTES or name not in _sizes():
        return None
    return BlockType(name, *_sizes()[name])


@cache
def can_restore(name: str) -> bool:
    """Whether the package restores a type."""
    found = block_type(name)
    if found is None:
        return False
    try:
        restored(np.zeros((1, found.bytes), np.uint8), name)
    except NotImplementedError:
        return False
    return True


def restored(codes: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
    """The weights of some rows, float32 [rows, columns], from their bytes [rows, bytes of a row]."""
    with np.errstate(all="ignore"):  # a scale may be anything in a damaged file
        weights: NDArray[np.float32] = _package().quants.dequantize(codes, _package().GGMLQuantizationType[name])
    return weights


def quantized(weights: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    """The bytes of some rows [rows, bytes of a row] from their weights, float32 [rows, whole blocks]."""
    with np.errstate(all="ignore"):
        codes: NDArray[np.uint8] = _package().quants.quantize(weights, _package().GGMLQuantizationType[name])
    return codes


@cache
def _names() -> dict[int, str]:
    return {int(each.value): str(each.name) for each in _package().GGMLQuantizationType}


@cache
def _sizes() -> dict[str, tuple[int, int]]:
    """The weights and the bytes of a block of each type."""
    return {each.name: sizes for each, sizes in _package().GGML_QUANT_SIZES.items()}


@cache
def _package() -> Any:
    import gguf

    return gguf
