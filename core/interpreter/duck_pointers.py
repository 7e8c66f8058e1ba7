"""Pointer arguments that are not tensors: Triton asks for `data_ptr()` and `dtype` alone.

The memory behind such an address belongs to a tensor that the object holds, or to any other tensor that is alive. So
accesses are checked against that tensor's storage.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.memory import BOUNDLESS


def tensor_at(value: Any, dtype: torch.dtype, kernel: str) -> torch.Tensor:
    """A view of the memory at `value.data_ptr()`: of the shape that `value` has, or up to the end of the storage.

    Without such a shape (or with strides below 0, to walk backwards) it is a plain pointer, marked as `BOUNDLESS`.
    Raises TilescopeError if the address lies in no tensor, or not at an element of one.
    """
    address = int(value.data_ptr())
    if not address:
        return torch.empty(0, dtype=dtype)
    owner = next(_owners(_candidates(value), address), None)
    if owner is None:
        raise TilescopeError(
            tr(
                "{kernel} was launched with an object of type {type}, whose data_ptr() lies in no tensor, so its "
                "accesses cannot be checked: let the object hold a tensor.",
                kernel=kernel,
                type=type(value).__name__,
            )
        )
    storage = owner.untyped_storage()
    offset, rest = divmod(address - storage.data_ptr(), dtype.itemsize)
    if rest:
        raise TilescopeError(
            tr(
                "{kernel} was launched with an object of type {type}, whose data_ptr() lies within an element of "
                "{dtype}: align it.",
                kernel=kernel,
                type=type(value).__name__,
                dtype=str(dtype).removeprefix("torch."),
            )
        )
    available = storage.nbytes() // dtype.itemsize - offset
    layout = _layout(value, available)
    shape, strides = layout or ((available,), (1,))
    view: torch.Tensor = torch.empty(0, dtype=dtype, device=owner.device)
    view.set_(storage, offset, shape, strides)
    setattr(view, BOUNDLESS, layout is None)
    return view


def _candidates(value: Any) -> Iterator[Any]:
    """What an object holds, directly or in a list or tuple, then all objects that are alive."""
    for attribute in getattr(value, "__dict__", {}).values():
        yield attribute
        if isinstance(attribute, list | tuple):
            yield from attribute
    yield from gc.get_objects()


def _owners(candidates: Iterable[Any], address: int) -> Iterator[torch.Tensor]:
    """The tensors among `candidates` whose storage holds `address`. An address past its end is of an empty slice."""
    return (tensor for first, size, tensor in storages(candidates) if first <= address < first + size)


def storages(candidates: Iterable[Any]) -> Iterator[tuple[int, int, torch.Tensor]]:
    """Address and size in bytes of the storage of each tensor among `candidates`, and the tensor."""
    for candidate in candidates:
        if issubclass(type(candidate), torch.Tensor):
            try:
                storage = candidate.untyped_storage()
                yield storage.data_ptr(), storage.nbytes(), candidate
            except (RuntimeError, NotImplementedError):  # sparse, or without memory
                continue


def _layout(value: Any, available: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Shape and strides in elements, if the object has both and they fit."""
    try:
        shape = tuple(int(size) for size in value.shape)
        strides = tuple(int(step) for step in (value.stride() if callable(value.stride) else value.stride))
    except (AttributeError, TypeError, ValueError):
        return None
    if len(shape) != len(strides) or min((*shape, *strides, 0)) < 0:
        return None
    extent = 1 + sum((size - 1) * step for size, step in zip(shape, strides, strict=True)) if all(shape) else 0
    return (shape, strides) if extent <= available else None
