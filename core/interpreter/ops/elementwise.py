"""Lifts functions on tensors to functions on values of any representation."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch

from core.interpreter.ir import Operation, Type
from core.interpreter.values import device, to_torch, torch_dtype

TensorFunction = Callable[..., torch.Tensor]


@lru_cache(maxsize=1024)
def scalar_tensor(value: float, dtype: torch.dtype, where: torch.device) -> torch.Tensor:
    """A 0-d tensor, which broadcasts against any tensor and keeps its dtype."""
    return torch.tensor(value, dtype=dtype, device=where)


_CPU = torch.device("cpu")


def rounded(value: float, element: str) -> float:
    """A Python float rounded to an MLIR float type."""
    return value if element == "f64" else float(torch.tensor(value, dtype=torch_dtype(element)).item())


def float_function(operation: Operation, function: TensorFunction, *, scalars_pass: bool = False) -> Callable[..., Any]:
    """`function` on floats. Uniform operands are computed as 0-d tensors, so that they round in the same way.

    With `scalars_pass`, the function accepts Python numbers beside a tensor (operators do, torch.maximum does not).
    """
    types = tuple(value.type for value in operation.operands)
    dtypes = tuple(torch_dtype(t.element) for t in types)

    def call(*values: Any) -> Any:
        if not any(isinstance(value, torch.Tensor) for value in values):
            return function(*map(scalar_tensor, values, dtypes, (_CPU,) * len(values))).item()
        if scalars_pass:
            return function(*values)
        where = device()
        return function(
            *(
                v if isinstance(v, torch.Tensor) else scalar_tensor(v, d, where)
                for v, d in zip(values, dtypes, strict=True)
            )
        )

    return call


def tensor_arguments(values: tuple[Any, ...], types: tuple[Type, ...]) -> tuple[torch.Tensor, ...] | None:
    """All values as tensors if any of them is a tensor; None if all are structured."""
    if not any(isinstance(value, torch.Tensor) for value in values):
        return None
    where = device()
    return tuple(
        v
        if isinstance(v, torch.Tensor)
        else scalar_tensor(v, torch_dtype(t.element), where)
        if isinstance(v, bool | int | float)
        else to_torch(v, t)
        for v, t in zip(values, types, strict=True)
    )
