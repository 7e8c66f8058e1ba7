"""tt.dot_scaled: products of microscaled numbers (OCP Microscaling Formats 1.0), computed in float32.

Elements are 8-bit or 4-bit floats; a byte holds two 4-bit floats, the first in its low half. A group of elements along
the summed axis shares a scale. In the MX formats that is a power of two, given by its exponent in a byte (255 is NaN),
for 32 elements; in NVFP4 it is an e4m3 number for 16. The shapes of the operands give the size of the group.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.ir import Operation, Type, Value
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.values import expanded, to_torch

_FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)
_FP8 = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
_UNSCALED = ("bf16", "fp16")


def _decoder(operation: Operation, name: str, axis: int, packed: bool) -> Callable[[torch.Tensor], torch.Tensor]:
    """From a tile of format `name` to float32; `axis` (from the end) is the summed one."""
    if name == "e2m1":
        along = axis if packed else -3 - axis

        def unpack(tile: torch.Tensor) -> torch.Tensor:
            table = torch.tensor(_FP4, device=tile.device)
            low, high = (table[(half & 15).long()] for half in (tile, tile >> 4))
            stacked = torch.stack((low, high), dim=tile.dim() + along + 1)
            return stacked.flatten(tile.dim() + along, tile.dim() + along + 1)

        return unpack
    if name in _FP8:
        return lambda tile: (tile.view(_FP8[name]) if tile.dtype == torch.int8 else tile).to(torch.float32)
    if name in _UNSCALED:
        return lambda tile: tile.to(torch.float32)
    raise TilescopeError(
        tr(
            "{location} multiplies numbers of format {format}, which Tilescope cannot decode: use another format.",
            location=operation.location.label,
            format=name,
        )
    )


def _scales(tile: torch.Tensor, elements: int) -> torch.Tensor:
    """[rows, groups] scales to [rows, elements] factors."""
    if tile.dtype.is_floating_point:
        factor = tile.to(torch.float32)
    else:
        exponent = tile.to(torch.int32) & 255
        factor = torch.where(exponent == 255, torch.nan, torch.exp2((exponent - 127).to(torch.float32)))
    return factor.repeat_interleave(elements // tile.shape[-1], dim=-1)


def _operands(operation: Operation, lhs: str) -> tuple[Value, Value | None, Value, Value | None, Value]:
    """(a, its scale, b, its scale, c). Scales are optional; an unscaled format has none."""
    values = operation.operands
    if len(values) == 5:
        return values[0], values[1], values[2], values[3], values[4]
    if len(values) == 3:
        return values[0], None, values[1], None, values[2]
    if lhs in _UNSCALED:
        return values[0], None, values[1], values[2], values[3]
    return values[0], values[1], values[2], None, values[3]


def scaled_product(operation: Operation, lhs: str, rhs: str) -> Callable[..., torch.Tensor]:
    """A function of a [.., M, K], its scale [.., M, groups] or None, b [.., K, N], its scale [.., N, groups], and c."""
    decode_a = _decoder(operation, lhs, -1, bool(operation.attributes.get("lhs_k_pack", True)))
    decode_b = _decoder(operation, rhs, -2, bool(operation.attributes.get("rhs_k_pack", True)))

    def multiply(
        a: torch.Tensor, a_scale: torch.Tensor | None, b: torch.Tensor, b_scale: torch.Tensor | None, c: torch.Tensor
    ) -> torch.Tensor:
        left, right = decode_a(a), decode_b(b)
        if a_scale is not None:
            left = left * _scales(a_scale, left.shape[-1])
        if b_scale is not None:
            right = right * _scales(b_scale, right.shape[-2]).transpose(-1, -2)
        return (torch.matmul(left, right) + c.to(torch.float32)).to(c.dtype)

    return multiply


@pure("tt.dot_scaled")
def _dot_scaled(operation: Operation) -> PureFunction:
    attributes = operation.attributes
    lhs, rhs = str(attributes["lhs"]), str(attributes["rhs"])
    parts = _operands(operation, lhs)
    multiply = scaled_product(operation, lhs, rhs)
    places = [None if part is None else operation.operands.index(part) for part in parts]

    def tile(values: tuple[Any, ...], part: int) -> torch.Tensor | None:
        place, value = places[part], parts[part]
        if place is None or value is None:
            return None
        type_: Type = value.type
        return expanded(to_torch(values[place], type_), type_.dims)

    def call(*values: Any) -> torch.Tensor:
        a, a_scale, b, b_scale, c = (tile(values, part) for part in range(5))
        assert a is not None
        assert b is not None
        assert c is not None
        return multiply(a, a_scale, b, b_scale, c)

    return call
