"""Liger-Kernel's losses on the same inputs: the same numbers, and no fewer bytes."""

from dataclasses import replace

import pytest
import torch

from kernels.input_checks import DTYPES
from kernels.loss.api import Impl, LossOptions, Reduction, cross_entropy_with_gradient
from tests.kernels.conftest import INTERPRETED
from tests.kernels.loss_cases import (
    LossInputs,
    LossShape,
    assert_as_exact_as_torch,
    loss_inputs,
    loss_of,
    with_gradients,
)
from tests.pairwise import pairwise

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="tracing covers the same")

if not INTERPRETED:
    from core.interpreter import intercept
    from core.trace.distinct_traffic import launch_totals

OPTIONS = (LossOptions(), LossOptions(-7, 0.1), LossOptions(z_loss=1e-2), LossOptions(-100, 0.1, 1e-2, 5.0))


@pytest.fixture(scope="module", autouse=True)
def _liger() -> None:
    """Imported by the first test: it takes seconds, and every process of pytest reads all test files."""
    pytest.importorskip(
        "liger_kernel.ops.cross_entropy", reason="liger-kernel is not installed, or does not import here"
    )


def by_liger(inputs: LossInputs) -> dict[str, torch.Tensor]:
    """The loss of logits, and the gradient that Liger's forward pass writes over a copy of them."""
    leaf = inputs.first.clone().requires_grad_()
    logits = leaf * 1
    loss = loss_of(replace(inputs, first=logits), Impl.LIGER, in_place=True)
    loss.backward()
    assert leaf.grad is not None
    return {"loss": loss.detach(), "first": leaf.grad}


@pairwise(dtype=DTYPES, options=OPTIONS, reduction=[Reduction.MEAN, Reduction.SUM])
def test_that_the_loss_of_logits_is_that_of_liger(
    dtype: torch.dtype, options: LossOptions, reduction: Reduction
) -> None:
    inputs = loss_inputs(LossShape(37, 1000), dtype, options, reduction=reduction)

    with intercept():
        ours, theirs = with_gradients(inputs, Impl.TRITON), by_liger(inputs)

    # Liger rounds the loss of each token to the dtype of the logits, and the gradient once more.
    unit = torch.finfo(dtype).eps
    torch.testing.assert_close(ours["loss"].double(), theirs["loss"].double(), rtol=4 * unit, atol=0)
    difference = (ours["first"].double() - theirs["first"].double()).norm()
    assert difference <= 2 * unit * ours["first"].double().norm()


@pairwise(dtype=[torch.float32, torch.bfloat16], options=OPTIONS, bias=[False, True])
def test_that_the_linear_loss_is_that_of_liger_and_no_less_exact(
    dtype: torch.dtype, options: LossOptions, bias: bool
) -> None:
    inputs = loss_inputs(LossShape(70, 400, 48), dtype, options, bias=bias)

    with intercept():
        ours = with_gradients(inputs, Impl.TRITON)
        theirs = with_gradients(inputs, Impl.LIGER)

    for name, tensor in ours.items():
        difference = (tensor.double() - theirs[name].double()).norm()
        assert difference <= 16 * torch.finfo(dtype).eps * tensor.double().norm(), name
    with intercept():
        assert_as_exact_as_torch(inputs, ours, peer=Impl.LIGER, factor=1.5)


def test_that_one_launch_moves_no_more_than_ligers() -> None:
    inputs = loss_inputs(LossShape(16, 9000), torch.bfloat16)

    with intercept() as tracer:
        cross_entropy_with_gradient(inputs.first, inputs.labels, out=torch.empty_like(inputs.first))
        by_liger(inputs)

    ours, theirs = (total.distinct_bytes for total in launch_totals(tracer.launches[:2]))
    assert [launch.function for launch in tracer.launches[:2]] == [
        "loss_and_gradient_kernel",
        "liger_cross_entropy_kernel",
    ]
    # Numbers per token differ: Liger's loss is bfloat16, and it reads no factor.
    assert abs(ours - theirs) <= 16 * 16
