"""How a line of a kernel walks through a tensor: the strides that it steps by, and how far it goes along each.

An address of most kernels is a sum of products of an index and a stride, which the kernel's IR shows: in
`x + (pid * 32 + arange)[:, None] * stride + arange[None, :]` it steps by `stride` along one index and by 1 along
another. Which axis of the tensor each index is meant for, the shape and the strides of the tensor tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from core.interpreter.plan import Plan
from core.proofs import terms
from core.proofs.addressing import addressing
from core.proofs.evaluate import Reached, reached
from core.proofs.modelled import grid_size
from core.proofs.terms import Atom, Formula, Monomial, Poly, Symbol
from core.proofs.values import AXES, Place
from core.sanitizer.walks.ranges import Range, Ranges
from core.trace.record import AccessKind

COUNT = "count"
"""The name of the symbols that count the iterations of loops."""


@dataclass(frozen=True)
class Part:
    """`stride` times an index, in elements. `low` to `high` are what the index may reach at most.

    `limit` is the greatest index that a mask or branch allows, infinite without one; `block` the size of the tile along
    it (1 without an axis). `moves` says that it depends on the program or on a loop.
    """

    stride: int
    index: Poly
    low: float
    high: float
    limit: float
    block: int
    moves: bool

    @property
    def count(self) -> float:
        """How many values the index has, if it has all of them."""
        return self.high - self.low + 1

    @property
    def is_loaded(self) -> bool:
        """Whether it is a number that was loaded, and nothing else."""
        (monomial, factor), *more = self.index.terms.items()
        atoms = [atom for atom, _ in monomial]
        return not more and factor == 1 and len(atoms) == 1 and _is_unknown(atoms[0])

    @property
    def is_known(self) -> bool:
        """Whether nothing that was loaded is in it."""
        return not any(_is_unknown(atom) for atom in self.index.atoms())


@dataclass(frozen=True)
class Walk:
    """The offsets of one access of a kernel: `constant` plus the parts. `tensor` is the parameter's name, and
    `element_bytes` what an element of it has for the kernel."""

    kind: AccessKind
    tensor: str
    element_bytes: int
    file: str
    line: int
    constant: int
    parts: tuple[Part, ...]

    @cached_property
    def varying(self) -> tuple[Part, ...]:
        """The parts whose index has more than one value."""
        return tuple(part for part in self.parts if (part.low, part.high) != (0, 0))

    @property
    def location(self) -> str:
        """'FILE:LINE'."""
        return f"{self.file}:{self.line}"

    @property
    def is_known(self) -> bool:
        return all(part.is_known for part in self.parts)

    @property
    def steps(self) -> frozenset[tuple[int, Poly]]:
        """The strides and indices, which are equal for two accesses that reach the same offsets."""
        return frozenset((part.stride, part.index) for part in self.parts)


@dataclass(frozen=True)
class _Address:
    """An access with its address as (stride, index, tile size along it), the stride and the constant with sizes."""

    access: Reached
    parts: tuple[tuple[Poly, Poly, int], ...]
    constant: Poly


@dataclass(frozen=True)
class Walks:
    """The walks of a launch, in the order of the kernel. `complete` says that they are all of its accesses."""

    known: tuple[Walk, ...]
    complete: bool


def walks_of(plan: Plan, arguments: Sequence[Any], grid: tuple[int, int, int]) -> Walks:
    """The walks of a launch with these arguments of the IR."""
    values = tuple(int(value) if isinstance(value, int) else None for value in arguments)
    return _walks(plan, values, grid)


@lru_cache(maxsize=64)
def _walks(plan: Plan, values: tuple[int | None, ...], grid: tuple[int, int, int]) -> Walks:
    addresses = _addresses(plan)
    parameters = plan.function.arguments
    sizes = {_size(slot.name): value for slot, value in zip(parameters, values, strict=True) if value is not None}
    sizes |= {grid_size(axis): count for axis, count in zip("xyz", grid, strict=True)}
    programs: dict[Symbol, Range] = {
        Symbol("program", axis): (0, count - 1) for axis, count in zip("xyz", grid, strict=True)
    }

    def known(symbol: Symbol) -> Poly:
        return terms.number(sizes[symbol]) if symbol in sizes else terms.of(symbol)

    found = [None if address is None else _walk(plan, address, known, programs) for address in addresses]
    walks = tuple(walk for walk in found if walk is not None)
    return Walks(walks, len(walks) == len(found))


def _walk(plan: Plan, address: _Address, known: Callable[[Symbol], Poly], programs: dict[Symbol, Range]) -> Walk | None:
    access = address.access
    axes: dict[Symbol, Range] = {AXES[axis]: (0, size - 1) for axis, size in enumerate(access.shape)}
    counters = _counters(access.when, known)

    def counted(symbol: Symbol) -> Poly:
        return counters[symbol] if symbol in counters else known(symbol)

    ranges = Ranges(programs | axes, access.when.replaced(counted))
    parts = []
    for stride, index, block in address.parts:
        step, value = stride.replaced(known).constant, index.replaced(counted)
        if step is None:
            return None
        if step and value.terms:
            low, high = ranges.of(value)
            moves = any(isinstance(atom, Symbol) and atom.kind in ("program", "step") for atom in value.atoms())
            parts.append(Part(step, value, low, high, ranges.limit(value), block, moves))
    assert isinstance(access.place, Place)
    constant = address.constant.replaced(known).constant
    if constant is None:
        return None
    tensor = plan.function.arguments[access.place.buffer]
    name, width = tensor.name, tensor.type.element_bytes
    return Walk(access.kind, name, width, access.location.file, access.location.line, constant, tuple(parts))


def _counters(when: Formula, known: Callable[[Symbol], Poly]) -> dict[Symbol, Poly]:
    """The counters of loops whose step is known only now, as their first value and a multiple of that step."""
    found: dict[Symbol, Poly] = {}
    for fact in when.parts if when.kind == "and" else ():
        if isinstance(fact, Formula) and fact.kind == "eq":
            since, steps = fact.parts
            assert isinstance(since, Poly)
            assert isinstance(steps, Poly)
            counters = [
                atom
                for atom in since.atoms()
                if isinstance(atom, Symbol) and atom.kind == "step" and since.terms.get(frozenset({(atom, 1)})) == 1
            ]
            if len(counters) == 1 and counters[0].name != COUNT:
                first = terms.of(counters[0]) - since
                found[counters[0]] = (first + steps).replaced(known)
    return found


@lru_cache(maxsize=64)
def _addresses(plan: Plan) -> tuple[_Address | None, ...]:
    """The addresses of a kernel; None for one that is not known."""
    parameters = plan.function.arguments
    arguments = [terms.of(_size(slot.name)) if slot.type.is_integer else None for slot in parameters]
    return tuple(
        _address(access, access.place.value) if isinstance(access.place, Place) else None
        for access in reached(addressing(plan.function), arguments)
    )


def _address(access: Reached, offset: Poly) -> _Address:
    constant = terms.ZERO
    groups: dict[Monomial, dict[Monomial, int]] = {}
    for monomial, factor in offset.terms.items():
        uniform = frozenset(each for each in monomial if not _varies(each[0]))
        index = monomial - uniform
        if index:
            groups.setdefault(uniform, {})[index] = factor
        else:
            constant += Poly({monomial: factor})
    parts = [part for uniform, group in groups.items() for part in _parts(uniform, group, access.shape)]
    return _Address(access, tuple(parts), constant)


def _parts(uniform: Monomial, group: dict[Monomial, int], shape: tuple[int, ...]) -> list[tuple[Poly, Poly, int]]:
    """The indices that are multiplied by the same sizes, told apart by the axes of the tile.

    What moves a whole block on belongs to the axis of the block.
    """
    own = {index: factor for index, factor in group.items() if _has_axis(index)}
    blocks = {index: _block(index, shape) for index in own}
    sums = {index: {index: 1} for index in own}
    for index, factor in group.items():
        if index in own:
            continue
        whole = [axis for axis in own if factor % (own[axis] * blocks[axis]) == 0]
        if whole and not any(_is_unknown(atom) for atom in Poly({index: 1}).atoms()):
            axis = max(whole, key=lambda axis: abs(own[axis]))
            sums[axis][index] = factor // own[axis]
        else:
            sums[index], blocks[index] = {index: 1}, 1
    return [(Poly({uniform: group[index]}), Poly(index_sum), blocks[index]) for index, index_sum in sums.items()]


def _block(index: Monomial, shape: tuple[int, ...]) -> int:
    """The size of the tile along an index that is one of its axes."""
    ((atom, _), *more) = index
    return shape[AXES.index(atom)] if not more and isinstance(atom, Symbol) else 1


def _has_axis(index: Monomial) -> bool:
    return any(isinstance(atom, Symbol) and atom.kind == "axis" for atom in Poly({index: 1}).atoms())


def _varies(atom: Atom) -> bool:
    """Whether an atom is more than a number that all programs share."""
    if isinstance(atom, Symbol):
        return atom.kind != "size"
    return any(isinstance(inner, Symbol) and inner.kind != "size" for inner in terms.of(atom).atoms())


def _is_unknown(atom: Atom) -> bool:
    return isinstance(atom, Symbol) and atom.kind == "unknown"


def _size(name: str) -> Symbol:
    return Symbol("size", name)
