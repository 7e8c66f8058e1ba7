"""Offsets by coordinate: how many of each stride an offset has, and how many lie inside the tensor.

Dimensions that are packed count as one where no offset has any of the outer stride: [Z, H, N] is [Z * H, N] then.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.proofs import terms
from core.proofs.family import Layout
from core.proofs.terms import Monomial, Poly


@dataclass(frozen=True)
class Coordinate:
    """How many of a stride an offset has, and the most that lies inside the tensor."""

    index: Poly
    last: Poly


def coordinates(layout: Layout, *offsets: Poly) -> list[list[Coordinate]] | None:
    """The coordinates of each offset, one for each stride (without its factor). None where a stride is a sum.

    A monomial of an offset counts to the longest stride that divides it.
    """
    last = {terms.ONE: terms.ZERO}
    for dim, stride in zip(layout.dims, layout.strides, strict=True):
        if len(stride.terms) > 1:
            return None
        for unit, factor in stride.terms.items():
            last[unit] = last.get(unit, terms.ZERO) + (dim - terms.number(1)).times(factor)
    indices = [_indices(offset, list(last)) for offset in offsets]
    _merge(layout, last, indices)
    return [[Coordinate(index[unit], most) for unit, most in last.items()] for index in indices]


def _indices(offset: Poly, units: list[Monomial]) -> dict[Monomial, Poly]:
    indices = dict.fromkeys(units, terms.ZERO)
    for monomial, coefficient in offset.terms.items():
        unit = max((unit for unit in units if _divides(unit, monomial)), key=lambda unit: sum(p for _, p in unit))
        indices[unit] += Poly({terms.quotient(monomial, unit): coefficient})
    return indices


def _merge(layout: Layout, last: dict[Monomial, Poly], indices: list[dict[Monomial, Poly]]) -> None:
    """Removes the strides of packed dimensions that no offset has any of."""
    for axis, (outer, inner) in enumerate(zip(layout.strides, layout.strides[1:], strict=False)):
        dim = layout.dims[axis + 1]
        if outer != inner * dim or outer.constant is not None:
            continue
        (unit,), ((inner_unit, factor),) = outer.terms, inner.terms.items()
        if unit != inner_unit and unit in last and all(index[unit] == terms.ZERO for index in indices):
            last[inner_unit] += (last.pop(unit) * dim).times(factor)


def _divides(unit: Monomial, monomial: Monomial) -> bool:
    powers = dict(monomial)
    return all(powers.get(atom, 0) >= power for atom, power in unit)
