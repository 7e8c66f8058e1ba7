"""Pointers made from numbers: which tensor an address belongs to, and where in it.

An address that was loaded from a table, or computed, belongs to an argument of the launch whose memory holds it, else
to any other tensor that is alive. An address in no tensor becomes a pointer to nothing, and an access through it is a
fault.
"""

from __future__ import annotations

import gc
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.interpreter.duck_pointers import storages
from core.interpreter.ir import Location
from core.interpreter.memory import Memory
from core.interpreter.values import Pointer
from core.trace import affine
from core.trace.affine import IntArray, Integer

_Range = tuple[int, int]


class AddressBook:
    """The memories of a launch by address. Tensors that are found join the `memories`."""

    def __init__(self, memories: list[Memory]) -> None:
        self._memories = memories
        self._null: int | None = None

    def pointer(self, addresses: Integer, rank: int, width: int, location: Location) -> Pointer:
        """The pointer to elements of `width` bytes at `addresses` (in bytes).

        Raises TilescopeError if an address lies within an element.
        """
        numbers = affine.dense(addresses, rank)
        distinct, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
        buffers = self._tensors_at(distinct, np.argsort(first))
        starts = np.array([self._memories[buffer].start(width) for buffer in buffers.tolist()], dtype=np.int64)
        away = distinct - starts
        if (away[buffers != self._null] % width).any():
            raise misaligned(location, width)
        places = inverse.reshape(numbers.shape)
        return Pointer(affine.from_array(buffers[places], rank), affine.from_array((away // width)[places], rank))

    def addresses(self, pointer: Pointer, width: int) -> Integer:
        """The addresses, in bytes, of a pointer to elements of `width` bytes."""
        starts = self._of(pointer.buffer, lambda memory: memory.start(width))
        return affine.add(affine.scale(pointer.offset, width), starts)

    def recast(self, pointer: Pointer, source: int, target: int, location: Location) -> Pointer:
        """A pointer to elements of `source` bytes as one to elements of `target` bytes.

        Raises TilescopeError if it then points into an element.
        """
        shift = self._of(pointer.buffer, lambda memory: memory.start(source) - memory.start(target))
        away = affine.add(affine.scale(pointer.offset, source), shift)
        if source % target == 0 and shift == 0:
            return Pointer(pointer.buffer, affine.scale(pointer.offset, source // target))
        divided = _divided(away, target)
        if divided is None:
            raise misaligned(location, target)
        return Pointer(pointer.buffer, divided)

    def _of(self, buffer: Integer, number: object) -> Integer:
        """A number of the memories that a pointer points to."""
        assert callable(number)
        if not isinstance(buffer, affine.Affine):
            return int(number(self._memories[buffer]))
        known = np.array([number(memory) for memory in self._memories], dtype=np.int64)
        return affine.apply(lambda numbers: known[numbers], buffer)

    def _tensors_at(self, addresses: IntArray, order: IntArray) -> IntArray:
        """The index of a memory for each address. New ones are found in this order, which no allocator decides."""
        indices = self._known(addresses, 0)
        if (indices < 0).any() and self._alive:
            first = len(self._memories)
            for address in addresses[order][indices[order] < 0].tolist():
                if self._known(np.array([address]), first)[0] < 0:
                    self._find(address)
            indices = np.where(indices < 0, self._known(addresses, first), indices)
        if (indices < 0).any():
            indices = np.where(indices < 0, self._nothing(), indices)
        return indices

    def _known(self, addresses: IntArray, first: int) -> IntArray:
        """Memories from number `first` on whose storage holds the addresses, -1 elsewhere.

        If several arguments are views of one storage, the smallest one around an address is meant.
        """
        indices = np.full(addresses.shape, -1, dtype=np.int64)
        memories = list(enumerate(self._memories))[first:]
        for index, memory in reversed(memories):
            _put(indices, addresses, memory.storage_range, index)
        for index, memory in sorted(memories, key=lambda item: -item[1].buffer.size_bytes):
            start = memory.buffer.data_ptr
            _put(indices, addresses, (start, start + memory.buffer.size_bytes), index)
        return indices

    @cached_property
    def _alive(self) -> list[tuple[_Range, torch.Tensor]]:
        """All tensors that are alive on the device of the launch, with the ranges of their storages."""
        device = self._memories[0].flat.device if self._memories else torch.device("cpu")
        return [
            ((first, first + size), tensor)
            for first, size, tensor in storages(gc.get_objects())
            if size and tensor.device.type == device.type
        ]

    def _find(self, address: int) -> None:
        """Add the tensor at an address: one that begins there, if there is one, else the largest around it."""
        around = [tensor for (first, last), tensor in self._alive if first <= address < last]
        if around:
            tensor = max(around, key=lambda each: (each.data_ptr() == address, each.numel()))
            self._memories.append(Memory(self._name(tensor.data_ptr()), tensor.detach()))

    def _name(self, address: int) -> str:
        """The element of a table that holds the address, such as 'table[3]'."""
        for memory in self._memories:
            buffer = memory.buffer
            if memory.flat.dtype == torch.int64 and buffer.size_bytes:
                table = memory.flat.as_strided(buffer.shape, buffer.strides, memory.base)
                places = (table == address).nonzero()
                if len(places):
                    return f"{buffer.name}[{', '.join(map(str, places[0].tolist()))}]"
        return f"tensor_{len(self._memories)}"

    def _nothing(self) -> int:
        if self._null is None:
            self._null = len(self._memories)
            self._memories.append(Memory.of_nothing())
        return self._null


def _put(indices: IntArray, addresses: IntArray, extent: _Range, index: int) -> None:
    indices[(addresses >= extent[0]) & (addresses < extent[1])] = index


def _divided(value: Integer, divisor: int) -> Integer | None:
    """`value` divided by `divisor`; None if that leaves a rest. The terms stay apart if each of them is divisible."""
    if not isinstance(value, affine.Affine):
        return None if value % divisor else value // divisor
    if value.constant % divisor == 0 and not any((term.array % divisor).any() for term in value.terms):
        terms = (
            affine.Term(term.axes, term.array // divisor, term.low // divisor, term.high // divisor)
            for term in value.terms
        )
        return affine.Affine(value.rank, value.constant // divisor, tuple(terms))
    dense: npt.NDArray[np.int64] = value.dense()
    return None if (dense % divisor).any() else affine.from_array(dense // divisor, value.rank)


def misaligned(location: Location, width: int) -> TilescopeError:
    """The error for a pointer that points into an element."""
    return TilescopeError(
        tr(
            "{location} makes a pointer to elements of {width} bytes from an address that is no multiple of {width}: a "
            "GPU stops at such an access. Align the address.",
            location=location.label,
            width=width,
        )
    )
