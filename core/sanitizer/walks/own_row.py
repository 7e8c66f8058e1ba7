"""Loaded indices that leave the row that they are an index into, but not the tensor: a label of -100, say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from core.contracts.text import tr
from core.interpreter.ir import Function
from core.proofs.terms import Applied, Atom, Formula, Poly, Symbol
from core.proofs.values import AXES
from core.sanitizer import kinds
from core.sanitizer.layout import Layout
from core.sanitizer.walks.discarding import may_discard
from core.sanitizer.walks.places import Place, Places, element_at, place_of
from core.sanitizer.walks.walk import COUNT, Part, Walk
from core.trace.affine import IntArray
from core.trace.record import Access, Buffer, Fault, coordinates


def outside_rows(places: Places, walks: Sequence[Walk], function: Function) -> list[Fault]:
    """The accesses by `start of a row + loaded index`, with an index that the row does not have."""
    found: dict[Place, Fault] = {}
    for walk in walks:
        loaded = _loaded(walk, places.buffer(walk))
        if loaded is None or sum(place_of(other) == place_of(walk) for other in walks) > 1:
            continue
        fault = _first(places, walk, *loaded)
        if fault is not None and not may_discard(function, loaded[0].index, walk.file, walk.line):
            found[place_of(walk)] = fault
    return list(found.values())


def _loaded(walk: Walk, buffer: Buffer) -> tuple[Part, int] | None:
    """The part that is a loaded index along an axis of a tensor, and the size of that axis, if another part goes from
    row to row, and all of the others stay at the start of rows; None otherwise. A constant belongs to the index."""
    loaded = [part for part in walk.parts if not part.is_known]
    if len(loaded) != 1 or not loaded[0].is_loaded:
        return None
    (part,) = loaded
    axes = [(n, s) for n, s in zip(buffer.shape, buffer.strides, strict=True) if n > 1]
    size = next((n for n, s in axes if s == part.stride), 0)
    if not size:
        return None
    outer = [s for _, s in axes if s >= size * part.stride]
    rest = [other for other in walk.parts if other is not part]
    from_row_to_row = any(other.stride in outer for other in rest)
    inner = [other for other in rest if not any(other.stride % s == 0 for s in outer)]
    stays = sum(other.stride * other.high for other in inner) < part.stride and all(each.low >= 0 for each in inner)
    at_start = stays and not walk.constant % part.stride and abs(walk.constant) < size * part.stride
    return (part, size) if from_row_to_row and at_start else None


def _first(places: Places, walk: Walk, part: Part, size: int) -> Fault | None:
    """The finding for the elements of accesses whose index is none of the row's, if there are any."""
    launch, buffer = places.launch, places.buffer(walk)
    layout = Layout(buffer)
    count, first, all_, numbers = 0, None, 0, set[int]()
    for access in places.accesses(walk):
        rest = _rest(walk, part, access, launch.grid)
        if rest is None:
            return None
        offsets = access.offsets()
        value = (offsets - rest) // part.stride
        bad = access.active() & ((value < 0) | (value >= size))
        bad = bad & layout.holds(offsets, 1) if bad.any() else bad
        if bad.any() and first is None:
            place = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
            first = access, place, int(offsets[place]), int(value[place])
        count, all_ = count + int(bad.sum()), all_ + int(access.active().sum())
        if len(numbers) < 2:
            numbers.update(np.unique(value[bad]).tolist())
    goes_anywhere = 2 * count >= all_ and len(numbers) > 1  # an offset, meant from there on, and no index of the row
    if first is None or goes_anywhere:
        return None
    access, (lane, *element), index, loaded = first
    program = int(access.programs[lane])
    row = index - loaded * part.stride
    return Fault(
        kind=kinds.OUTSIDE_THE_VIEW,
        access=walk.kind,
        buffer=places.numbers[walk.tensor],
        file=walk.file,
        line=walk.line,
        program=program,
        index=index,
        count=count,
        iteration=access.iteration,
        element=tuple(element),
        value=str(loaded),
        sentence=tr(
            "The {kind} in {kernel} at {location} leaves its row of {tensor}: program {program} takes the loaded value "
            "{value} as an index into {size} elements from element {start} on, and reaches element {other} (shape "
            "{shape}, strides {strides}).",
            kind=walk.kind,
            kernel=launch.function,
            location=walk.location,
            tensor=buffer.name,
            program=coordinates(launch.grid, program),
            value=loaded,
            size=size,
            start=str(element_at(buffer, row)),
            other=str(element_at(buffer, index)),
            shape=str(list(buffer.shape)),
            strides=str(list(buffer.strides)),
        ),
        repair=tr("Mask the access where the loaded index is negative, or not less than the size of the row."),
    )


def _rest(walk: Walk, loaded: Part, access: Access, grid: tuple[int, int, int]) -> IntArray | None:
    """Where the rows of an access start, as offsets [lanes, *shape or 1]; None if that is not known."""
    x, y, _ = grid
    rank = len(access.shape)
    programs = access.programs.reshape(-1, *(1,) * rank)
    values: dict[Symbol, IntArray] = {
        Symbol("program", "x"): programs % x,
        Symbol("program", "y"): programs // x % y,
        Symbol("program", "z"): programs // (x * y),
    }
    for axis, size in enumerate(access.shape):
        values[AXES[axis]] = np.arange(size).reshape(-1, *(1,) * (rank - axis - 1))
    steps = {atom for part in walk.parts for atom in part.index.atoms() if _is_count(atom)}
    if len(steps) == len(access.iteration) == 1:
        values[steps.pop()] = np.array(access.iteration, dtype=np.int64)
    total = np.zeros((1,) * (rank + 1), dtype=np.int64)
    for part in walk.parts:
        if part is not loaded:
            value = _number(part.index, values)
            if value is None:
                return None
            total = total + part.stride * value
    return total


def _is_count(atom: Atom) -> TypeGuard[Symbol]:
    """Whether an atom counts the iterations of a loop."""
    return isinstance(atom, Symbol) and (atom.kind, atom.name) == ("step", COUNT)


def _number(poly: Poly, values: dict[Symbol, IntArray]) -> IntArray | None:
    total = np.zeros((), dtype=np.int64)
    for monomial, coefficient in poly.terms.items():
        product = np.int64(coefficient) * np.ones((), dtype=np.int64)
        for atom, power in monomial:
            value = _value(atom, values)
            if value is None:
                return None
            product = product * value**power
        total = total + product
    return total


def _value(atom: Atom, values: dict[Symbol, IntArray]) -> IntArray | None:
    if isinstance(atom, Symbol):
        return values.get(atom)
    return _function(atom, values)


def _function(atom: Applied, values: dict[Symbol, IntArray]) -> IntArray | None:
    numbers = [None if isinstance(each, Formula) else _number(each, values) for each in atom.arguments]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    a, b = numbers[0], numbers[1]
    if atom.function in ("min", "max"):
        return np.minimum(a, b) if atom.function == "min" else np.maximum(a, b)
    if (a < 0).any() or (b < 1).any():
        return None
    return a % b if atom.function == "rem" else a // b
