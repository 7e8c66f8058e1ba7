"""Pairwise test matrices: every pair of values of two axes occurs in some case, with far fewer cases than the product.

Written here rather than taken from a library, because tests/gpu has to run with nothing but pytest.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product
from typing import Any

import pytest


def cases(axes: Iterable[Iterable[Any]]) -> list[tuple[Any, ...]]:
    """Cases that cover all pairs, chosen greedily: each adds as many new pairs as possible. Two axes give their full
    product."""
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
    """Parametrizes a test by the named arguments and their values. One value or a pair of values triggers most faults.
    Where the two longest axes have n and m values, there are about n x m cases."""
    return pytest.mark.parametrize(tuple(axes), cases(axes.values()), ids=str)
