import importlib.util
from dataclasses import replace

import pytest
import torch

from kernels.input_checks import DTYPES
from kernels.loss.api import (
    Backward,
    Impl,
    LossOptions,
    Reduction,
    cross_entropy,
    cross_entropy_with_gradient,
    linear_cross_entropy,
)
from tests.kernels.loss_cases import (
    ALL_AT_ONCE,
    OPTIONS,
    LossShape,
    assert_as_exact_as_torch,
    loss_inputs,
    loss_of,
    with_gradients,
)
from tests.pairwise import pairwise

pytestmark = pytest.mark.gpu

needs_liger = pytest.mark.skipif(
    importlib.util.find_spec("liger_kernel") is None, reason="liger-kernel is not installed here"
)


@pairwise(
    shape=[LossShape(63, 1000), LossShape(500, 32000), LossShape(1, 50257), LossShape(5000, 3)],
    dtype=DTYPES,
    options=OPTIONS,
    reduction=Reduction,
    weighted=[False, True],
)
def test_that_the_compiled_loss_of_logits_is_as_exact_as_torch(
    shape: LossShape, dtype: torch.dtype, options: LossOptions, reduction: Reduction, weighted: bool
) -> None:
    inputs = loss_inputs(shape, dtype, options, reduction=reduction, weighted=weighted, ignored=0.2, device="cuda")
    inputs.labels[0] = 1

    ours = with_gradients(inputs, Impl.TRITON)

    assert_as_exact_as_torch(inputs, ours)
    loss, gradient = cross_entropy_with_gradient(
        inputs.first, inputs.labels, token_weights=inputs.token_weights, options=options, reduction=reduction
    )
    assert_as_exact_as_torch(inputs, {"loss": loss, "first": gradient})


@pairwise(
    shape=[LossShape(63, 1000, 64), LossShape(700, 5000, 48), LossShape(1, 63, 16), LossShape(3000, 3, 50)],
    dtype=DTYPES,
    options=OPTIONS,
    backward=Backward,
    bias=[False, True],
)
def test_that_the_compiled_linear_loss_is_as_exact_as_torch(
    shape: LossShape, dtype: torch.dtype, options: LossOptions, backward: Backward, bias: bool
) -> None:
    inputs = loss_inputs(shape, dtype, options, bias=bias, weighted=bias, ignored=0.2, device="cuda")
    inputs.labels[0] = 1

    assert_as_exact_as_torch(inputs, with_gradients(inputs, Impl.TRITON, backward))


@pytest.mark.parametrize("width", [128, 256, 1024, 4096])
def test_that_the_benchmarks_shapes_are_right(width: int) -> None:
    inputs = loss_inputs(LossShape(2048, 32000, width), torch.bfloat16, ALL_AT_ONCE, device="cuda")

    assert_as_exact_as_torch(inputs, with_gradients(inputs, Impl.TRITON))


@pytest.mark.parametrize("backward", Backward)
def test_that_gradients_are_the_same_bits_every_time(backward: Backward) -> None:
    inputs = loss_inputs(LossShape(4096, 32000, 256), torch.bfloat16, device="cuda")

    first, second = (with_gradients(inputs, Impl.TRITON, backward) for _ in range(2))

    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_that_the_gradient_replaces_the_logits() -> None:
    inputs = loss_inputs(LossShape(500, 32000), torch.bfloat16, device="cuda")
    leaf = inputs.first.clone().requires_grad_()
    logits = leaf * 1

    loss_of(replace(inputs, first=logits), Impl.TRITON, in_place=True).backward()

    assert torch.equal(logits.detach(), with_gradients(inputs, Impl.TRITON)["first"])


def test_that_beyond_two_to_the_31_elements_the_last_rows_are_still_right() -> None:
    rows, vocabulary = 2**31 // 32000 + 64, 32000
    logits = torch.zeros(rows, vocabulary, dtype=torch.bfloat16, device="cuda")
    inputs = loss_inputs(LossShape(64, vocabulary), torch.bfloat16, ignored=0.0, device="cuda")
    logits[-64:] = inputs.first
    labels = torch.full((rows,), -100, device="cuda")
    labels[-64:] = inputs.labels

    loss, gradient = cross_entropy_with_gradient(logits, labels, out=logits)

    expected_loss, expected = cross_entropy_with_gradient(inputs.first, inputs.labels)
    torch.testing.assert_close(loss, expected_loss)
    assert torch.equal(gradient[-64:], expected)
    assert not gradient[:-64].any()


def test_that_the_linear_loss_keeps_no_logits() -> None:
    """The peak of memory stays below what one tensor of logits takes."""
    tokens, vocabulary, width = 8192, 128_000, 1024
    hidden = torch.randn(tokens, width, device="cuda").bfloat16().requires_grad_()
    weight = (torch.randn(vocabulary, width, device="cuda") * width**-0.5).bfloat16().requires_grad_()
    labels = torch.randint(vocabulary, (tokens,), device="cuda")
    linear_cross_entropy(hidden, weight, labels).backward()  # compiles
    hidden.grad = weight.grad = None
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()

    linear_cross_entropy(hidden, weight, labels).backward()

    gradients = 2 * (tokens + vocabulary) * width
    assert torch.cuda.max_memory_allocated() - before - gradients < 2 * tokens * vocabulary / 4


@needs_liger
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_ligers_losses_on_the_gpu_give_the_same(dtype: torch.dtype) -> None:
    inputs = loss_inputs(LossShape(500, 32000, 256), dtype, device="cuda")
    ours, theirs = with_gradients(inputs, Impl.TRITON), with_gradients(inputs, Impl.LIGER)

    for name, tensor in ours.items():
        difference = (tensor.double() - theirs[name].double()).norm()
        assert difference <= 16 * torch.finfo(dtype).eps * tensor.double().norm(), name


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_the_unfused_kernels_give_the_same_within_their_rounding(dtype: torch.dtype) -> None:
    inputs = loss_inputs(LossShape(500, 32000, 256), dtype, device="cuda")
    ours, unfused = with_gradients(inputs, Impl.TRITON), with_gradients(inputs, Impl.TRITON_UNFUSED)

    for name, tensor in unfused.items():
        difference = (tensor.double() - ours[name].double()).norm()
        assert difference <= 16 * torch.finfo(dtype).eps * ours[name].double().norm(), name


def test_that_a_batch_without_targets_has_no_gradient() -> None:
    inputs = loss_inputs(LossShape(100, 500, 64), torch.bfloat16, ignored=1.0, device="cuda")

    for backward in Backward:
        ours = with_gradients(inputs, Impl.TRITON, backward)
        assert ours["loss"].isnan()
        assert not ours["first"].any()
        assert not ours["weight"].any()
    assert cross_entropy(inputs.first, inputs.labels, reduction=Reduction.SUM) == 0
