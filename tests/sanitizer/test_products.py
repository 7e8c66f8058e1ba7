"""Products in TF32 whose sums cancel: a remark with the error; well-conditioned and exact products are silent."""

from __future__ import annotations

import pytest
import torch

from core.interpreter import intercept
from core.interpreter.shadows.tf32 import rounded_to_tf32
from core.sanitizer import kinds
from core.trace.record import Fault
from tests.sanitizer import product_kernels as kernels


def found(*given: object) -> list[Fault]:
    with intercept(faults="record") as tracer:
        kernels.multiply(*given)
    return [fault for launch in tracer.launches for fault in launch.faults]


def test_that_a_product_that_loses_its_digits_is_a_remark_with_the_error() -> None:
    (remark,) = found("tf32", 1000.0, True, 0.0)
    assert (remark.kind, remark.severity, remark.count) == (kinds.TF32_ERROR, "remark", 3 * 16 * 16)
    assert "the result has a relative error of 0." in str(remark.sentence)
    assert 'input_precision="ieee"' in str(remark.repair)


@pytest.mark.parametrize(
    ("precision", "mean", "keep"),
    [("tf32", 0.0, True), ("ieee", 1000.0, True), ("tf32x3", 1000.0, True), ("tf32", 1000.0, False)],
)
def test_that_good_exact_and_dropped_products_are_silent(precision: str, mean: float, keep: bool) -> None:
    assert found(precision, mean, keep, 0.0) == []


def test_that_an_error_that_a_later_product_outweighs_is_silent() -> None:
    assert found("tf32", 1000.0, True, 1.0) == []


def test_that_rounding_to_tf32_keeps_ten_bits() -> None:
    number = torch.tensor([1 + 2**-10, 1 + 2**-11, 1 + 2**-12, -3.0, 0.0, torch.inf])
    assert rounded_to_tf32(number).tolist() == [1 + 2**-10, 1 + 2**-10, 1.0, -3.0, 0.0, torch.inf]
