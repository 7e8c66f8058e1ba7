"""The linear cross-entropy, forward and backward on CPU tensors, against float64: as exact as torch, whose logits are
rounded."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.errors import Unavailable
from kernels.input_checks import DTYPES
from kernels.loss import tiling
from kernels.loss.api import Backward, Impl, LossOptions, Reduction
from tests.kernels.conftest import INTERPRETED
from tests.kernels.loss_cases import (
    ALL_AT_ONCE,
    OPTIONS,
    LossShape,
    assert_as_exact_as_torch,
    assert_within_rounding,
    exact,
    loss_inputs,
    loss_of,
    with_gradients,
)
from tests.pairwise import pairwise

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="tracing covers the same")

Emulated = AbstractContextManager[object]

SHAPES = (LossShape(70, 300, 64), LossShape(5, 1001, 33), LossShape(1, 63, 16), LossShape(130, 3, 50))


@pairwise(shape=SHAPES, dtype=DTYPES, options=OPTIONS, backward=Backward, weighted=[False, True], bias=[False, True])
def test_that_loss_and_gradients_are_as_exact_as_torch(
    shape: LossShape,
    dtype: torch.dtype,
    options: LossOptions,
    backward: Backward,
    weighted: bool,
    bias: bool,
    emulated: Emulated,
) -> None:
    inputs = loss_inputs(shape, dtype, options, weighted=weighted, bias=bias, ignored=0.2, seed=1)

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON, backward)

    assert_as_exact_as_torch(inputs, ours)


@given(
    tokens=st.integers(1, 150),
    vocabulary=st.integers(1, 500),
    width=st.integers(1, 64),
    dtype=st.sampled_from(DTYPES),
    options=st.sampled_from(OPTIONS),
    backward=st.sampled_from(Backward),
    reduction=st.sampled_from(Reduction),
    bias=st.booleans(),
    ignored=st.sampled_from([0.0, 0.5, 0.95]),
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_size_and_option_is_within_what_rounding_explains(
    tokens: int,
    vocabulary: int,
    width: int,
    dtype: torch.dtype,
    options: LossOptions,
    backward: Backward,
    reduction: Reduction,
    bias: bool,
    ignored: float,
    new_emulated: Callable[[], Emulated],
) -> None:
    shape = LossShape(tokens, vocabulary, width)
    inputs = loss_inputs(shape, dtype, options, reduction=reduction, bias=bias, ignored=ignored, seed=tokens)
    inputs.labels[0] = 0

    with new_emulated():
        ours = with_gradients(inputs, Impl.TRITON, backward)

    assert_within_rounding(inputs, ours)


def test_that_chunks_and_parts_of_the_vocabulary_add_up(monkeypatch: pytest.MonkeyPatch, emulated: Emulated) -> None:
    """Four chunks of which the last is short, and wide hidden states whose chunks are counted."""
    from core.interpreter import intercept

    monkeypatch.setattr(tiling, "_CHUNK_BYTES", 192 * 40 * 2)
    monkeypatch.setattr(tiling, "_WIDTHS_PER_CHUNK", 0)
    inputs = loss_inputs(LossShape(40, 650, 300), torch.bfloat16, ALL_AT_ONCE, bias=True)

    with intercept() as tracer:
        ours = with_gradients(inputs, Impl.TRITON)

    assert_as_exact_as_torch(inputs, ours)
    launched = [launch.function for launch in tracer.launches]
    chunk = ["chunk_gradient_kernel", "chunk_weight_kernel", "chunk_hidden_kernel"]
    assert launched == ["linear_loss_kernel", "merge_losses_kernel", *4 * chunk]


@pytest.mark.parametrize("backward", Backward)
@pytest.mark.parametrize("reduction", Reduction)
def test_that_a_batch_without_targets_is_that_of_torch_and_has_no_gradient(
    reduction: Reduction, backward: Backward, emulated: Emulated
) -> None:
    inputs = loss_inputs(LossShape(5, 70, 32), ignored=1.0, bias=True, reduction=reduction)

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON, backward)

    torch.testing.assert_close(ours["loss"], with_gradients(inputs, Impl.TORCH)["loss"], equal_nan=True)
    assert not any(ours[name].any() for name in ("first", "weight", "bias"))


@pytest.mark.parametrize("backward", Backward)
def test_that_rows_without_a_target_are_never_read(backward: Backward, emulated: Emulated) -> None:
    inputs = loss_inputs(LossShape(90, 130, 40), weighted=True, bias=True)
    inputs.first[inputs.targets == -100] = torch.nan

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON, backward)

    assert ours["loss"].isfinite()
    assert not ours["first"][inputs.targets == -100].any()
    clean = replace(inputs, first=inputs.first.nan_to_num(0.0))
    assert_as_exact_as_torch(clean, ours)


@pytest.mark.parametrize("backward", Backward)
def test_that_tokens_that_a_bias_of_minus_infinity_rules_out_get_no_gradient(
    backward: Backward, emulated: Emulated
) -> None:
    inputs = loss_inputs(LossShape(20, 200, 32), bias=True, ignored=0.0)
    assert inputs.bias is not None
    inputs.bias[:70] = -torch.inf
    inputs.labels[:] = inputs.labels % 130 + 70

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON, backward)

    assert_as_exact_as_torch(inputs, ours)
    assert not ours["weight"][:70].any()


@pytest.mark.parametrize("backward", Backward)
@pytest.mark.parametrize("shift", [200.0, -200.0])
def test_that_logits_whose_exponentials_overflow_leave_the_rest_of_a_tile_alone(
    shift: float, backward: Backward, emulated: Emulated
) -> None:
    """Beyond the last target, a tile has logits of nothing but bias; beyond the last token, logits of 0."""
    inputs = loss_inputs(LossShape(20, 70, 32), bias=True)
    assert inputs.bias is not None
    inputs.bias.add_(shift)

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON, backward)

    assert_within_rounding(inputs, ours)


@pytest.mark.parametrize("backward", Backward)
def test_that_float16_gradients_of_many_tokens_do_not_vanish(backward: Backward, emulated: Emulated) -> None:
    """Divided by 2e6, a gradient of logits is below the smallest float16; what it gives times large hidden states is
    not."""
    inputs = loss_inputs(LossShape(64, 100, 32), torch.float16, weighted=True, ignored=0.0, reduction=Reduction.SUM)
    assert inputs.token_weights is not None
    assert inputs.weight is not None
    inputs.token_weights.div_(2e6)
    inputs.first.mul_(1000)
    inputs.weight.div_(1000)

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON, backward)["weight"]

    expected = exact(inputs)["weight"]
    assert (ours - expected).norm() < 2e-3 * expected.norm()


@pytest.mark.parametrize("backward", Backward)
def test_that_views_of_any_strides_are_multiplied_as_they_are(backward: Backward, emulated: Emulated) -> None:
    whole = loss_inputs(LossShape(40, 130, 48))
    assert whole.weight is not None
    views = replace(whole, first=whole.first.T.contiguous().T, weight=whole.weight.repeat(1, 2)[:, :48])

    with emulated:
        ours = with_gradients(views, Impl.TRITON, backward)
        contiguous = with_gradients(whole, Impl.TRITON, backward)

    for name, tensor in ours.items():
        assert torch.equal(tensor, contiguous[name]), name


@pytest.mark.parametrize("backward", Backward)
@pytest.mark.parametrize("trained", ["first", "weight", "bias"])
def test_that_only_the_requested_gradients_are_computed(trained: str, backward: Backward) -> None:
    from core.interpreter import intercept

    inputs = loss_inputs(LossShape(20, 64, 40), bias=True)
    leaf = getattr(inputs, trained).clone().requires_grad_()

    with intercept() as tracer:
        loss_of(replace(inputs, **{trained: leaf}), Impl.TRITON, backward).backward()

    kernels = {
        (Backward.ON_CHIP, "first"): ["hidden_parts_kernel", "merge_hidden_kernel"],
        (Backward.ON_CHIP, "weight"): ["weight_gradient_kernel"],
        (Backward.CHUNKED, "first"): ["chunk_gradient_kernel", "chunk_hidden_kernel"],
        (Backward.CHUNKED, "weight"): ["chunk_gradient_kernel", "chunk_weight_kernel"],
    }[backward, "weight" if trained == "bias" else trained]
    assert [launch.function for launch in tracer.launches] == ["linear_loss_kernel", "merge_losses_kernel", *kernels]
    torch.testing.assert_close(leaf.grad.double(), exact(inputs)[trained], rtol=1e-4, atol=1e-6)


def test_that_without_a_gradient_nothing_but_the_loss_is_computed() -> None:
    from core.interpreter import intercept

    inputs = loss_inputs(LossShape(20, 64, 40))

    with intercept() as tracer:
        loss = loss_of(inputs, Impl.TRITON)

    assert [launch.function for launch in tracer.launches] == ["linear_loss_kernel", "merge_losses_kernel"]
    assert float(loss) == pytest.approx(float(exact(inputs)["loss"]), rel=1e-5)


@pytest.mark.parametrize("width", [64, 48, 128])
def test_that_the_width_chooses_the_backward_pass(width: int) -> None:
    from core.interpreter import intercept

    with intercept() as tracer:
        with_gradients(loss_inputs(LossShape(5, 40, width)), Impl.TRITON)

    assert ("hidden_parts_kernel" in {launch.function for launch in tracer.launches}) == (width == 64)


def test_that_the_kernels_of_torchs_own_operators_give_the_same(emulated: Emulated) -> None:
    inputs = loss_inputs(LossShape(40, 1100, 48), torch.bfloat16)

    with emulated:
        ours, unfused = (with_gradients(inputs, impl) for impl in (Impl.TRITON, Impl.TRITON_UNFUSED))

    for name, tensor in unfused.items():
        # Logits, log-probabilities and their gradients are rounded to bfloat16.
        assert (tensor - ours[name]).norm() <= 0.02 * ours[name].norm(), name


def test_that_a_backward_pass_that_nothing_emulates_says_why_it_does_not_run(emulated: Emulated) -> None:
    inputs = loss_inputs(LossShape(4, 40, 16))
    inputs.first.requires_grad_()
    with emulated:
        loss = loss_of(inputs, Impl.TRITON)

    with pytest.raises(Unavailable, match="Triton"):
        loss.backward()
