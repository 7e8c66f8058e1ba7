"""tt.dot: matrix products."""

from __future__ import annotations

from typing import Any

import torch

from core.interpreter.ir import Operation, Type
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.values import expanded, to_torch, torch_dtype


@pure("tt.dot")
def _dot(operation: Operation) -> PureFunction:
    """a [.., M, K] times b [.., K, N] plus c. Accumulates in float32 as tensor cores do for 16-bit and 8-bit floats.

    The input precisions 'ieee', 'tf32' and 'tf32x3' are all computed in float32, without TF32's rounding of the inputs
    to 10 bits of mantissa. Integer products are exact.
    """
    a_type, b_type, c_type = (value.type for value in operation.operands)
    return product(a_type, b_type, c_type)


def product(a_type: Type, b_type: Type, c_type: Type) -> PureFunction:
    """A function of a, b and c."""
    result = torch_dtype(c_type.element)
    compute = torch.float64 if c_type.is_integer or c_type.element == "f64" else torch.float32

    def call(a: Any, b: Any, c: Any) -> torch.Tensor:
        left = expanded(to_torch(a, a_type), a_type.dims).to(compute)
        right = expanded(to_torch(b, b_type), b_type.dims).to(compute)
        if isinstance(c, torch.Tensor):
            product = _sum_of_products(c.to(compute), left, right)
        else:
            product = _product(left, right)
            product = product + c if c != 0 else product
        return product if result == compute else product.to(result)

    return call


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if a.dim() == 3:
        lanes = max(a.shape[0], b.shape[0])
        return torch.bmm(a.expand(lanes, -1, -1), b.expand(lanes, -1, -1))
    return torch.matmul(a, b)


def _sum_of_products(c: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if a.dim() != 3:
        return c + _product(a, b)
    lanes = max(a.shape[0], b.shape[0], c.shape[0])
    return torch.baddbmm(c, a.expand(lanes, -1, -1), b.expand(lanes, -1, -1))
