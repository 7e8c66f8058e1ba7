"""Launches like one that was seen, with one size grown: what its tensors, arguments and grid become.

Everything that had the same value in every launch is taken for that size: dimensions, arguments, sides of the grid.
Strides grow with what lies inside of them, and arguments that are strides follow them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from core.proofs import terms
from core.proofs.family import Candidates, Quantity, TensorSeen
from core.proofs.terms import Poly, Symbol

_MANY = 1000
"""A size so many times as large tells grids apart."""


@dataclass(frozen=True)
class Grown:
    """A launch at a size: tensors and integers by position of the argument, and the grid."""

    size: int
    tensors: dict[int, TensorSeen]
    numbers: dict[int, int]
    grid: tuple[int, int, int]

    @property
    def bytes(self) -> int:
        """What the tensors take together."""
        return sum(span_of(tensor) * tensor.element_bytes for tensor in self.tensors.values())


def span_of(tensor: TensorSeen) -> int:
    """Elements from the first of a tensor to its last."""
    return 1 + sum((dim - 1) * stride for dim, stride in zip(tensor.shape, tensor.strides, strict=True))


class Growth:
    """The launches in which a size of `found` grows, and all else stays as in the largest launch that was seen."""

    def __init__(self, found: Candidates, quantity: Quantity) -> None:
        self._found = found
        self._quantity = quantity
        self._basis = max(range(len(found.seen)), key=lambda index: found.seen[index].elements)
        self._launch = found.seen[self._basis]
        self.now = quantity.values[self._basis]
        self._follows = {index: self._followed(index) for index, value in enumerate(self._launch.arguments)
                         if isinstance(value, int)}  # fmt: skip

    @property
    def name(self) -> str:
        """The size as code: the arguments that have it ('m = k'), or a dimension such as 'x.shape[0]'."""
        names = [self._launch.names[index] for index in self.sizes]
        plain = [name for name in names if "stride" not in name.lower()]
        return " = ".join(plain) or self._quantity.symbol.name

    @property
    def axis(self) -> int | None:
        """The outermost axis that grows of the largest tensor that does; None if no tensor has the size."""
        found = [(math.prod(tensor.shape), self._growing[index]) for index, tensor in self._tensors]
        _, axes = max(found, key=lambda one: (bool(one[1]), one[0]), default=(0, []))
        return min(axes, default=None)

    @property
    def moving(self) -> list[int]:
        """The positions of the arguments that change."""
        return [index for index, follows in self._follows.items() if follows is not None]

    @property
    def sizes(self) -> list[int]:
        """The positions of the arguments that are the size."""
        columns = zip(*(launch.arguments for launch in self._found.seen), strict=True)
        return [index for index, values in enumerate(columns) if values == self._quantity.values]

    def at(self, size: int) -> Grown | None:
        """The launch at a size; None where the tensors cannot grow in that way."""
        tensors: dict[int, TensorSeen] = {}
        for index, tensor in self._tensors:
            grown = self._grown(index, tensor, size)
            if grown is None:
                return None
            tensors[index] = grown
        x, y, z = (self._side(side, size, now) for side, now in zip(self._grid, self._launch.grid, strict=True))
        launch = Grown(size, tensors, {}, (x, y, z))
        numbers = {
            index: int(value) if self._follows.get(index) is None else self._follows[index](launch)  # type: ignore[misc]
            for index, value in enumerate(self._launch.arguments)
            if isinstance(value, int)
        }
        return replace(launch, numbers=numbers)

    @cached_property
    def _grid(self) -> tuple[Poly, Poly, Poly]:
        """Of the grids that fit the launches, the one with the most programs: what they add is masked, or outside."""
        many = self.now * _MANY
        return max(self._found.grids, key=lambda grid: math.prod(self._side(side, many, 1) for side in grid))

    @property
    def follows_grid(self) -> bool:
        """Whether the number of programs grows with the size."""
        atoms = (atom for side in self._grid for atom in side.atoms() if isinstance(atom, Symbol))
        return any(self._values(atom) == self._quantity.values for atom in atoms)

    def _values(self, symbol: Symbol) -> tuple[int, ...] | None:
        return next((each.values for each in self._found.sizes if each.symbol == symbol), None)

    def _side(self, side: Poly, size: int, now: int) -> int:
        def change(symbol: Symbol) -> Poly:
            values = self._values(symbol)
            if values is None:
                return terms.of(symbol)
            return terms.number(size if values == self._quantity.values else values[self._basis])

        value = side.replaced(change).constant
        return now if value is None else value

    @cached_property
    def _tensors(self) -> list[tuple[int, TensorSeen]]:
        arguments = enumerate(self._launch.arguments)
        return [(index, argument) for index, argument in arguments if isinstance(argument, TensorSeen)]

    @cached_property
    def _growing(self) -> dict[int, list[int]]:
        """The axes that grow of each tensor, by position."""
        return {index: self._axes(index, tensor) for index, tensor in self._tensors}

    def _column(self, index: int) -> list[TensorSeen]:
        column = [launch.arguments[index] for launch in self._found.seen]
        return [tensor for tensor in column if isinstance(tensor, TensorSeen)]

    def _axes(self, index: int, tensor: TensorSeen) -> list[int]:
        """The axes of a tensor that have the size in every launch; the first if its number of elements is the size."""
        column = self._column(index)
        if self._is_flat(index, tensor):
            return [0]
        if any(len(each.shape) != len(tensor.shape) for each in column):
            return []
        return [
            axis
            for axis in range(len(tensor.shape))
            if tuple(each.shape[axis] for each in column) == self._quantity.values
        ]

    def _is_flat(self, index: int, tensor: TensorSeen) -> bool:
        elements = tuple(math.prod(each.shape) for each in self._column(index))
        return elements == self._quantity.values and tensor.packed

    def _grown(self, index: int, tensor: TensorSeen, size: int) -> TensorSeen | None:
        axes = self._growing[index]
        if not axes:
            return tensor
        if len(tensor.shape) > 1 and axes == [0] and self._is_flat(index, tensor):
            return replace(tensor, shape=(size,), strides=(1,))
        shape = tuple(size if axis in axes else dim for axis, dim in enumerate(tensor.shape))
        strides = list(tensor.strides)
        for grown in axes:
            inside, dim = tensor.strides[grown], tensor.shape[grown]
            for axis, stride in enumerate(tensor.strides):
                if axis != grown and dim > 1 and inside and stride >= inside * dim:
                    if stride % (inside * dim):
                        return None
                    strides[axis] = strides[axis] // dim * size
        return replace(tensor, shape=shape, strides=tuple(strides))

    def _followed(self, index: int) -> Callable[[Grown], int] | None:
        """What an integer argument is in a grown launch; None if it stays."""
        values = tuple(launch.arguments[index] for launch in self._found.seen)
        options = [*self._as_size(values), *self._as_stride(values), *self._as_elements(values), *self._as_side(values)]
        if "stride" in self._launch.names[index].lower():
            options = [*self._as_stride(values), *options]
        return options[0] if options else None

    def _as_size(self, values: Sequence[object]) -> Iterator[Callable[[Grown], int]]:
        if values == self._quantity.values:
            yield lambda launch: launch.size

    def _as_stride(self, values: Sequence[object]) -> Iterator[Callable[[Grown], int]]:
        for index, tensor in self._tensors:
            column = self._column(index)
            rank = min(len(each.strides) for each in column)
            for axis in range(rank):
                if tuple(each.strides[axis] for each in column) == values and tensor.shape[axis] > 1:
                    yield lambda launch, index=index, axis=axis: launch.tensors[index].strides[axis]  # type: ignore[misc]

    def _as_elements(self, values: Sequence[object]) -> Iterator[Callable[[Grown], int]]:
        for index, _ in self._tensors:
            if tuple(math.prod(each.shape) for each in self._column(index)) == values:
                yield lambda launch, index=index: math.prod(launch.tensors[index].shape)  # type: ignore[misc]

    def _as_side(self, values: Sequence[object]) -> Iterator[Callable[[Grown], int]]:
        for axis in range(3):
            if tuple(launch.grid[axis] for launch in self._found.seen) == values and max(self._launch.grid) > 1:
                yield lambda launch, axis=axis: launch.grid[axis]  # type: ignore[misc]
