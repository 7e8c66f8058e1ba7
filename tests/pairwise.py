"""Test matrices by pairs: every two values of two axes meet in a case, and not every combination has its own.

Our own few lines and no library: tests/gpu has to run where there is pytest and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product
from typing import Any

import pytest


def cases(axes: Iterable[Iterable[Any]]) -> list[tuple[Any, ...]]:
    """Cases that cover all pairs: always the combination that adds most pairs, the first of several. Two axes give
    their full product."""
    values = [list(axis) for axis in axes]
    candidates = {
        indices: set(combinations(enumerate(indices), 2)) for indices in product(*(range(len(axis)) for axis in values))
    }
    if len(values) < 3:
        chosen = list(candidates)
    else:
        chosen, missing = [], set().union(*candidates.values())
        while missing:
            best = max(candidates, key=lambda indices: len(candidates[indices] & missing))
            missing -= candidates[best]
            chosen.append(best)
    return [tuple(axis[index] for axis, index in zip(values, indices, strict=True)) for indices in chosen]


def pairwise(**axes: Iterable[Any]) -> pytest.MarkDecorator:
    """Parametrizes a test by the arguments named, each with its values. Most faults take one value or a pair to show;
    an axis of n values and one of m, the two longest, cost about n x m cases."""
    return pytest.mark.parametrize(tuple(axes), cases(axes.values()), ids=str)
