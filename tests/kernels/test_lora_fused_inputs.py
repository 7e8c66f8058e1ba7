"""What LoRA's products refuse, and the sentence for it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from kernels.errors import InvalidInputs, Unavailable
from kernels.lora.api import Down, Impl, available, lora_linear, lora_linear_nf4, update_importance
from kernels.quantization import api as quantization
from kernels.quantization.formats import FormatId
from tests.kernels.conftest import INTERPRETED
from tests.kernels.lora_cases import LoraInputs, LoraShape, in_nf4, lora_inputs

SHAPE = LoraShape(8, 64, 32, 4)


def call(inputs: LoraInputs, impl: Impl = Impl.TORCH, down: Down | None = None) -> torch.Tensor:
    run: Callable[..., torch.Tensor] = lora_linear if isinstance(inputs.weight, torch.Tensor) else lora_linear_nf4
    return run(inputs.x, inputs.weight, inputs.a, inputs.b, scaling=0.5, impl=impl, down=down)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x": torch.ones(8, 63)}, r"x \[8, 63\] and the weight \[32, 64\] do not match"),
        ({"x": torch.ones(64)}, "do not match"),
        ({"x": torch.ones(0, 64)}, "nothing to multiply"),
        ({"a": torch.ones(4, 63)}, r"must be \[rank, in\] and \[out, rank\]"),
        ({"b": torch.ones(32, 5)}, r"must be \[rank, in\] and \[out, rank\]"),
        ({"a": torch.ones(0, 64), "b": torch.ones(32, 0)}, "rank must be 1 to 64, not 0"),
        ({"a": torch.ones(65, 64), "b": torch.ones(32, 65)}, "rank must be 1 to 64, not 65"),
        ({"a": torch.ones(4, 64).half()}, "must have the same dtype"),
        ({"x": torch.ones(8, 64).double()}, "must"),
        ({"weight": torch.ones(32, 64, requires_grad=True)}, "freezes the weight"),
        ({"weight": torch.ones(64)}, r"\[out, in\]"),
        ({"b": torch.ones(32, 4, device="meta")}, "is on meta"),
    ],
)
def test_that_what_does_not_fit_is_refused_in_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        call(replace(lora_inputs(SHAPE), **changes))


def test_that_whole_double_inputs_are_refused() -> None:
    inputs = lora_inputs(SHAPE, torch.float64)

    with pytest.raises(InvalidInputs, match="x must be float32, float16 or bfloat16"):
        call(inputs)


def test_that_other_formats_than_nf4_are_refused() -> None:
    inputs = lora_inputs(SHAPE)
    int8 = quantization.quantize(inputs.weight, format=FormatId.INT8, impl=quantization.Impl.TORCH)

    with pytest.raises(InvalidInputs, match="in NF4, not INT8"):
        call(replace(inputs, weight=int8))


def test_that_rows_of_broken_blocks_are_multiplied_by_torch_and_refused_by_the_kernel() -> None:
    inputs = in_nf4(lora_inputs(LoraShape(8, 40, 32, 4)))

    assert call(inputs).shape == (8, 32)
    with pytest.raises(InvalidInputs, match="whole blocks of 64"):
        call(inputs, Impl.TRITON)


def test_that_unfused_kernels_refuse_gradients_and_nf4() -> None:
    inputs = lora_inputs(SHAPE)

    with pytest.raises(InvalidInputs, match="have no backward"):
        call(replace(inputs, a=inputs.a.requires_grad_()), Impl.TRITON_UNFUSED)
    with pytest.raises(InvalidInputs, match="no unfused Triton kernels"):
        call(in_nf4(lora_inputs(SHAPE)), Impl.TRITON_UNFUSED)


def test_that_a_choice_of_the_fused_kernel_is_refused_elsewhere() -> None:
    with pytest.raises(InvalidInputs, match="applies only to the fused kernel"):
        call(lora_inputs(SHAPE), Impl.TORCH, Down.BEFORE)


@pytest.mark.skipif(INTERPRETED, reason="interpreted kernels run without a GPU")
@pytest.mark.parametrize("nf4", [False, True])
def test_that_without_a_gpu_the_kernels_say_why_they_do_not_run(nf4: bool) -> None:
    inputs = lora_inputs(SHAPE)

    with pytest.raises(Unavailable, match="Triton"):
        call(in_nf4(inputs) if nf4 else inputs, Impl.TRITON)
    with pytest.raises(Unavailable, match="Triton"):
        update_importance(*(torch.ones(4) for _ in range(4)), beta1=0.5, beta2=0.5)
    assert "Triton" in str(available(Impl.TRITON, "cpu"))
    assert available(Impl.TORCH, "cpu") is None


@pytest.mark.parametrize(
    ("tensors", "betas", "sentence"),
    [
        ((4, 4, 5, 4), (0.5, 0.5), r"sensitivity \[5\]"),
        ((0, 0, 0, 0), (0.5, 0.5), "needs at least one value"),
        ((4, 4, 4, 4), (0.0, 0.5), "beta1 must be greater than 0 and less than 1"),
        ((4, 4, 4, 4), (0.5, 1.0), "beta2 must be greater than 0 and less than 1"),
    ],
)
def test_that_importance_refuses_what_is_not_defined(
    tensors: tuple[int, ...], betas: tuple[float, float], sentence: str
) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        update_importance(*(torch.ones(n) for n in tensors), beta1=betas[0], beta2=betas[1], impl=Impl.TORCH)


def test_that_importance_refuses_what_it_could_not_update_in_place() -> None:
    strided = torch.ones(4, 8)[:, ::2]

    with pytest.raises(InvalidInputs, match="sensitivity must be contiguous"):
        update_importance(torch.ones(4, 4), torch.ones(4, 4), strided, torch.ones(4, 4), beta1=0.5, beta2=0.5)
