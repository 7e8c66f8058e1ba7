"""Looks for the smallest sizes for which a doubt comes true."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from core.proofs import terms
from core.proofs.doubts import Doubt, replaced, value_of, with_sizes
from core.proofs.family import LIMIT, Candidates, packed_strides_of
from core.proofs.queries import Queries
from core.proofs.solving import Sizes, Solver
from core.proofs.terms import Poly, Symbol
from core.proofs.values import Place
from core.sanitizer import kinds

_SMALL = (4, 32, 256, 4096, 1 << 16, LIMIT)
"""Bounds of sizes among which a counterexample is looked for, one after another."""

_FIRST = 12
"""How many of the smallest sizes are tried one by one."""

_VALUES = 4
_BLOCKS = 48
"""How many values of a size, and how many combinations, are tried around the blocks' sizes, up to the largest block."""

_LARGEST_BLOCK = 1 << 16

_SMALLER = 12
"""How often a smaller counterexample is looked for."""


@dataclass(frozen=True)
class Example:
    """Sizes for which a doubt comes true. `is_smallest` says that no smaller sum of sizes was possible."""

    sizes: Sizes
    is_smallest: bool


class Examples:
    """Counterexamples of the families that launches may belong to."""

    def __init__(self, found: Candidates, solver: Solver) -> None:
        self._found = found
        self._solver = solver

    def example(self, doubt: Doubt) -> Example | None:
        """The smallest sizes for which a doubt comes true. None if there are none among those that were tried. Where
        time is short, what was found first."""
        found, is_smallest = self._found_first(doubt)
        if found is None or is_smallest:
            return None if found is None else Example(found, is_smallest)
        for _ in range(_SMALLER):
            if self._solver.clock.is_late:
                break
            answer, sizes = self._ask(doubt, max(found.values(), default=1), sum(found.values()))
            if answer != "possible":
                return Example(found, answer == "never")
            found = sizes
        return Example(found, False)

    def exists(self, doubt: Doubt, first: Sizes) -> bool:
        """Whether there are sizes for which a doubt comes true, among those that are tried, `first` before others."""
        sizes = tuple(first.get(symbol, 1) for symbol in self._free(doubt))
        return self._one_by_one(doubt, [sizes]) is not None or self._found_first(doubt)[0] is not None

    def _found_first(self, doubt: Doubt) -> tuple[Sizes | None, bool]:
        """Sizes for which a doubt comes true, and whether they are known to be the smallest."""
        count = len(self._free(doubt))
        found = self._one_by_one(doubt, itertools.islice(_sums(count), _FIRST))
        if found is not None:
            return found, not self._strides(doubt)
        return self._one_by_one(doubt, self._around_blocks(count)) or self._below(doubt), False

    def _below(self, doubt: Doubt) -> Sizes | None:
        """Sizes below the lowest bound that has some."""
        for bound in _SMALL:
            answer, sizes = self._ask(doubt, bound)
            if answer == "possible":
                return sizes
            if self._solver.clock.is_over:
                break
        return None

    def _one_by_one(self, doubt: Doubt, tried: Iterable[tuple[int, ...]]) -> Sizes | None:
        """The first sizes for which a doubt comes true, with packed strides: without unknown sizes, a question takes
        little time."""
        for values in tried:
            sizes = dict(zip(self._free(doubt), values, strict=True))
            sizes |= {symbol: value_of(stride, sizes) for symbol, stride in self._strides(doubt).items()}
            if self._ask(with_sizes(doubt, sizes), LIMIT)[0] == "possible":
                return sizes
            if self._solver.clock.is_over:
                break
        return None

    def _strides(self, doubt: Doubt) -> dict[Symbol, Poly]:
        return packed_strides_of(doubt.family.layouts.values())

    def _free(self, doubt: Doubt) -> list[Symbol]:
        """The sizes that are no strides."""
        strides = self._strides(doubt)
        return [symbol for symbol in Queries(doubt.family, self._solver).symbols() if symbol not in strides]

    def _around_blocks(self, count: int) -> list[tuple[int, ...]]:
        """Sizes that need one more block than a full one, or two."""
        if count > _VALUES:
            return []
        blocks = {value for _, value in self._found.seen[0].constants if 1 < value < _LARGEST_BLOCK}
        around = [each * block + 1 for block in sorted(blocks, reverse=True) for each in (1, 2)]
        return sorted(itertools.product([1, *around[: _VALUES - 1]], repeat=count), key=sum)[:_BLOCKS]

    def _ask(self, doubt: Doubt, bound: int, below: int = 0) -> tuple[str, Sizes]:
        queries = Queries(doubt.family, self._solver, bound)
        access = replaced(doubt.access, doubt.family.grid)
        if below:
            total = terms.ZERO
            for symbol in queries.symbols():
                total += terms.of(symbol)
            access = replace(access, when=terms.all_of((access.when, terms.less(total, terms.number(below)))))
        if doubt.kind == kinds.OUT_OF_BOUNDS:
            return queries.leaves(access, exactly=True)
        if doubt.other is not None:
            return queries.collide(access, replaced(doubt.other, doubt.family.grid), exactly=True)
        assert doubt.check is not None
        return queries.wraps(replace(access, relies_on=((access.when, frozenset({doubt.check})),)))[0]

    def others(self, doubt: Doubt) -> Iterator[Doubt]:
        """The same doubt with every other grid and layout that fits the launches."""
        assert isinstance(doubt.access.place, Place)
        buffer = doubt.access.place.buffer
        for grid in self._found.grids:
            for layout in self._found.layouts[buffer]:
                family = replace(doubt.family, grid=grid, layouts={**doubt.family.layouts, buffer: layout})
                if family != doubt.family:
                    yield replace(doubt, family=family)


def _sums(count: int) -> Iterator[tuple[int, ...]]:
    """All tuples of that many numbers from 1, by their sum."""
    if not count:
        yield ()
        return
    for total in itertools.count(count):
        for bars in itertools.combinations(range(1, total), count - 1):
            yield tuple(high - low for low, high in itertools.pairwise((0, *bars, total)))
