"""Conversions between float types: to nearest even or towards zero. 8-bit floats saturate, as in hardware."""

from __future__ import annotations

from typing import Any

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.ir import Operation
from core.interpreter.ops.elementwise import TensorFunction
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.values import torch_dtype

_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32}


def nearest(dtype: torch.dtype) -> TensorFunction:
    if dtype.itemsize > 1:
        return lambda a: a.to(dtype)
    largest = torch.finfo(dtype).max
    # cvt.rn.satfinite: too large values, including infinities, become the largest number. NaN stays NaN.
    return lambda a: a.to(torch.float32).clamp(-largest, largest).to(dtype)


def towards_zero(dtype: torch.dtype) -> TensorFunction:
    """If the nearest number is larger in magnitude, use the one before it: the next smaller bit pattern."""
    rounded = nearest(dtype)

    def call(a: torch.Tensor) -> torch.Tensor:
        exact, near = a.to(torch.float64), rounded(a)
        beyond = (near.to(torch.float64).abs() > exact.abs()) & torch.isfinite(exact)
        bits = near.contiguous().view(_BITS[dtype.itemsize])
        return torch.where(beyond, bits - 1, bits).view(dtype)

    return call


@pure("arith.extf", "arith.truncf", "tt.fp_to_fp")
def _precision(operation: Operation) -> PureFunction:
    rounding = operation.attributes.get("rounding", "rtne")
    if rounding not in ("rtne", "rtz", 0, 1):
        raise TilescopeError(
            tr(
                "{location} rounds with {mode}, but Tilescope rounds only to nearest even or towards zero: use "
                "one of these modes.",
                location=operation.location.label,
                mode=str(rounding),
            )
        )
    source = torch_dtype(operation.operands[0].type.element)
    target = torch_dtype(operation.result.type.element)
    narrowing = target.itemsize < source.itemsize
    convert = towards_zero(target) if narrowing and rounding in ("rtz", 0) else nearest(target)

    def call(a: Any) -> Any:
        return convert(a) if isinstance(a, torch.Tensor) else convert(torch.tensor(a, dtype=source)).item()

    return call
