"""The size from which on an offset wraps is exact: kernels are executed there and one below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from core.interpreter import intercept
from core.proofs.ahead import Ahead, ahead
from core.proofs.expressions import expression
from core.sanitizer import kinds
from core.topics.kernel_lab.experiment.proving import Launches
from tests.sanitizer import ahead_kernels as kernels

GIGABYTE = 10**9


def found(name: str, memory_bytes: float = 80 * GIGABYTE) -> tuple[Ahead, ...]:
    launches = Launches()
    with intercept(faults="record", on_launch=launches.add):
        getattr(kernels, name)()
    ((kernel, seen),) = launches.largest()
    return ahead(kernel.plan.function, seen, memory_bytes)


def text_of(one: Ahead) -> str:
    assert one.check.operation is not None
    return expression(one.check.operation)


@pytest.mark.parametrize(
    ("name", "words", "size", "value", "shape"),
    [
        ("rows", "row * stride", "x.shape[0]", 524_289, (524_289, 4096)),
        ("sums", "tl.program_id(0) * stride + tl.arange(0, B)", "x.shape[0]", 715_828, (715_828, 3000)),
        ("loop", "row * stride", "rows", 524_289, (524_289, 4096)),
        ("products", "(row % m)[:, None] * sa", "m", 53_687_093, (53_687_093, 40)),
    ],
)
def test_that_the_operation_and_the_size_are_named(
    name: str, words: str, size: str, value: int, shape: tuple[int, ...]
) -> None:
    (one,) = found(name)
    launch = one.launch
    assert (text_of(one), one.size, launch.size, launch.tensors[one.tensor].shape) == (words, size, value, shape)


Launch = Callable[[int, torch.Tensor], Any]


@pytest.mark.parametrize(
    ("name", "launch"),
    [
        ("padded_rows", lambda n, x: kernels.by_rows[(n,)](x, x, 1 << 20, 10, B=16, WIDE=False)),
        ("padded_sums", lambda n, x: kernels.by_sums[(n,)](x, x, (1 << 20) - 1, 10, B=16)),
    ],
)
def test_that_the_offset_fits_below_the_size_and_wraps_at_it(name: str, launch: Launch) -> None:
    (one,) = found(name)
    assert not wraps(launch, one.launch.size - 1)
    assert wraps(launch, one.launch.size)


def wraps(launch: Launch, size: int) -> bool:
    """Whether an address wraps when the kernel runs at a size. What lies outside of the small tensor is skipped."""
    with intercept(faults="record", addresses_only=True) as tracer:
        launch(size, torch.zeros(1, dtype=torch.int8))
    return any(fault.kind == kinds.ADDRESS_OVERFLOW for fault in tracer.launches[0].faults)


def test_that_sizes_which_were_equal_grow_together_and_each_line_is_named_once() -> None:
    remarks = found("square_products")
    assert {one.size for one in remarks} == {"m = n = k = sa = sb = sc"}
    assert {one.launch.size for one in remarks} == {46_342}
    assert sorted(map(text_of, remarks)) == ["(row % m)[:, None] * sa", "(start + inner[:, None]) * sb"]


@pytest.mark.parametrize("name", ["wide_rows", "vector", "index", "second_side"])
def test_that_wide_offsets_long_vectors_loaded_indices_and_grids_that_cannot_grow_are_silent(name: str) -> None:
    assert found(name) == ()


@pytest.mark.parametrize(("gigabytes", "count"), [(2.1, 0), (2.2, 1)])
def test_that_tensors_have_to_fit_into_the_memory_of_the_gpu(gigabytes: float, count: int) -> None:
    assert len(found("rows", gigabytes * GIGABYTE)) == count


def test_that_several_launches_tell_sizes_apart() -> None:
    (one,) = found("unequal_products")
    assert (one.size, text_of(one)) == ("m", "(row % m)[:, None] * sa")


def test_that_a_sort_of_values_does_not_hide_an_index_beside_it() -> None:
    assert {text_of(one) for one in found("sorted_rows")} == {"tl.program_id(0) * stride"}


def test_that_an_index_of_sorted_values_is_left_out() -> None:
    assert not any("sort" in text_of(one) for one in found("sorted_index"))


@pytest.mark.parametrize("limit", ["_EVALUATION_S", "_SECONDS"])
def test_that_a_search_that_takes_too_long_ends_without_a_remark(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(f"core.proofs.ahead.{limit}", 0.0)
    assert found("rows") == ()


def test_that_formulas_which_are_nested_too_deeply_end_without_a_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr("core.proofs.ahead.reached", fails)
    assert found("rows") == ()
