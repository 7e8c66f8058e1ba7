"""Cross-entropy of logits, forward and backward on CPU tensors, against float64: as exact as torch."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.errors import Unavailable
from kernels.input_checks import DTYPES
from kernels.loss.api import Impl, LossOptions, Reduction, cross_entropy, cross_entropy_with_gradient
from tests.kernels.conftest import INTERPRETED
from tests.kernels.loss_cases import (
    ALL_AT_ONCE,
    OPTIONS,
    LossShape,
    assert_as_exact_as_torch,
    assert_within_rounding,
    exact,
    in_one_launch,
    loss_inputs,
    loss_of,
    with_gradients,
)
from tests.pairwise import pairwise

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="tracing covers the same")

Emulated = AbstractContextManager[object]

SHAPES = (LossShape(37, 1000), LossShape(5, 9001), LossShape(1, 63), LossShape(130, 3))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_that_the_reference_is_torchs_own_loss_in_float64(reduction: str, smoothing: float) -> None:
    inputs = loss_inputs(LossShape(40, 30), torch.float64, LossOptions(-7, smoothing), reduction=Reduction(reduction))
    logits = inputs.first.clone().requires_grad_()

    loss = torch.nn.functional.cross_entropy(
        logits, inputs.labels, ignore_index=-7, label_smoothing=smoothing, reduction=reduction
    )
    loss.sum().backward()

    expected = exact(inputs)
    # The scale of a token, 1 / targets, is float32.
    torch.testing.assert_close(expected["loss"], loss.detach(), rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(expected["first"], logits.grad, rtol=1e-6, atol=1e-12)


def test_that_the_reference_with_all_options_is_what_autograd_gives_in_float64() -> None:
    """The formula of LossOptions, written down once more."""
    inputs = loss_inputs(LossShape(40, 30), torch.float64, ALL_AT_ONCE, weighted=True, reduction=Reduction.SUM)
    logits = inputs.first.clone().requires_grad_()
    x = 5 * torch.tanh(logits / 5)
    targets = inputs.targets != -7

    log_probs = x.log_softmax(1)
    of_labels = log_probs[torch.arange(40), inputs.targets.where(targets, 0)]
    losses = -0.9 * of_labels - 0.1 * log_probs.mean(1) + 1e-2 * x.logsumexp(1) ** 2
    loss = (losses * inputs.token_weights)[targets].sum()
    loss.backward()

    expected = exact(inputs)
    torch.testing.assert_close(expected["loss"], loss.detach())
    torch.testing.assert_close(expected["first"], logits.grad)


@pairwise(shape=SHAPES, dtype=DTYPES, options=OPTIONS, reduction=Reduction, weighted=[False, True])
def test_that_loss_and_gradient_are_as_exact_as_torch(
    shape: LossShape, dtype: torch.dtype, options: LossOptions, reduction: Reduction, weighted: bool, emulated: Emulated
) -> None:
    inputs = loss_inputs(shape, dtype, options, reduction=reduction, weighted=weighted, ignored=0.2, seed=1)

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON)
        together = in_one_launch(inputs)

    assert_as_exact_as_torch(inputs, ours)
    assert_as_exact_as_torch(inputs, together)


@given(
    tokens=st.integers(1, 60),
    vocabulary=st.integers(1, 6000),
    dtype=st.sampled_from(DTYPES),
    smoothing=st.sampled_from([0.0, 0.3, 1.0]),
    z_loss=st.sampled_from([0.0, 1e-3]),
    softcap=st.sampled_from([None, 1.0, 30.0]),
    reduction=st.sampled_from(Reduction),
    weighted=st.booleans(),
    ignored=st.sampled_from([0.0, 0.5, 0.95]),
    seed=st.integers(0, 99),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_size_and_option_is_within_what_rounding_explains(
    tokens: int,
    vocabulary: int,
    dtype: torch.dtype,
    smoothing: float,
    z_loss: float,
    softcap: float | None,
    reduction: Reduction,
    weighted: bool,
    ignored: float,
    seed: int,
    new_emulated: Callable[[], Emulated],
) -> None:
    options = LossOptions(-100, smoothing, z_loss, softcap)
    inputs = loss_inputs(
        LossShape(tokens, vocabulary),
        dtype,
        options,
        reduction=reduction,
        weighted=weighted,
        ignored=ignored,
        seed=seed,
    )
    if not (inputs.labels != -100).any():
        inputs.labels[0] = 0
    if inputs.token_weights is not None:
        inputs.token_weights[inputs.labels != -100] += 0.1

    with new_emulated():
        ours = with_gradients(inputs, Impl.TRITON)

    assert_within_rounding(inputs, ours)


@pytest.mark.parametrize("reduction", Reduction)
def test_that_a_batch_without_targets_is_that_of_torch_and_has_no_gradient(
    reduction: Reduction, emulated: Emulated
) -> None:
    inputs = loss_inputs(LossShape(5, 70), ignored=1.0, reduction=reduction)

    with emulated:
        ours, together = with_gradients(inputs, Impl.TRITON), in_one_launch(inputs)

    expected = with_gradients(inputs, Impl.TORCH)["loss"]
    assert torch.isnan(expected).all() == (reduction in (Reduction.MEAN, Reduction.TOKEN_WEIGHTED))
    for result in (ours, together):
        torch.testing.assert_close(result["loss"], expected, equal_nan=True)
        assert not result["first"].any()


def test_that_one_token_of_a_vocabulary_of_one_costs_nothing_but_its_z_loss(emulated: Emulated) -> None:
    logits, labels = torch.tensor([[3.0]]), torch.tensor([0])

    with emulated:
        plain, gradient = cross_entropy_with_gradient(logits, labels)
        with_z, z_gradient = cross_entropy_with_gradient(logits, labels, options=LossOptions(z_loss=0.5))

    assert float(plain) == float(gradient) == 0
    assert float(with_z) == pytest.approx(0.5 * 9)
    assert float(z_gradient) == pytest.approx(0.5 * 2 * 3)


@pytest.mark.parametrize("options", [LossOptions(), LossOptions(z_loss=1e-2), LossOptions(softcap=3.0)], ids=str)
def test_that_logits_of_minus_infinity_are_tokens_that_cannot_come(options: LossOptions, emulated: Emulated) -> None:
    """Whole chunks of them, too: 3000 at the beginning, 3000 at the end."""
    inputs = loss_inputs(LossShape(6, 9000), options=options, ignored=0.0)
    inputs.first[:, :3000] = inputs.first[:, 6000:] = -torch.inf
    inputs.labels[:] = torch.arange(3000, 3006)

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON)

    assert_as_exact_as_torch(inputs, ours)
    assert not ours["first"][:, :3000].any()


def test_that_a_label_that_cannot_come_and_rows_of_only_such_logits_are_those_of_torch(emulated: Emulated) -> None:
    """Loss inf with the gradient of any other label; and NaN, which stays in its row."""
    inputs = loss_inputs(LossShape(4, 50), ignored=0.0, reduction=Reduction.NONE)
    inputs.first[0, inputs.labels[0]] = -torch.inf
    inputs.first[2] = -torch.inf

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON)

    theirs = with_gradients(inputs, Impl.TORCH)
    assert ours["loss"][0] == torch.inf
    assert ours["loss"][2].isnan()
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, theirs[name], equal_nan=True)


def test_that_a_weight_of_zero_is_no_target_whatever_the_logits_are(emulated: Emulated) -> None:
    inputs = loss_inputs(LossShape(20, 50), weighted=True, ignored=0.0)
    assert inputs.token_weights is not None
    unused = inputs.token_weights == 0
    assert 0 < int(unused.sum()) < 20
    inputs.first[unused] = torch.nan

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON)

    assert ours["loss"].isfinite()
    assert not ours["first"][unused].any()
    assert ours["first"][~unused].any(1).all()


def test_that_weights_scale_losses_and_the_reductions_divide_by_what_they_say(emulated: Emulated) -> None:
    logits, labels = torch.zeros(4, 8), torch.tensor([1, -100, 2, 3])
    weights = torch.tensor([0.5, 9.0, 2.0, 0.0])

    with emulated:
        loss = {
            reduction: cross_entropy(logits, labels, token_weights=weights, reduction=reduction)
            for reduction in Reduction
        }

    each = float(np.log(8))
    assert loss[Reduction.NONE].tolist() == pytest.approx([0.5 * each, 0, 2 * each, 0])
    assert float(loss[Reduction.SUM]) == pytest.approx(2.5 * each)
    assert float(loss[Reduction.MEAN]) == pytest.approx(2.5 * each / 3)
    assert float(loss[Reduction.TOKEN_WEIGHTED]) == pytest.approx(each)


def test_that_gradients_are_those_of_finite_differences(emulated: Emulated) -> None:
    """Of the loss along a random direction: an oracle without a chain rule."""
    inputs = loss_inputs(LossShape(20, 64), options=ALL_AT_ONCE, weighted=True)
    direction = torch.randn(20, 64, generator=torch.Generator().manual_seed(7)).double()

    with emulated:
        gradient = with_gradients(inputs, Impl.TRITON)["first"]

    step = 1e-5
    there, back = (
        exact(replace(inputs, first=inputs.first.double() + sign * step * direction))["loss"] for sign in (1, -1)
    )
    assert float((gradient * direction).sum()) == pytest.approx(float((there - back) / (2 * step)), rel=1e-5)


def test_that_a_backward_pass_that_nothing_emulates_says_why_it_does_not_run(emulated: Emulated) -> None:
    inputs = loss_inputs(LossShape(4, 40))
    inputs.first.requires_grad_()
    with emulated:
        loss = loss_of(inputs, Impl.TRITON)

    with pytest.raises(Unavailable, match="Triton"):
        loss.backward()
