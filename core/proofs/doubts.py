"""What could not be shown about a kernel, and accesses with other values for their symbols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from core.proofs import terms
from core.proofs.evaluate import Reached
from core.proofs.family import Candidates, Layout
from core.proofs.queries import Family
from core.proofs.solving import Sizes
from core.proofs.terms import Formula, Poly, Symbol
from core.proofs.values import Check, Nowhere, Place


@dataclass(frozen=True)
class Doubt:
    """What could not be shown: that an access stays inside ('out of bounds'), that a number fits, that two programs do
    not collide. `check` is the number, `other` the second access. Accesses are those of any grid."""

    kind: str
    access: Reached
    family: Family
    check: Check | None = None
    other: Reached | None = None


def unknowns(doubt: Doubt) -> tuple[Symbol, ...]:
    """The unknown values that a doubt depends on."""
    atoms: list[terms.Atom] = []
    for access in (doubt.access, doubt.other):
        if access is not None:
            assert isinstance(access.place, Place)
            atoms += [*access.place.value.atoms(), *access.when.atoms()]
    if doubt.check is not None:
        atoms += doubt.check.value.atoms()
    return tuple(dict.fromkeys(atom for atom in atoms if isinstance(atom, Symbol) and atom.kind == "unknown"))


def is_told(family: Family, buffer: int, found: Candidates) -> bool:
    """Whether arguments, constants or the grid tell every dimension of a tensor: else its sizes are its launcher's
    matter, and an example with too small a one would say nothing about the kernel."""
    constants = {1, *(value for _, value in found.seen[0].constants)}
    in_grid = {atom for side in family.grid for atom in side.atoms()}
    told = {*in_grid, *(atom for number in found.arguments if number is not None for atom in number.atoms())}
    dims = family.layouts[buffer].dims
    return all(dim.constant in constants if dim.constant is not None else told.issuperset(_sizes(dim)) for dim in dims)


def _sizes(value: Poly) -> set[Symbol]:
    return {atom for atom in value.atoms() if isinstance(atom, Symbol)}


def value_of(poly: Poly, sizes: Sizes) -> int:
    """A number that depends on sizes only."""
    value = poly.replaced(lambda symbol: terms.number(sizes.get(symbol, 1))).constant
    assert value is not None
    return value


def replaced(access: Reached, grid: tuple[Poly, Poly, Poly]) -> Reached:
    """The access in a grid: the number of programs is what the grid says."""
    sides: Mapping[str, Poly] = {f"grid.{name}": side for name, side in zip("xyz", grid, strict=True)}

    def change(symbol: Symbol) -> Poly:
        return sides.get(symbol.name, terms.of(symbol)) if symbol.kind == "size" else terms.of(symbol)

    return changed(access, change)


def changed(access: Reached, change: Callable[[Symbol], Poly]) -> Reached:
    """The access with each symbol as `change` gives it."""
    place = access.place
    if isinstance(place, Nowhere):
        return access
    checks = frozenset(replace(check, value=check.value.replaced(change)) for check in place.checks)
    relies_on: list[tuple[Formula, frozenset[Check]]] = [
        (when.replaced(change), frozenset(replace(check, value=check.value.replaced(change)) for check in group))
        for when, group in access.relies_on
    ]
    moved = replace(place, value=place.value.replaced(change), checks=checks)
    held = tuple(
        replace(lock, place=replace(lock.place, value=lock.place.value.replaced(change))) for lock in access.held
    )
    when = access.when.replaced(change)
    return replace(access, place=moved, when=when, relies_on=tuple(relies_on), held=held)


def with_sizes(doubt: Doubt, sizes: Sizes) -> Doubt:
    """The doubt for these sizes only."""

    def change(symbol: Symbol) -> Poly:
        return terms.number(sizes[symbol]) if symbol in sizes else terms.of(symbol)

    family = doubt.family
    layouts = {
        index: Layout(
            tuple(dim.replaced(change) for dim in layout.dims),
            tuple(stride.replaced(change) for stride in layout.strides),
        )
        for index, layout in family.layouts.items()
    }
    x, y, z = (side.replaced(change) for side in family.grid)
    check = None if doubt.check is None else replace(doubt.check, value=doubt.check.value.replaced(change))
    return replace(
        doubt,
        access=changed(doubt.access, change),
        other=None if doubt.other is None else changed(doubt.other, change),
        family=Family((x, y, z), layouts, family.limit),
        check=check,
    )
