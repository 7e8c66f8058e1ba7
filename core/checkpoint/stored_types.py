"""The element types of safetensors files, and which of them hold weights that a report can measure."""

from __future__ import annotations

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


def why_skipped(dtype: str, elements: int) -> str:
    """Why a tensor is not measured, in a few words; '' if it is measured."""
    if dtype not in MEASURED:
        kind = "already quantized or a scale" if dtype.startswith(("F8", "F6", "F4")) else "not floating-point weights"
        return f"{dtype} is {kind}" if dtype in ELEMENT_BYTES else f"{dtype} is not a supported type"
    return "" if elements else "it is empty"
