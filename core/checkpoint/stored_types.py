"""The element types that a safetensors file can name, and which of them hold weights that a report can measure."""

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
"""Bytes of one element. Types of less than a byte (F4, F6_E2M3, F6_E3M2) are named in files but not here."""

MEASURED = ("F64", "F32", "F16", "BF16")
"""Types whose values are weights as they stand; the others are integers, masks, scales or quantized already."""


def why_skipped(dtype: str, elements: int) -> str:
    """A few words why a tensor is not measured; '' where it is."""
    if dtype not in MEASURED:
        kind = "already quantized or a scale" if dtype.startswith(("F8", "F6", "F4")) else "not floating-point weights"
        return f"{dtype} is {kind}" if dtype in ELEMENT_BYTES else f"{dtype} is a type that is not read"
    return "" if elements else "it is empty"
