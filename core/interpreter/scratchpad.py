"""Shared and tensor memory: what a program allocates on its multiprocessor, and views of it.

Memory holds bytes in the order of the indices: a layout that swizzles them changes no value. Only a view of other shape
or type could tell, so memory remembers which kind of view wrote it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from core.interpreter.ir import Location, Type
from core.interpreter.values import Handle, device, per_lane, torch_dtype
from core.trace import affine
from core.trace.affine import Affine, IntArray, Integer

_MOVED_AS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_POISON = 0xFF
"""Fills memory that nothing wrote: NaN in every float type, -1 in integers."""


class Allocation:
    """Memory of the programs that allocated it together: `data` [programs, bytes]."""

    def __init__(self, name: str, location: Location, programs: IntArray, size_bytes: int) -> None:
        self.name = name
        self.location = location
        self.data = torch.full((len(programs), size_bytes), _POISON, dtype=torch.uint8, device=device())
        self._programs = programs
        self._order: IntArray | None = None
        self._writers: dict[str, tuple[int, int, int]] = {}
        self._writes = 0

    @property
    def programs(self) -> int:
        return len(self._programs)

    def written(self, kind: str, low: int, high: int) -> None:
        """Remember that a view of this kind wrote somewhere between two bytes."""
        first, last, _ = self._writers.get(kind, (low, high, 0))
        self._writes += 1
        self._writers[kind] = min(first, low), max(last, high), self._writes

    def writer(self, low: int, high: int) -> str:
        """The kind of the view that wrote last between two bytes; empty if none did."""
        near = [(when, kind) for kind, (first, last, when) in self._writers.items() if first < high and low < last]
        return max(near)[1] if near else ""

    def rows(self, programs: IntArray) -> IntArray | None:
        """The rows of these programs, which are some of those that allocated; None for all, in their order."""
        if programs is self._programs or len(programs) == len(self._programs) == 1:
            return None
        if len(programs) == len(self._programs) and np.array_equal(programs, self._programs):
            return None
        if self._order is None:
            self._order = np.argsort(self._programs, kind="stable")
        found: IntArray = self._order[np.searchsorted(self._programs, programs, sorter=self._order)]
        return found


@dataclass(frozen=True, eq=False)
class View(Handle):
    """Elements of an allocation at `base` + index * `strides`, in bytes. `base` may differ per program.

    `kind` names the type and layout through which it sees the bytes.
    """

    allocation: Allocation
    type: Type
    base: Integer
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    kind: str

    def numbers(self) -> tuple[Integer, ...]:
        return (self.base,)

    def with_numbers(self, numbers: Sequence[Integer]) -> View:
        return self.at(numbers[0], self.shape, self.strides)

    def same_as(self, other: Any) -> bool:
        return (
            isinstance(other, View)
            and other.allocation is self.allocation
            and (other.shape, other.strides) == (self.shape, self.strides)
        )

    def at(self, base: Integer, shape: Sequence[int], strides: Sequence[int]) -> View:
        """Another part of the same allocation, seen in the same way."""
        return View(self.allocation, self.type, base, tuple(shape), tuple(strides), self.kind)

    @property
    def element_bytes(self) -> int:
        return element_bytes(self.type)

    @property
    def extent(self) -> int:
        """Bytes from the first element to the end of the last."""
        return self.element_bytes + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))

    def read(self, programs: IntArray) -> torch.Tensor:
        """The elements, a copy: [lanes, *shape]."""
        rows = self.allocation.rows(programs)
        parts = [
            (lanes, self._window(base) if chosen is None else self._window(base)[_index(chosen)])
            for base, lanes, chosen in self._groups(rows, len(programs))
        ]
        if len(parts) == 1:
            result = parts[0][1].clone() if rows is None else parts[0][1]
        else:
            result = parts[0][1].new_empty((len(programs), *self.shape))
            for lanes, part in parts:
                result[_index(lanes)] = part
        return result.view(torch_dtype(self.type.element))

    def write(self, programs: IntArray, value: torch.Tensor) -> None:
        """Store `value`, [lanes or 1, *shape or 1]."""
        rows = self.allocation.rows(programs)
        value = value.view(_MOVED_AS[self.element_bytes])
        for base, lanes, chosen in self._groups(rows, len(programs)):
            window = self._window(base)
            part = value if value.shape[0] == 1 or lanes is None else value[_index(lanes)]
            if chosen is None:
                window.copy_(part)
            else:
                window[_index(chosen)] = part.expand(len(chosen), *self.shape)

    def _window(self, base: int) -> torch.Tensor:
        """A view of the bytes of all programs, [programs, *shape]."""
        size, flat = self.element_bytes, self.allocation.data
        typed = flat.view(_MOVED_AS[size])
        row = flat.shape[1] // size
        return typed.as_strided((flat.shape[0], *self.shape), (row, *(s // size for s in self.strides)), base // size)

    def _groups(self, rows: IntArray | None, count: int) -> list[tuple[int, Any, IntArray | None]]:
        """(base, its lanes, their rows) for each base; None for all lanes or rows."""
        if not isinstance(self.base, Affine):
            return [(self.base, None, rows)]
        bases = per_lane(self.base, count)
        distinct = np.unique(bases)
        if len(distinct) == 1:
            return [(int(distinct[0]), None, rows)]
        groups: list[tuple[int, Any, IntArray | None]] = []
        for base in distinct:
            lanes = np.flatnonzero(bases == base)
            groups.append((int(base), lanes, lanes if rows is None else rows[lanes]))
        return groups

    @property
    def span(self) -> tuple[int, int]:
        """The first byte, and the byte after the last, over all programs."""
        low, high = (self.base.low, self.base.high) if isinstance(self.base, Affine) else (self.base, self.base)
        return low, high + self.extent

    def places(self, programs: IntArray) -> tuple[IntArray, IntArray]:
        """Row and byte of the first element for each lane."""
        rows = self.allocation.rows(programs)
        return np.arange(len(programs)) if rows is None else rows, per_lane(self.base, len(programs))


def _index(lanes: IntArray) -> torch.Tensor:
    return torch.from_numpy(lanes).to(device())


def element_bytes(type_: Type) -> int:
    return torch_dtype(type_.element).itemsize


def row_major(shape: Sequence[int], size: int) -> tuple[int, ...]:
    """Strides in bytes of an array whose last index varies fastest."""
    strides = []
    for n in reversed(shape):
        strides.append(size)
        size *= n
    return tuple(reversed(strides))


def allocate(name: str, type_: Type, location: Location, programs: IntArray) -> View:
    """New memory for these programs."""
    size = element_bytes(type_)
    allocation = Allocation(name, location, programs, size * math.prod(type_.dims))
    return View(allocation, type_, 0, type_.dims, row_major(type_.dims, size), kind_of(type_))


_PLAIN = re.compile(r"vec = 1, perPhase = 1, maxPhase = 1, order = \[([\d, ]+)\]")


def kind_of(type_: Type) -> str:
    """The kind of a view: 'rows' if bytes lie in the order of the indices, else what decides their order."""
    plain = _PLAIN.search(type_.layout)
    order = [int(axis) for axis in plain[1].split(",")] if plain else []
    if type_.space == "tensor" or (plain and order == sorted(order, reverse=True)):
        return "rows"
    return f"{type_.element} {type_.dims[-2:]} {type_.layout}"


def moved(view: View, offsets: Sequence[Integer], drop: int, shape: Sequence[int]) -> View:
    """The part at these offsets along the first axes; the first `drop` axes are left out."""
    base = view.base
    for offset, stride in zip(offsets, view.strides, strict=False):
        base = affine.add(base, affine.scale(offset, stride))
    return view.at(base, shape, view.strides[drop:])
