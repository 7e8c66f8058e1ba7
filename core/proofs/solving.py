"""Asks z3 whether conditions can hold together, within a time limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any, Literal

from core.proofs.terms import Formula, Symbol
from core.proofs.translation import Translation

Answer = Literal["never", "possible", "unknown"]
Sizes = Mapping[Symbol, int]
Found = tuple[Answer, Sizes]


class TooHard(Exception):
    """A question has no answer, there are too many, or the time is over."""


@dataclass
class Clock:
    """A limit of time, in seconds."""

    seconds: float
    began: float = field(default_factory=monotonic)

    @property
    def spent(self) -> float:
        return monotonic() - self.began

    @property
    def is_late(self) -> bool:
        """Whether more than half of the time is over."""
        return self.spent > self.seconds / 2

    @property
    def left(self) -> float:
        return max(0.0, self.seconds - self.spent)

    @property
    def is_over(self) -> bool:
        return self.spent >= self.seconds

    def require_time(self) -> None:
        """Raises TooHard when the time is over."""
        if self.is_over:
            raise TooHard


_PER_SECOND = 5_000_000
"""Units of z3's work that take about a second. Its own limit of time needs a thread for each question, which takes
longer than most answers on a busy machine."""


@dataclass
class Solver:
    """Asks z3, each question once. `question_s` is about how long one may take, in seconds. With `all_symbols`, answers
    have a number for each symbol, not only for sizes."""

    clock: Clock
    question_s: float
    all_symbols: bool = False
    _known: dict[frozenset[Formula], Found] = field(default_factory=dict)

    @cached_property
    def _context(self) -> Any:
        """One for each kernel: what was asked of another one changes the order in which z3 searches."""
        import z3

        return z3.Context()

    def possible(self, formulas: Sequence[Formula]) -> Found:
        """Whether formulas can hold together, and if so, sizes for which they do. Products are first taken as numbers
        of their own, about which less is known but which are decided sooner."""
        key = frozenset(formulas)
        if key not in self._known:
            if self.clock.is_over:
                return "unknown", {}
            in_sums = Translation(in_sums=True)
            found = self._asked(in_sums.text(formulas), in_sums)
            if found[0] != "never" and in_sums.has_products:
                exact = Translation()
                found = self._asked(exact.text(formulas), exact)
            if found[0] == "unknown":
                return found
            self._known[key] = found
        return self._known[key]

    def _asked(self, text: str, translation: Translation) -> Found:
        import z3

        if self.clock.is_over:
            return "unknown", {}
        solver = z3.Solver(ctx=self._context)
        solver.set("rlimit", int(min(self.question_s, self.clock.left) * _PER_SECOND) + 1)
        if translation.in_sums:
            solver.set("arith.solver", 2)
        solver.from_string(text)
        answer = solver.check()
        if answer != z3.sat:
            return "never" if answer == z3.unsat else "unknown", {}
        model = solver.model()
        sizes = {
            symbol: model.eval(z3.Int(name, self._context), model_completion=True).as_long()
            for symbol, name in translation.symbols.items()
            if self.all_symbols or symbol.kind == "size"
        }
        return "possible", sizes
