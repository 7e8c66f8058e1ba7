"""The family of launches that a proof is about: what may vary, and how tensors and the grid depend on it.

It is read from the launches that were seen. An integer argument is a size if it equals a dimension, a stride, the
number of elements of a tensor, or a side of the grid, in every launch; any other one stays as it was. What fits the
launches in several ways has several candidates, the most likely one first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.proofs import terms
from core.proofs.modelled import grid_size
from core.proofs.terms import Poly, Symbol

_MOST_CANDIDATES = 12

ANY_GRID = terms.of(grid_size("x")), terms.of(grid_size("y")), terms.of(grid_size("z"))

LIMIT = (1 << 31) - 1
"""The largest size, and the most elements that a tensor spans: what 32 bits hold."""


@dataclass(frozen=True)
class TensorSeen:
    """A tensor argument: its parameter's name, shape and strides (elements), and bytes of an element."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    element_bytes: int

    @property
    def packed(self) -> bool:
        return self.strides == packed_strides(self.shape)


@dataclass(frozen=True)
class Seen:
    """A launch: the arguments of the kernel's IR (numbers and tensors, by position), its grid and its constants.

    `uncompared` are the names of arguments that the kernel compares with nothing.
    """

    names: tuple[str, ...]
    arguments: tuple[int | float | bool | TensorSeen | None, ...]
    grid: tuple[int, int, int]
    constants: tuple[tuple[str, int], ...]
    uncompared: frozenset[str] = frozenset()

    @property
    def elements(self) -> int:
        """Those of all tensors."""
        return sum(math.prod(each.shape) for each in self.arguments if isinstance(each, TensorSeen))


@dataclass(frozen=True)
class Layout:
    """Dimensions and strides (elements) of a tensor, outermost first."""

    dims: tuple[Poly, ...]
    strides: tuple[Poly, ...]

    @property
    def last(self) -> Poly:
        """The largest offset of an element."""
        total = terms.ZERO
        for dim, stride in zip(self.dims, self.strides, strict=True):
            total += (dim - terms.number(1)) * stride
        return total


@dataclass(frozen=True)
class Quantity:
    """Something that varies with the launch: its value in each of them. `is_stride`: its name says so, or it equals a
    stride and is compared with nothing."""

    symbol: Symbol
    values: tuple[int, ...]
    is_stride: bool = False


@dataclass(frozen=True)
class Candidates:
    """How the launches that were seen may be continued.

    `arguments` are those of the IR, by position: a size, a number, or None. `layouts` are the candidates for each
    tensor by position, `grids` those for the grid. `sizes` are what varies.
    """

    arguments: tuple[Poly | None, ...]
    fixed: tuple[tuple[str, int], ...]
    layouts: dict[int, tuple[Layout, ...]]
    grids: tuple[tuple[Poly, Poly, Poly], ...]
    sizes: tuple[Quantity, ...]
    seen: tuple[Seen, ...] = field(repr=False)


