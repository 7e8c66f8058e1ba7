"""Looks for assumptions under which a kernel is right."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from core.proofs import terms
from core.proofs.doubts import Doubt, replaced
from core.proofs.evaluate import Reached
from core.proofs.family import ANY_GRID, LIMIT, Candidates
from core.proofs.locks import Lock
from core.proofs.queries import Family, Queries
from core.proofs.solving import Solver
from core.proofs.terms import Poly
from core.proofs.values import Place
from core.sanitizer import kinds


class Search:
    """`accesses` are those of the kernel that are known."""

    def __init__(self, found: Candidates, accesses: Sequence[Reached], solver: Solver) -> None:
        self._found = found
        self._accesses = [access for access in accesses if isinstance(access.place, Place)]
        self._solver = solver
        self.locks: dict[str, None] = {}
        """Where the locks are taken ('FILE:LINE') under which programs store to one element in turns."""

    def proved(self, *, by_coordinate: bool) -> tuple[Family | None, list[Doubt]]:
        """The first family for which everything holds, or one doubt for each grid that was seen. `by_coordinate` leaves
        out the questions that take long."""
        doubts: list[Doubt] = []
        for limit in (LIMIT, LIMIT >> 1):
            if limit < LIMIT and not any(doubt.kind == kinds.ADDRESS_OVERFLOW for doubt in doubts):
                continue
            doubts = []
            for grid in self._found.grids:
                family, doubt = self._with_grid(grid, limit, by_coordinate)
                if doubt is None:
                    return self._in_any_grid(family, by_coordinate), []
                doubts.append(doubt)
                if self._solver.clock.is_over:
                    return None, doubts
        return None, doubts

    def _in_any_grid(self, family: Family, by_coordinate: bool) -> Family:
        """The family with any number of programs along the axes that have several, if that is right too."""
        one = terms.number(1)
        x, y, z = (side if side == one else any_ for side, any_ in zip(family.grid, ANY_GRID, strict=True))
        wider = replace(family, grid=(x, y, z))
        for buffer in dict.fromkeys(_buffer(access) for access in self._accesses):
            accesses = [access for access in self._accesses if _buffer(access) == buffer]
            if self._inside(accesses, wider, by_coordinate) is not None:
                return family
        return family if self._apart(wider, by_coordinate) is not None else wider

    def _with_grid(self, grid: tuple[Poly, Poly, Poly], limit: int, by_coordinate: bool) -> tuple[Family, Doubt | None]:
        layouts = {index: options[0] for index, options in self._found.layouts.items() if options}
        everything = Family(grid, layouts, limit)
        for buffer in dict.fromkeys(_buffer(access) for access in self._accesses):
            accesses = [access for access in self._accesses if _buffer(access) == buffer]
            doubt = None
            for layout in self._found.layouts[buffer]:
                family = replace(everything, layouts={**layouts, buffer: layout})
                one = self._inside(accesses, family, by_coordinate)
                if one is None:
                    layouts[buffer] = layout
                    doubt = None
                    break
                doubt = doubt or one
                if self._solver.clock.is_over:
                    break
            if doubt is not None:
                return everything, doubt
        family = Family(grid, layouts, limit)
        return family, self._apart(family, by_coordinate)

    def _inside(self, accesses: Sequence[Reached], family: Family, by_coordinate: bool) -> Doubt | None:
        """A doubt that accesses of a tensor stay inside and rely on no number that wraps."""
        queries = Queries(family, self._solver, by_coordinate=by_coordinate)
        for access in accesses:
            in_grid = replaced(access, family.grid)
            if queries.leaves(in_grid)[0] != "never":
                return Doubt(kinds.OUT_OF_BOUNDS, access, family)
            (answer, _), check = queries.wraps(in_grid)
            if answer != "never":
                return Doubt(kinds.ADDRESS_OVERFLOW, access, family, check)
        return None

    def _apart(self, family: Family, by_coordinate: bool) -> Doubt | None:
        """A doubt that no two programs store to the same element."""
        stores = [access for access in self._accesses if access.kind == "store"]
        queries = Queries(family, self._solver, by_coordinate=by_coordinate)
        for pair in itertools.combinations_with_replacement(stores, 2):
            if _buffer(pair[0]) == _buffer(pair[1]):
                first, second = (replaced(access, family.grid) for access in pair)
                if queries.collide(first, second)[0] == "never":
                    continue
                lock = _common_lock(first, second)
                if lock is None or queries.collide(first, second, under=lock)[0] != "never":
                    return Doubt(kinds.WRITE_WRITE_RACE, pair[0], family, other=pair[1])
                self.locks[lock[0].line] = None
        return None


def _common_lock(first: Reached, second: Reached) -> tuple[Lock, Lock] | None:
    """Locks of one tensor that two accesses are under."""
    pairs = itertools.product(first.held, second.held)
    return next((pair for pair in pairs if pair[0].place.buffer == pair[1].place.buffer), None)


def _buffer(access: Reached) -> int:
    assert isinstance(access.place, Place)
    return access.place.buffer
