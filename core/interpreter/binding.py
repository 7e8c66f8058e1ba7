"""Maps the arguments of a launch to those of the kernel's IR; unpacks tuples and descriptors as Triton does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.duck_pointers import tensor_at
from core.interpreter.frontend import Kernel

_REINTERPRETED = {
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "int32": torch.int32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp32": torch.float32,
    "fp8e4nv": torch.float8_e4m3fn,
    "fp8e5": torch.float8_e5m2,
    "fp8e4b8": torch.float8_e4m3fnuz,
    "fp8e5b16": torch.float8_e5m2fnuz,
}
"""Types of `triton.reinterpret(tensor, dtype)`, by Triton's name."""


def runtime_arguments(kernel: Kernel, bound: dict[str, Any]) -> list[Any]:
    """Tensors and numbers for each argument of the IR's function, in order. `bound` holds all parameters by name."""
    parameters = kernel.plan.function.arguments
    elements = [value.type.element if not value.type.pointer else "" for value in parameters]
    arguments: list[Any] = []
    for name, kind in kernel.signature.items():
        for value in _leaves(kind, bound[name]):
            if not _is_descriptor(value):
                arguments.append(_argument(value, kernel.name))
            elif parameters[len(arguments)].type.space:
                arguments += [_whole(value, kernel.name), *value.shape, *value.strides]
            else:
                arguments += _descriptor(value, elements[len(arguments) :], kernel.name)
    if len(arguments) != len(elements):
        raise TilescopeError(
            tr(
                "{kernel} takes an argument of a kind that Tilescope cannot bind: pass tensors, numbers or tensor "
                "descriptors.",
                kernel=kernel.name,
            )
        )
    return arguments


def _leaves(kind: Any, value: Any) -> Iterator[Any]:
    """The run-time arguments: compile-time constants are left out, tuples are flattened."""
    if kind == "constexpr":
        return
    if isinstance(kind, tuple):
        for inner, element in zip(kind, value, strict=True):
            yield from _leaves(inner, element)
    else:
        yield value


def _is_descriptor(value: Any) -> bool:
    return hasattr(value, "block_shape") and hasattr(value, "base")


@dataclass(frozen=True)
class DescribedTensor:
    """A tensor descriptor that stays one in the IR, as in a Gluon kernel. Shape and strides are those described."""

    tensor: torch.Tensor
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    nan_padding: bool


def _whole(value: Any, kernel: str) -> DescribedTensor:
    padding = getattr(value, "padding", "zero") == "nan"
    return DescribedTensor(_argument(value.base, kernel), tuple(value.shape), tuple(value.strides), padding)


def _descriptor(value: Any, elements: Sequence[str], kernel: str) -> list[Any]:
    """Pointer, shape and strides (64 bits), flags, then shape and strides once more, as Triton rewrites descriptors.

    The flags are padding with NaN and, from Triton 3.7, rounding to TF32; i1 each.
    """
    rank = len(value.shape)
    flags = [
        getattr(value, "padding", "zero") == "nan",
        bool(getattr(value, "round_f32_to_tf32", False)),
    ]
    after = elements[1 + 2 * rank :]
    count = next((i for i, element in enumerate(after) if element != "i1"), len(after))
    shape, strides = list(value.shape), list(value.strides)
    return [_argument(value.base, kernel), *shape, *strides, *flags[:count], *shape, *strides]


def _argument(value: Any, kernel: str) -> Any:
    """An argument of a launch as a tensor or a number."""
    if isinstance(value, torch.Tensor) or not hasattr(value, "data_ptr"):
        return value
    dtype = _REINTERPRETED.get(str(value.dtype), value.dtype)
    if not isinstance(dtype, torch.dtype):
        raise TilescopeError(
            tr(
                "Tilescope cannot view a tensor as {dtype}, because torch has no such type: use another type.",
                dtype=str(dtype),
            )
        )
    if isinstance(getattr(value, "base", None), torch.Tensor) and value.data_ptr() == value.base.data_ptr():
        return value.base.view(dtype)
    return tensor_at(value, dtype, kernel)
