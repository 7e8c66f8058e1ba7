"""Launches that are taken back: what they wrote is kept aside, and the tensors are as before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from core.interpreter.memory import Memory
from core.trace.record import Access

Outputs = dict[int, torch.Tensor] | None
"""What a launch wrote, by the number of the buffer; None if it computed no data."""


@contextmanager
def taken_back(arguments: Iterable[Any]) -> Iterator[None]:
    """After the block, the tensors among `arguments` hold again what they held before."""
    kept = [(storage, storage.clone()) for storage in storages_of(arguments).values()]  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for storage, content in kept:
            storage.copy_(content)


def storages_of(arguments: Iterable[Any]) -> dict[int, torch.UntypedStorage]:
    """The storages of the tensors among the arguments of a launch, by address."""
    return {
        argument.untyped_storage().data_ptr(): argument.untyped_storage()
        for argument in arguments
        if isinstance(argument, torch.Tensor)
    }


def outputs_of(memories: Sequence[Memory], accesses: Iterable[Access]) -> dict[int, torch.Tensor]:
    """The content of the buffers that were written."""
    written = sorted({access.buffer for access in accesses if access.kind != "load"})
    return {index: _content(memories[index]) for index in written}


def _content(memory: Memory) -> torch.Tensor:
    buffer = memory.buffer
    dtype = getattr(torch, buffer.dtype, memory.flat.dtype)
    return memory.flat.as_strided(buffer.shape, buffer.strides, memory.base).clone().view(dtype)


def difference(a: Outputs, b: Outputs) -> float | None:
    """The largest absolute difference; infinite where only one is a number. None if there is nothing to compare."""
    if a is None or b is None or a.keys() != b.keys():
        return None
    largest = 0.0
    for index, left in a.items():
        left, right = left.to(torch.float64), b[index].to(torch.float64)
        apart = torch.where((left == right) | (left.isnan() & right.isnan()), 0.0, (left - right).abs())
        if apart.numel():
            largest = max(largest, float(apart.nan_to_num(nan=torch.inf).max()))
    return largest