def packed_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a packed tensor."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def packed(dims: Sequence[Poly]) -> tuple[Poly, ...]:
    """The strides of a packed tensor whose dimensions are numbers with names."""
    strides = [terms.number(1)] * len(dims)
    for axis in range(len(dims) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * dims[axis + 1]
    return tuple(strides)


def packed_strides_of(layouts: Iterable[Layout]) -> dict[Symbol, Poly]:
    """Sizes that are strides, as they are if their tensor is packed."""
    found: dict[Symbol, Poly] = {}
    for layout in layouts:
        for stride, value in zip(layout.strides, packed(layout.dims), strict=True):
            for atom in stride.atoms():
                if isinstance(atom, Symbol) and stride == terms.of(atom) and stride != value:
                    found.setdefault(atom, value)
    return found


def candidates(seen: Sequence[Seen], uses: Mapping[int, frozenset[str]] | None = None) -> Candidates:
    """The families that launches of one kernel may belong to. `uses` are, by tensor, the sizes that its addresses are
    computed with: of several strides that fit, those are its own."""
    return _Reading(seen, uses or {}).candidates()


def cdiv(size: Poly, block: int) -> Poly:
    """The smallest number of blocks that cover a size."""
    return terms.applied("div", size + terms.number(block - 1), terms.number(block))


class _Reading:
    def __init__(self, seen: Sequence[Seen], uses: Mapping[int, frozenset[str]]) -> None:
        self._seen = tuple(seen)
        self._uses = uses
        self._names = seen[0].names
        columns = list(zip(*(launch.arguments for launch in seen), strict=True))
        self._tensors: dict[int, list[TensorSeen]] = {}
        self._numbers: dict[int, list[int]] = {}
        for index, column in enumerate(columns):
            if isinstance(column[0], TensorSeen):
                self._tensors[index] = [tensor for tensor in column if isinstance(tensor, TensorSeen)]
            elif all(isinstance(value, int) for value in column):
                self._numbers[index] = [int(value) for value in column if value is not None]
        self._blocks = sorted({value for launch in seen for _, value in launch.constants if 1 < value < LIMIT})
        self._quantities = [
            Quantity(Symbol("size", self._names[index]), tuple(values), self._is_stride(self._names[index], values))
            for index, values in self._numbers.items()
            if self._is_size(values)
        ]
        self._free = list(self._unnamed_dims())

    def candidates(self) -> Candidates:
        sizes = {quantity.symbol.name: quantity for quantity in self._quantities}
        arguments: list[Poly | None] = []
        fixed: list[tuple[str, int]] = []
        for index, name in enumerate(self._names):
            if name in sizes:
                arguments.append(terms.of(sizes[name].symbol))
            elif index in self._numbers:
                values = self._numbers[index]
                fixed.append((name, values[0]))
                arguments.append(terms.number(values[0]))
            else:
                arguments.append(None)
        layouts = {index: tuple(self._layouts(index, tensors)) for index, tensors in self._tensors.items()}
        varying = (*self._quantities, *self._free)
        return Candidates(tuple(arguments), tuple(fixed), layouts, tuple(self._grids()), varying, self._seen)

    def _is_size(self, values: list[int]) -> bool:
        if min(values) < 1:
            return False
        facts: list[tuple[int, ...]] = [tuple(launch.grid[axis] for launch in self._seen) for axis in range(3)]
        for tensors in self._tensors.values():
            rank = min(len(tensor.shape) for tensor in tensors)
            facts += [tuple(tensor.shape[axis] for tensor in tensors) for axis in range(rank)]
            facts += [tuple(tensor.strides[axis] for tensor in tensors) for axis in range(rank)]
            facts.append(tuple(math.prod(tensor.shape) for tensor in tensors))
        return max(values) > 1 and tuple(values) in facts

    def _is_stride(self, name: str, values: list[int]) -> bool:
        if "stride" in name.lower():
            return True
        return name in self._seen[0].uncompared and any(
            values == [tensor.strides[axis] for tensor in tensors]
            for tensors in self._tensors.values()
            for axis in range(min(len(tensor.strides) for tensor in tensors))
        )

    def _unnamed_dims(self) -> Iterator[Quantity]:
        """Dimensions that no argument tells, by the first tensor that has them."""
        known = {quantity.values for quantity in self._quantities}
        for tensors in self._tensors.values():
            rank = len(tensors[0].shape)
            if any(len(tensor.shape) != rank for tensor in tensors):
                continue
            for axis in range(rank):
                values = tuple(tensor.shape[axis] for tensor in tensors)
                if values not in known and min(values) >= 1 and max(values) > 1 and not self._is_fixed(values):
                    known.add(values)
                    yield Quantity(Symbol("size", f"{tensors[0].name}.shape[{axis}]"), values)

    def _is_fixed(self, values: tuple[int, ...]) -> bool:
        """Whether a dimension is a multiple of a constant, and of one tensor only: 2 * GROUP locks."""
        shapes = [tensors[0].shape for tensors in self._tensors.values()]
        count = sum(shape.count(values[0]) for shape in shapes)
        sides = {-(-values[0] // block) for block in (1, *self._blocks)}
        x, *others = self._seen[0].grid
        explains = sides & {x, *(side for side in others if side > 1)}
        is_multiple = any(values[0] % block == 0 for block in self._blocks)
        return len(set(values)) == 1 and count == 1 and is_multiple and not explains

    def _equal(self, values: tuple[int, ...]) -> Iterator[Poly]:
        """What equals `values` in every launch: sizes, constants, numbers of blocks, products of two sizes."""
        singles = [quantity for quantity in self._quantities if quantity.values == values]
        yield from (terms.of(quantity.symbol) for quantity in singles if not quantity.is_stride)
        constant = len(set(values)) == 1 and (values[0] == 1 or values[0] in self._blocks)
        if constant:
            yield terms.number(values[0])
        yield from (terms.of(quantity.symbol) for quantity in self._free if quantity.values == values)
        yield from (terms.of(quantity.symbol) for quantity in singles if quantity.is_stride)
        plain = [quantity for quantity in (*self._quantities, *self._free) if not quantity.is_stride]
        if constant and values[0] == 1:
            return
        found = bool(singles)
        for quantity, block in itertools.product(plain, self._blocks):
            if tuple(-(-value // block) for value in quantity.values) == values:
                found = True
                yield cdiv(terms.of(quantity.symbol), block)
        for first, second in () if found else itertools.combinations_with_replacement(plain, 2):
            if tuple(a * b for a, b in zip(first.values, second.values, strict=True)) == values:
                yield terms.of(first.symbol) * terms.of(second.symbol)

    def _layouts(self, index: int, tensors: list[TensorSeen]) -> Iterator[Layout]:
        rank = len(tensors[0].shape)
        if any(len(tensor.shape) != rank for tensor in tensors):
            return
        dims = [self._dims(tuple(tensor.shape[axis] for tensor in tensors)) for axis in range(rank)]
        is_packed = all(tensor.packed for tensor in tensors)
        combined = sorted(itertools.product(*map(enumerate, dims)), key=lambda one: sum(place for place, _ in one))
        for chosen in combined[:_MOST_CANDIDATES]:
            shape = tuple(dim for _, dim in chosen)
            strides = packed(shape)
            named = [self._stride(index, tuple(tensor.strides[axis] for tensor in tensors)) for axis in range(rank)]
            if any(named) or not is_packed:
                yield Layout(shape, self._strides(tensors, shape, named, is_packed))
            if is_packed:
                yield Layout(shape, strides)

    def _dims(self, values: tuple[int, ...]) -> list[Poly]:
        found = list(dict.fromkeys(self._equal(values)))[:_MOST_CANDIDATES]
        return found or [terms.number(values[0])]

    def _stride(self, index: int, values: tuple[int, ...]) -> Poly | None:
        fitting = [quantity for quantity in self._quantities if quantity.is_stride and quantity.values == values]
        used = self._uses.get(index)
        found = [quantity for quantity in fitting if used is None or quantity.symbol.name in used]
        return terms.of(found[0].symbol) if found else None

    def _strides(
        self, tensors: list[TensorSeen], dims: Sequence[Poly], named: list[Poly | None], is_packed: bool
    ) -> tuple[Poly, ...]:
        """Those that were passed, and behind them packed ones: rows of any stride lie behind one another."""
        found: list[Poly] = []
        behind = terms.number(1)
        for axis in reversed(range(len(dims))):
            unnamed = behind if is_packed else terms.number(tensors[0].strides[axis])
            found.append(named[axis] or unnamed)
            behind = found[-1] * dims[axis]
        return tuple(reversed(found))

    def _grids(self) -> Iterator[tuple[Poly, Poly, Poly]]:
        sides = [
            self._sides(name, tuple(launch.grid[axis] for launch in self._seen)) for axis, name in enumerate("xyz")
        ]
        combined = sorted(itertools.product(*map(enumerate, sides)), key=lambda one: sum(place for place, _ in one))
        for one in combined[:_MOST_CANDIDATES]:
            yield tuple(side for _, side in one)  # type: ignore[misc]

    def _sides(self, name: str, values: tuple[int, ...]) -> list[Poly]:
        """The candidates for one side of the grid."""
        if name != "x" and set(values) == {1}:
            return [terms.number(1)]
        found = [poly for poly in self._equal(values) if poly.constant is None]
        plain = [quantity for quantity in (*self._quantities, *self._free) if not quantity.is_stride]
        for first, second in () if found else itertools.combinations(plain, 2):
            for a, b in itertools.product([*self._blocks, 1], repeat=2):
                pairs = zip(first.values, second.values, strict=True)
                if tuple(-(-x // a) * -(-y // b) for x, y in pairs) == values:
                    found.append(cdiv(terms.of(first.symbol), a) * cdiv(terms.of(second.symbol), b))
        if not found and set(values) == {1}:
            found = [cdiv(terms.of(quantity.symbol), block) for quantity in plain for block in self._blocks]
        if not found and len(set(values)) == 1:
            found = [terms.number(values[0])]
        return list(dict.fromkeys(found))[:_MOST_CANDIDATES] or [terms.of(grid_size(name))]
