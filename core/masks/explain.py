"""Why a cell is visible or hidden: the terms that settle it, whatever the others say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.masks.layout import Layout
from core.masks.nodes import And, Joined, Mask, Not, Term


@dataclass(frozen=True)
class Explanation:
    """`visible`, and the terms without which it might be otherwise, each with what it says of the cell.

    `terms` has a term once. While these terms say what they say, the cell is as it is, whatever all others say.
    """

    visible: bool
    terms: tuple[tuple[Term, bool], ...]

    @property
    def sentence(self) -> str:
        """'hidden, because not causal' or 'visible, because causal and window(4)'."""
        reasons = " and ".join(str(term) if true else f"not {term}" for term, true in self.terms)
        return f"{'visible' if self.visible else 'hidden'}, because {reasons}"


def explain_cell(mask: Mask, layout: Layout, row: int, col: int) -> Explanation:
    """What settles whether query `row` sees key `col`.

    An `And` that hides is settled by one term that hides, an `Or` that shows by one that shows: the one that rests on
    the fewest terms is named, the first of several.
    """
    i, j = np.array([row], dtype=np.int64), np.array([col], dtype=np.int64)

    def settled(part: Mask) -> tuple[bool, dict[Term, bool]]:
        match part:
            case Not(term):
                visible, terms = settled(term)
                return not visible, terms
            case Joined(terms):
                # What settles an And is one that hides, what settles an Or is one that shows.
                alone = not isinstance(part, And)
                answers = [settled(term) for term in terms]
                settling = [terms for visible, terms in answers if visible == alone]
                if settling:
                    return alone, min(settling, key=len)
                return not alone, {term: sees for _, terms in answers for term, sees in terms.items()}
            case Term():
                visible = bool(part.sees(layout, i, j)[0])
                return visible, {part: visible}
        raise TypeError(f"{part!r} is no mask.")

    visible, terms = settled(mask)
    return Explanation(visible, tuple(terms.items()))
