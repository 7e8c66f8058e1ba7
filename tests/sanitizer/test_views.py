"""Accesses outside the tensor that was passed, and their correct twins."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.interpreter import intercept
from core.sanitizer import findings
from core.sanitizer.kinds import OUTSIDE_THE_VIEW, WRONG_STRIDES
from core.sanitizer.layout import Layout
from core.sanitizer.views import outside_views
from core.trace.record import Buffer, Fault
from tests.interpreter.traced_cases import CASES
from tests.sanitizer import view_kernels as kernels


def found(name: str) -> tuple[Fault, ...]:
    with intercept(faults="record") as tracer:
        getattr(kernels, name)()
    return findings(tracer.launches[-1])


@pytest.mark.parametrize(
    ("name", "kind", "program", "index", "count", "hit"),
    [
        ("flat_slice", OUTSIDE_THE_VIEW, 0, 48, 16, "That place lies in the memory that flat[:48] is a part of."),
        ("columns_as_packed", WRONG_STRIDES, 1, 16, 32, "the memory that qkv[:, first:first + 16] is a part of."),
        ("columns_before", OUTSIDE_THE_VIEW, 0, -1, 4, "is a part of."),
        ("columns_too_many", OUTSIDE_THE_VIEW, 0, 16, 16, "is a part of."),
        ("into_the_neighbour", OUTSIDE_THE_VIEW, 0, 48, 16, "the memory that both[:48] is a part of."),
        ("into_the_other_argument", OUTSIDE_THE_VIEW, 0, 48, 16, "That place belongs to x (both[48:])."),
    ],
)
def test_that_leaving_a_view_is_found(name: str, kind: str, program: int, index: int, count: int, hit: str) -> None:
    fault = next(fault for fault in found(name) if fault.kind in (OUTSIDE_THE_VIEW, WRONG_STRIDES))
    assert (fault.kind, fault.program, fault.index, fault.count) == (kind, program, index, count)
    assert str(fault.sentence).endswith(hit)
    assert fault.severity == "fault"
    assert str(fault.repair)


def test_that_an_expanded_tensor_taken_as_packed_asks_for_a_contiguous_one() -> None:
    (fault,) = found("expanded_as_packed")
    assert (fault.kind, fault.index, fault.count) == (WRONG_STRIDES, 1, 999)
    assert "shape [1000] and strides [0]" in str(fault.sentence)
    assert "x.contiguous()" in str(fault.repair)


def test_that_memory_behind_an_expanded_view_is_a_remark() -> None:
    (remark,) = found("expanded_as_origin")
    assert (remark.kind, remark.severity) == (OUTSIDE_THE_VIEW, "remark")


@pytest.mark.parametrize("name", ["flat_slice_masked", "columns", "transposed", "elementwise_transposed",
                                  "square_transpose", "expanded", "plain_pointer"])  # fmt: skip
def test_that_the_correct_twins_are_clean(name: str) -> None:
    assert found(name) == ()


def test_that_correct_kernels_are_clean() -> None:
    for case in ("add", "matmul", "transpose", "softmax", "ragged_sum"):
        with intercept() as tracer:
            CASES[case]()
        assert [outside_views(launch) for launch in tracer.launches] == [()] * len(tracer.launches)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 30)), max_size=3))
@settings(max_examples=200, deadline=None)
def test_that_a_layout_holds_the_elements_of_a_tensor(axes: list[tuple[int, int]]) -> None:
    shape, strides = tuple(n for n, _ in axes), tuple(s for _, s in axes)
    layout = Layout(Buffer("x", "float32", 4, 0, 0, shape, strides))
    indices = itertools.product(*map(range, shape))
    places = [sum(i * s for i, s in zip(index, strides, strict=True)) for index in indices]
    offsets = np.arange(-3, max(places) + 4)
    held = set(offsets[layout.holds(offsets, 1)].tolist())
    assert layout.extent == max(places) + 1
    assert held >= set(places)
    if len(set(places)) == len(places):
        assert held == set(places) or _interleaved(shape, strides)
    assert layout.packed == torch.zeros(300).as_strided(shape, strides).is_contiguous()


def _interleaved(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether an axis steps into the extent of those inside it."""
    extent = 1
    for stride, size in sorted(zip(strides, shape, strict=True)):
        if size > 1 and stride < extent:
            return True
        extent += (size - 1) * stride
    return False
