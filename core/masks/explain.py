"""Why a cell is visible or hidden: the terms that decide it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.contracts.text import Text, tr, tr_in
from core.masks.layout import Layout
from core.masks.nodes import And, Joined, Mask, Not, Term


@dataclass(frozen=True)
class Explanation:
    """`visible`, and the terms that decide it, each with its value at the cell.

    These values alone decide the cell, whatever the values of the other terms are. `terms` has each term once.
    """

    visible: bool
    terms: tuple[tuple[Term, bool], ...]

    @property
    def text(self) -> Text:
        """'hidden, because not causal' or 'visible, because causal and window(4)'."""
        reasons = [_reason(term, holds) for term, holds in self.terms]
        joined = reasons[-1]
        for reason in reversed(reasons[:-1]):
            joined = tr_in("reasons", "{first} and {rest}", first=reason, rest=joined)
        if self.visible:
            return tr("visible, because {reasons}", reasons=joined)
        return tr("hidden, because {reasons}", reasons=joined)


def _reason(term: Term, holds: bool) -> Text:
    return tr_in("reasons", "{term}", term=str(term)) if holds else tr_in("reasons", "not {term}", term=str(term))


def explain_cell(mask: Mask, layout: Layout, row: int, col: int) -> Explanation:
    """Decide whether query `row` sees key `col`, and by which terms.

    An `And` that hides is decided by one term that hides, an `Or` that shows by one that shows. Of several such terms
    the one that depends on the fewest is reported; of equals, the first.
    """
    i, j = np.array([row], dtype=np.int64), np.array([col], dtype=np.int64)

    def decide(part: Mask) -> tuple[bool, dict[Term, bool]]:
        match part:
            case Not(term):
                visible, terms = decide(term)
                return not visible, terms
            case Joined(terms):
                # One term that hides decides an And, one that shows decides an Or.
                decisive = not isinstance(part, And)
                answers = [decide(term) for term in terms]
                deciding = [terms for visible, terms in answers if visible == decisive]
                if deciding:
                    return decisive, min(deciding, key=len)
                return not decisive, {term: sees for _, terms in answers for term, sees in terms.items()}
            case Term():
                visible = bool(part.sees(layout, i, j)[0])
                return visible, {part: visible}
        raise TypeError(f"{part!r} is not a mask.")

    visible, terms = decide(mask)
    return Explanation(visible, tuple(terms.items()))
