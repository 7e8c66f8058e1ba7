"""Fewer cases that still contain every pair of values."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from tests.pairwise import cases

AXES = [
    [range(9), range(5), range(3), range(3)],
    [range(2), range(6), range(3), range(2)],
    [["one", "other"], [None, (1, 2)], [False, True]],
    [range(4), range(4)],
    [range(3)],
]


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_that_every_pair_of_values_occurs_once_or_more_and_no_case_twice(axes: list[list[object]]) -> None:
    chosen = cases(axes)

    assert len(set(chosen)) == len(chosen)
    assert {case[0] for case in chosen} == set(axes[0])
    for first, second in combinations(range(len(axes)), 2):
        assert {(case[first], case[second]) for case in chosen} == set(product(axes[first], axes[second]))


def test_that_the_largest_matrix_shrinks_and_is_the_same_every_time() -> None:
    axes = AXES[0]

    assert len(cases(axes)) <= 60 < 9 * 5 * 3 * 3
    assert cases(axes) == cases(axes)
