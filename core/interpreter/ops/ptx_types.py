"""PTX's types: what the bits of a register mean to an instruction.

A register is a tensor whose elements have the register's width, as integers or floats: whatever was written last. A
predicate is a tensor of bool. Instructions work on floats of their type and on integers of 64 bits.
"""

from __future__ import annotations

import torch

from core.interpreter.ops.elementwise import TensorFunction

FLOATS = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64}
INTEGERS = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}
PACKED = {"f16x2": torch.float16, "bf16x2": torch.bfloat16}
_WIDTHS = {"pred": 1, "f16x2": 32, "bf16x2": 32, "e4m3x2": 16, "e5m2x2": 16, "e2m1x2": 8, "tf32": 32}


def width(kind: str) -> int:
    """Bits of a type."""
    return _WIDTHS.get(kind) or int(kind.lstrip("bfsu"))


def is_integer(kind: str) -> bool:
    return kind in {f"{letter}{bits}" for letter in "bsu" for bits in INTEGERS}


def mask(bits: int) -> int:
    return -1 if bits == 64 else (1 << bits) - 1


def raw(value: torch.Tensor, bits: int) -> torch.Tensor:
    """The lowest `bits` of a register as an integer that is not negative (of 64 bits: that wraps)."""
    size = value.element_size() * 8
    if value.dtype == torch.bool:
        return value.long()
    if value.is_floating_point():
        value = value.view(INTEGERS[size])
    return value.long() & mask(min(size, bits))


def read(value: torch.Tensor, kind: str) -> torch.Tensor:
    """A register as an instruction of type `kind` sees it."""
    if kind == "pred":
        return value != 0
    if value.dtype == FLOATS.get(kind):
        return value
    bits = width(kind)
    number = raw(value, bits)
    if kind in FLOATS:
        return number.to(INTEGERS[bits]).view(FLOATS[kind])
    return extended(number, bits) if kind[0] == "s" else number


def extended(number: torch.Tensor, bits: int) -> torch.Tensor:
    """The lowest `bits` of an integer, with their sign."""
    if bits == 64:
        return number
    sign = 1 << (bits - 1)
    return ((number & mask(bits)) ^ sign) - sign


def written(result: torch.Tensor, kind: str, bits: int) -> torch.Tensor:
    """What an instruction of type `kind` leaves in a register of `bits`."""
    if kind == "pred" or bits == 1:
        return result != 0
    if kind in FLOATS:
        number = result.to(FLOATS[kind])
        return number if width(kind) == bits else raw(number, 64).to(INTEGERS[bits])
    size = width(kind)
    number = extended(result.long(), size) if kind[0] == "s" else result.long() & mask(size)
    return number.to(INTEGERS[bits])


def halves(number: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """The lower and the upper 16 bits as floats."""
    low, high = ((number >> shift & 0xFFFF).to(torch.int16).view(dtype) for shift in (0, 16))
    return low, high


def joined(low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Two values of 16 bits as one of 32."""
    return raw(low, 16) | raw(high, 16) << 16


def on_halves(function: TensorFunction, dtype: torch.dtype) -> TensorFunction:
    """A function of floats, on both halves of registers of 32 bits."""

    def call(*numbers: torch.Tensor) -> torch.Tensor:
        lows, highs = zip(*(halves(number, dtype) for number in numbers), strict=True)
        return joined(function(*lows).to(dtype), function(*highs).to(dtype))

    return call
