"""The element types of safetensors files, and which of them hold weights that a report can measure."""

from __future__ import annotations

from enum import Enum

from core.contracts.text import EMPTY, Text, tr

ELEMENT_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "BOOL": 1,
    "C64": 8,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "F8_E8M0": 1,
}
"""Bytes per element. Types smaller than a byte (F4, F6_E2M3, F6_E3M2) exist in files, but are not supported."""

MEASURED = ("F64", "F32", "F16", "BF16")
"""Types whose values are the weights themselves; the others hold integers, masks, scales or quantized weights."""


class Packed(Enum):
    """What a tensor holds of a weight that is already quantized."""

    NOTHING = "nothing"
    CODES = "codes"
    SCALES = "scales"


def why_skipped(dtype: str, elements: int, packed: Packed = Packed.NOTHING) -> Text:
    """Why a tensor is not measured, in a few words; empty if it is measured."""
    if packed is Packed.SCALES:
        return tr("it holds the scales of a quantized tensor")
    if packed is Packed.CODES:
        return tr("{dtype} is already quantized: it holds codes, not weights", dtype=dtype)
    if dtype in MEASURED:
        return EMPTY if elements else tr("the tensor is empty")
    if dtype not in ELEMENT_BYTES:
        return tr("{dtype} is not a supported type", dtype=dtype)
    if dtype.startswith(("F8", "F6", "F4")):
        return tr("{dtype} is already quantized or a scale", dtype=dtype)
    return tr("{dtype} does not hold floating-point weights", dtype=dtype)
