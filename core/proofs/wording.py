"""Proofs in words: numbers and families as a user writes them."""

from __future__ import annotations

from collections.abc import Mapping

from core.contracts.text import Text, Value, listed, tr, verbatim
from core.interpreter.ir import Function
from core.proofs.doubts import Doubt
from core.proofs.family import Candidates, Layout, packed
from core.proofs.queries import Family
from core.proofs.terms import Atom, Poly, Symbol, factors
from core.sanitizer import kinds


def show(value: Poly) -> str:
    """A number as code: 'cdiv(n, 1024) * heads'."""
    parts = []
    for monomial, coefficient in value.terms.items():
        words = [name for atom, power in factors(monomial) for name in [_atom(atom)] * power]
        if abs(coefficient) != 1 or not words:
            words.insert(0, str(abs(coefficient)))
        sign = "-" if coefficient < 0 else "+"
        parts.append((sign, " * ".join(words)))
    if not parts:
        return "0"
    (first, text), *rest = sorted(parts, key=lambda part: part[0] == "-")
    return ("-" if first == "-" else "") + text + "".join(f" {sign} {term}" for sign, term in rest)


def _atom(atom: Atom) -> str:
    if isinstance(atom, Symbol):
        return atom.name
    first, second = atom.arguments[-2:]
    assert isinstance(first, Poly)
    assert isinstance(second, Poly)
    block = second.constant
    if atom.function == "div" and block is not None and block > 1:
        rest = first - Poly({frozenset(): block - 1})
        return f"cdiv({show(rest)}, {block})"
    return f"{atom.function}({show(first)}, {show(second)})"


def written(sizes: Mapping[str, int]) -> str:
    """'M = 1, N = 17'."""
    return ", ".join(f"{name} = {value}" for name, value in sizes.items())


def doubted(doubt: Doubt) -> Text:
    """What a kernel does in a counterexample, as the end of a sentence."""
    line = doubt.access.line.rpartition(":")[2]
    if doubt.kind == kinds.OUT_OF_BOUNDS:
        return tr("leaves a tensor in line {line}", line=line)
    if doubt.check is not None:
        number = doubt.check.line.rpartition(":")[2]
        return tr("computes an index in line {line} that does not fit {bits} bits", line=number, bits=doubt.check.bits)
    return tr("stores to one element from two programs in line {line}", line=line)


def assumptions(function: Function, found: Candidates, family: Family) -> Text:
    """What a family assumes: sizes, tensors, grid, and what stays as it was."""
    polys = [*family.grid, *(number for number in found.arguments if number is not None)]
    for layout in family.layouts.values():
        polys += [*layout.dims, *layout.strides]
    atoms = (atom for poly in polys for atom in poly.atoms())
    names = dict.fromkeys(atom.name for atom in atoms if isinstance(atom, Symbol))
    sizes = [name for name in names if not name.startswith("grid.")]
    tensors = [_tensor(function.arguments[index].name, layout) for index, layout in family.layouts.items()]
    constants = [*found.fixed, *found.seen[0].constants]
    sides = [show(side) for side in family.grid]
    is_any = any(side.startswith("grid.") for side in sides)
    programs = " x ".join(_without_ones(sides))
    grid = tr("any grid") if is_any else tr("a grid of {sides}", sides=programs)
    kept = written(dict(constants))
    details: dict[str, Value] = {"tensors": listed(tensors), "grid": grid, "constants": kept or verbatim("-")}
    if not sizes:
        return tr("launches with {tensors}, {grid}, and constants {constants}", **details)
    return tr(
        "every {sizes} from 1 to {limit:,}, with {tensors} of no more elements than that, {grid}, and constants "
        "{constants}",
        sizes=listed(sizes),
        limit=family.limit,
        **details,
    )


def _without_ones(sides: list[str]) -> list[str]:
    while len(sides) > 1 and sides[-1] == "1":
        sides = sides[:-1]
    return sides


def _tensor(name: str, layout: Layout) -> Text:
    shape = f"{name} [{', '.join(map(show, layout.dims))}]"
    if layout.strides == packed(layout.dims):
        return verbatim(shape)
    strides = f"[{', '.join(map(show, layout.strides))}]"
    return tr("{tensor} with strides {strides}", tensor=shape, strides=strides)
