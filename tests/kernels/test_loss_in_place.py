"""Where logits are read and gradients are written: in place, elsewhere, far apart."""

from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import pytest
import torch

from kernels.errors import InvalidInputs
from kernels.loss.api import Impl, LossOptions, Reduction, cross_entropy, cross_entropy_with_gradient
from kernels.loss.reference import reference_logit_gradient, reference_losses
from tests.kernels.conftest import INTERPRETED
from tests.kernels.loss_cases import LossShape, in_one_launch, loss_inputs, loss_of, with_gradients

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="tracing covers the same")

Emulated = AbstractContextManager[object]


def test_that_the_gradient_replaces_the_logits_and_only_once(emulated: Emulated) -> None:
    inputs = loss_inputs(LossShape(6, 40), torch.bfloat16)
    hidden = inputs.first.clone().requires_grad_()
    logits = hidden * 1

    with emulated:
        loss = loss_of(replace(inputs, first=logits), Impl.TRITON, in_place=True)
        loss.backward(retain_graph=True)

        assert torch.equal(logits.detach(), with_gradients(inputs, Impl.TRITON)["first"])
        assert torch.equal(logits.detach(), hidden.grad)
        with pytest.raises(InvalidInputs, match="cannot be a second one"):
            loss.backward()


@pytest.mark.parametrize("impl", [Impl.TRITON, Impl.TORCH])
def test_that_the_gradient_goes_where_it_is_told_to_go(impl: Impl, emulated: Emulated) -> None:
    inputs = loss_inputs(LossShape(6, 40))
    logits, strided = inputs.first.clone(), torch.full((40, 12), 7.0).T[::2]

    with emulated:
        expected = in_one_launch(inputs, impl)
        in_place = in_one_launch(replace(inputs, first=logits), impl, out=logits)
        elsewhere = in_one_launch(inputs, impl, out=strided)

    assert in_place["first"].data_ptr() == logits.data_ptr()
    for result in (in_place, elsewhere):
        assert torch.equal(result["loss"], expected["loss"])
        assert torch.equal(result["first"], expected["first"])
    assert torch.equal(strided, expected["first"])


def test_that_logits_are_read_where_they_are_and_rows_without_targets_not_at_all() -> None:
    from core.interpreter import intercept

    wide = torch.randn(8, 300)
    logits = wide[::2, 10:260].requires_grad_()
    labels = torch.tensor([3, -100, 249, -100])
    wide.detach()[2] = wide.detach()[6] = torch.nan

    with intercept() as tracer:
        loss = cross_entropy(logits, labels)
        loss.backward()

    pointers = {
        buffer.data_ptr for launch in tracer.launches for buffer in launch.buffers if buffer.name == "logits_ptr"
    }
    assert pointers == {logits.data_ptr()}
    assert loss.isfinite()
    losses = reference_losses(logits.detach()[[0, 2]], labels[[0, 2]], LossOptions())
    assert float(loss.detach()) == pytest.approx(float(losses.mean()), rel=1e-6)


def test_that_rows_beyond_two_to_the_31_elements_are_found() -> None:
    """Three rows, far apart in memory of which nothing else is touched."""
    from core.interpreter import intercept

    stride = 2**30 + 64
    memory = torch.from_numpy(np.empty(2 * stride + 16, dtype=np.float16))
    logits = memory.as_strided((3, 16), (stride, 1))
    logits.copy_(torch.randn(3, 16, generator=torch.Generator().manual_seed(0)))
    labels = torch.tensor([1, 5, 9])
    expected = reference_logit_gradient(logits, labels, torch.ones(3), LossOptions())

    with intercept():
        loss = cross_entropy(logits, labels, reduction=Reduction.SUM)
        _, gradient = cross_entropy_with_gradient(logits, labels, reduction=Reduction.SUM, out=logits)

    assert gradient.data_ptr() == memory.data_ptr()
    assert loss.isfinite()
    torch.testing.assert_close(logits.double(), expected, rtol=1e-3, atol=1e-4)
