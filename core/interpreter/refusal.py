"""Why Triton does not accept the arguments of a launch, in a sentence that names the argument."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from core.contracts.text import EMPTY, Text, tr

_MOST_CHARACTERS = 200
_BITS = ("torch.int1", "torch.uint1")
"""Types that Triton takes for its own i1, although torch packs eight of them into a byte."""


def refusal(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> Text:
    """The sentence for an error that Triton raised when it bound the arguments."""
    kernel = function.fn.__name__
    if isinstance(error, KeyError):
        dtype = str(error.args[0]) if error.args else ""
        for name, value in _tensors(function, args, kwargs):
            if str(value.dtype).removeprefix("torch.") == dtype:
                return _no_type(kernel, name, value)
    for name, value in _tensors(function, args, kwargs):
        if problem := unreadable(kernel, name, value):
            return problem
    if isinstance(error, OverflowError):
        return tr("{kernel} was launched with a number of more than 64 bits: pass a smaller one.", kernel=kernel)
    reason = " ".join(str(error).split())[:_MOST_CHARACTERS].rstrip(".")
    if not isinstance(error, TypeError):
        reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    return tr("{kernel} was launched with the wrong arguments: {reason}.", kernel=kernel, reason=reason)


def _tensors(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors among the arguments, by parameter."""
    for name, value in (*zip(function.arg_names, args, strict=False), *kwargs.items()):
        if isinstance(value, torch.Tensor):
            yield name, value


def unreadable(kernel: str, name: str, tensor: torch.Tensor) -> Text:
    """Why the elements of a tensor cannot be read from its memory; empty if they can."""
    if str(tensor.dtype) in _BITS:
        return _no_type(kernel, name, tensor)
    if _has_address(tensor):
        return EMPTY
    return tr(
        "Tensor {tensor} of {kernel} is not dense (it is {layout}), so it has no memory of its own: pass a dense "
        "tensor.",
        tensor=name,
        kernel=kernel,
        layout="nested" if tensor.is_nested else str(tensor.layout).removeprefix("torch."),
    )


def _no_type(kernel: str, name: str, tensor: torch.Tensor) -> Text:
    return tr(
        "Triton has no type for tensor {tensor} of {kernel}, which is {dtype}: pass a tensor of another type, or a "
        "view of it, such as tensor.view(torch.uint8).",
        tensor=name,
        kernel=kernel,
        dtype=str(tensor.dtype),
    )


def _has_address(tensor: torch.Tensor) -> bool:
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return tensor.layout == torch.strided and not tensor.is_nested
