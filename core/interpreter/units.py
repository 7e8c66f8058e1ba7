"""Accesses through pointers of another width than the tensor's elements, counted in one unit per tensor.

A trace counts a tensor in elements. If a kernel accesses it in others too, the tensor is shown as numbers of the
narrowest width that is used, and a wider access is one of several of them: a tile with one more axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.interpreter.memory import Memory
from core.trace import affine, mask
from core.trace.affine import Affine, Term
from core.trace.record import Access, Buffer, Fault

_NAMES = {1: "uint8", 2: "uint16", 4: "uint32"}


def in_one_unit(
    memories: Sequence[Memory], accesses: Sequence[Access], faults: Sequence[Fault]
) -> tuple[tuple[Buffer, ...], tuple[Access, ...], tuple[Fault, ...]]:
    """The buffers, accesses and faults of a launch, with one element width per buffer."""
    widths = {(access.buffer, access.element_bytes) for access in accesses}
    if all(memories[buffer].element_bytes == width for buffer, width in widths):
        return tuple(memory.buffer for memory in memories), tuple(accesses), tuple(faults)
    units = [memory.element_bytes for memory in memories]
    for buffer, width in widths:
        units[buffer] = min(units[buffer], width)
    return (
        tuple(_narrower(memory.buffer, unit) for memory, unit in zip(memories, units, strict=True)),
        tuple(_split(access, memories[access.buffer], units[access.buffer]) for access in accesses),
        tuple(
            replace(fault, index=fault.index * (memories[fault.buffer].element_bytes // units[fault.buffer]))
            for fault in faults
        ),
    )


def _narrower(buffer: Buffer, unit: int) -> Buffer:
    """The tensor as numbers of `unit` bytes: one more axis."""
    count = buffer.element_bytes // unit
    if count == 1:
        return buffer
    shape, strides = (*buffer.shape, count), (*(stride * count for stride in buffer.strides), 1)
    return replace(buffer, dtype=_NAMES[unit], element_bytes=unit, shape=shape, strides=strides)


def _split(access: Access, memory: Memory, unit: int) -> Access:
    """The access in numbers of `unit` bytes, counted from the tensor's first element."""
    width, rank = access.element_bytes, len(access.shape)
    count, shift = width // unit, (memory.start(width) - memory.buffer.data_ptr) // unit
    if count == 1:
        return access
    axis = np.arange(count, dtype=np.int64).reshape(*(1,) * (rank + 1), count)
    last = Affine(rank + 1, shift, (Term(2 << rank, axis, 0, count - 1, 1),))
    first = affine.reshaped(affine.scale(access.offset, count), rank + 1, range(rank))
    keep = None if access.mask is None else mask.moved(access.mask, rank + 1, tuple(range(rank)))
    assert not isinstance(keep, bool)
    return replace(
        access,
        shape=(*access.shape, count),
        offset=affine.add(first, last),
        mask=keep,
        element_bytes=unit,
    )
