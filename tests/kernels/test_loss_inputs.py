"""What the losses refuse, and the sentence for it."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from kernels.errors import InvalidInputs, Unavailable
from kernels.loss.api import (
    Backward,
    Impl,
    LossOptions,
    Reduction,
    available,
    cross_entropy,
    cross_entropy_with_gradient,
    linear_cross_entropy,
)
from tests.kernels.conftest import INTERPRETED
from tests.kernels.loss_cases import LossShape, loss_inputs, loss_of

LOGITS, LINEAR = LossShape(8, 32), LossShape(8, 32, 16)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"first": torch.ones(8)}, r"must be \[tokens, vocabulary\]"),
        ({"first": torch.ones(0, 32)}, "at least one of each"),
        ({"first": torch.ones(8, 32).double()}, "logits must be float32, float16 or bfloat16"),
        ({"labels": torch.ones(7, dtype=torch.int64)}, r"labels is \[7\], but there are 8 tokens"),
        ({"labels": torch.ones(8)}, "labels must be int64 or int32"),
        ({"labels": torch.full((8,), 32)}, "Label 32 is neither a token of a vocabulary of 32 nor ignore_index -100"),
        ({"labels": torch.full((8,), -1)}, "Label -1 is neither"),
        ({"labels": torch.ones(8, dtype=torch.int64, device="meta")}, "labels is on meta"),
        ({"token_weights": torch.ones(9)}, r"token_weights is \[9\], but"),
        ({"token_weights": torch.ones(8, dtype=torch.int64)}, "token_weights must be floating point"),
        ({"options": LossOptions(label_smoothing=1.1)}, "label_smoothing must be from 0 to 1, not 1.1"),
        ({"options": LossOptions(label_smoothing=float("nan"))}, "label_smoothing must be from 0 to 1"),
        ({"options": LossOptions(z_loss=-1.0)}, "z_loss must be a finite number of at least 0"),
        ({"options": LossOptions(softcap=0.0)}, "softcap must be a finite number greater than 0"),
    ],
)
@pytest.mark.parametrize("impl", [Impl.TRITON, Impl.TORCH])
def test_that_what_is_no_loss_is_refused_in_a_sentence(changes: dict[str, Any], sentence: str, impl: Impl) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        loss_of(replace(loss_inputs(LOGITS), **changes), impl)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"first": torch.ones(8, 17)}, r"Hidden states \[8, 17\] and the weight \[32, 16\] do not match"),
        ({"weight": torch.ones(16)}, "do not match"),
        ({"first": torch.ones(0, 16)}, "nothing to multiply"),
        ({"weight": torch.ones(32, 16).half()}, "weight is torch.float16 and hidden is torch.float32"),
        ({"bias": torch.ones(31)}, r"The bias \[31\] does not match the weight \[32, 16\]"),
        ({"bias": torch.ones(64)[::2]}, "contiguous"),
        ({"bias": torch.ones(32).half()}, "bias is torch.float16"),
        ({"weight": torch.ones(32, 16, device="meta")}, "weight is on meta"),
        ({"labels": torch.full((8,), 40)}, "Label 40 is neither"),
    ],
)
def test_that_layers_that_do_not_fit_are_refused_in_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        loss_of(replace(loss_inputs(LINEAR, bias=True), **changes), Impl.TORCH)


def test_that_an_ignore_index_of_any_value_is_no_label_that_is_out_of_range() -> None:
    labels = torch.tensor([0, 99, 3])

    loss = cross_entropy(torch.zeros(3, 4), labels, options=LossOptions(ignore_index=99), impl=Impl.TORCH)

    assert float(loss) == pytest.approx(torch.tensor(4.0).log())


def test_that_hidden_states_too_wide_for_the_chip_are_refused_where_they_should_stay_there() -> None:
    inputs = loss_inputs(LossShape(8, 32, 300), torch.bfloat16)

    with pytest.raises(InvalidInputs, match="width of 300 do not fit on chip, but only up to 256"):
        loss_of(inputs, Impl.TRITON, Backward.ON_CHIP)
    with pytest.raises(InvalidInputs, match="applies only to the fused kernels"):
        loss_of(inputs, Impl.TORCH, Backward.CHUNKED)


def test_that_in_place_is_refused_where_it_would_destroy_or_do_nothing() -> None:
    inputs = loss_inputs(LOGITS)

    with pytest.raises(InvalidInputs, match="would overwrite a leaf"):
        loss_of(replace(inputs, first=inputs.first.requires_grad_()), Impl.TRITON, in_place=True)
    with pytest.raises(InvalidInputs, match="torch does not write gradients in place"):
        loss_of(loss_inputs(LOGITS), Impl.TORCH, in_place=True)
    with pytest.raises(InvalidInputs, match="always writes the gradient in place"):
        loss_of(loss_inputs(LOGITS), Impl.LIGER)


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        (torch.ones(8, 31), r"out \[8, 31\] torch.float32 cannot hold the gradient"),
        (torch.ones(8, 32).half(), "cannot hold the gradient"),
        (torch.ones(1, 32).expand(8, 32), "several of its elements are one"),
    ],
)
def test_that_a_gradient_that_does_not_fit_its_place_is_refused(out: torch.Tensor, sentence: str) -> None:
    inputs = loss_inputs(LOGITS)

    with pytest.raises(InvalidInputs, match=sentence):
        cross_entropy_with_gradient(inputs.first, inputs.labels, out=out, impl=Impl.TORCH)


def test_that_peers_and_unfused_kernels_refuse_what_they_do_not_compute() -> None:
    plain, weighted = loss_inputs(LINEAR), loss_inputs(LINEAR, weighted=True)

    with pytest.raises(InvalidInputs, match="has no weights per token"):
        loss_of(weighted, Impl.LIGER)
    with pytest.raises(InvalidInputs, match="computes the mean or the sum"):
        loss_of(replace(plain, reduction=Reduction.NONE), Impl.LIGER)
    with pytest.raises(InvalidInputs, match="compute the plain loss"):
        loss_of(replace(plain, options=LossOptions(z_loss=1.0)), Impl.TRITON_UNFUSED)
    with pytest.raises(InvalidInputs, match="have no bias"):
        loss_of(loss_inputs(LINEAR, bias=True), Impl.TRITON_UNFUSED)
    with pytest.raises(InvalidInputs, match="has no launch for loss and gradient"):
        cross_entropy_with_gradient(torch.ones(2, 3), torch.tensor([0, 1]), impl=Impl.LIGER)


@pytest.mark.skipif(INTERPRETED, reason="interpreted kernels run without a GPU")
def test_that_without_a_gpu_the_kernels_say_why_they_do_not_run() -> None:
    logits, linear = loss_inputs(LOGITS), loss_inputs(LINEAR)

    for call in (
        lambda: loss_of(logits, Impl.TRITON),
        lambda: loss_of(logits, Impl.TRITON_UNFUSED),
        lambda: cross_entropy_with_gradient(logits.first, logits.labels),
        lambda: loss_of(linear, Impl.TRITON),
        lambda: linear_cross_entropy(linear.first, linear.weight, linear.labels, impl=Impl.TRITON_UNFUSED),
    ):
        with pytest.raises(Unavailable, match="Triton"):
            call()
    assert "Triton" in str(available(Impl.TRITON, "cpu"))
    assert available(Impl.TORCH, "cpu") is None
