"""AdaLoRA's averages: the bits of PEFT's RankAllocator, and the formulas of the paper in float64."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.input_checks import DTYPES
from kernels.lora.api import Impl, update_importance
from kernels.lora.reference import reference_importance
from tests.kernels.conftest import INTERPRETED

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="tracing covers the same")

Emulated = AbstractContextManager[object]
Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def importance_inputs(count: int, dtype: torch.dtype, seed: int = 0) -> Tensors:
    """Values, gradients and two averages of absolute values; sizes from the tiny to the large, and zeros."""
    generator = torch.Generator().manual_seed(seed)
    tensors = torch.randn(4, count, generator=generator) * 10.0 ** torch.randint(-6, 3, (4, count), generator=generator)
    tensors[torch.rand(4, count, generator=generator) < 0.1] = 0
    values, gradients, sensitivity, uncertainty = tensors.to(dtype)
    return values, gradients, sensitivity.abs(), uncertainty.abs()


def updated(tensors: Tensors, impl: Impl, beta1: float, beta2: float) -> tuple[torch.Tensor, torch.Tensor]:
    values, gradients, sensitivity, uncertainty = (tensor.clone() for tensor in tensors)
    update_importance(values, gradients, sensitivity, uncertainty, beta1=beta1, beta2=beta2, impl=impl)
    return sensitivity, uncertainty


@given(
    count=st.integers(1, 3000),
    dtype=st.sampled_from(DTYPES),
    beta1=st.floats(0.01, 0.99),
    beta2=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_the_kernel_and_torch_give_the_bits_of_peft(
    count: int, dtype: torch.dtype, beta1: float, beta2: float, seed: int, new_emulated: Callable[[], Emulated]
) -> None:
    tensors = importance_inputs(count, dtype, seed)

    with new_emulated():
        ours = updated(tensors, Impl.TRITON, beta1, beta2)

    theirs = updated(tensors, Impl.PEFT, beta1, beta2)
    plain = updated(tensors, Impl.TORCH, beta1, beta2)
    for mine, torchs, pefts in zip(ours, plain, theirs, strict=True):
        assert torch.equal(mine, pefts)
        assert torch.equal(torchs, pefts)


def test_that_the_formulas_are_those_of_the_paper(emulated: Emulated) -> None:
    tensors = importance_inputs(4000, torch.float32)

    with emulated:
        sensitivity, uncertainty = updated(tensors, Impl.TRITON, 0.85, 0.9)

    expected = reference_importance(*tensors, beta1=0.85, beta2=0.9)
    torch.testing.assert_close(sensitivity.double(), expected[0], rtol=1e-6, atol=0)
    # |I - sensitivity| cancels where they are close: exact to the size of what was subtracted.
    assert ((uncertainty - expected[1]).abs() <= 1e-6 * (expected[0] + tensors[3] + expected[1])).all()


def test_that_several_steps_stay_the_bits_of_pefts_allocator_on_a_real_model(emulated: Emulated) -> None:
    """A model with AdaLoRA layers, its own allocator, and the kernel over the flat storage of all matrices."""
    from peft import AdaLoraConfig, get_peft_model

    torch.manual_seed(0)
    base = torch.nn.Sequential(torch.nn.Linear(24, 16), torch.nn.ReLU(), torch.nn.Linear(16, 8))
    config = AdaLoraConfig(target_modules=["0", "2"], init_r=6, target_r=2, tinit=1, tfinal=1, total_step=20)
    model = get_peft_model(base, config)
    allocator = model.base_model.rankallocator
    named = {name: p for name, p in model.named_parameters() if "lora_" in name}
    elements = sum(p.numel() for p in named.values())
    sensitivity, uncertainty = torch.zeros(elements), torch.zeros(elements)

    with emulated:
        for _ in range(4):
            model.zero_grad()
            model(torch.randn(32, 24)).square().mean().backward()
            allocator.update_ipt(model)
            values = torch.cat([p.detach().reshape(-1) for p in named.values()])
            gradients = torch.cat([p.grad.reshape(-1) for p in named.values()])
            update_importance(values, gradients, sensitivity, uncertainty, beta1=allocator.beta1, beta2=allocator.beta2)
            with torch.no_grad():
                for p in named.values():
                    p -= 0.1 * p.grad + 0.01

    assert torch.equal(sensitivity, torch.cat([allocator.exp_avg_ipt[name].reshape(-1) for name in named]))
    assert torch.equal(uncertainty, torch.cat([allocator.exp_avg_unc[name].reshape(-1) for name in named]))
    assert uncertainty.max() > 0


def test_that_values_and_gradients_are_left_alone_and_a_matrix_is_updated_in_place(emulated: Emulated) -> None:
    tensors = importance_inputs(60, torch.float32)
    values, gradients, sensitivity, uncertainty = (tensor.clone().reshape(6, 10) for tensor in tensors)

    with emulated:
        update_importance(
            values.requires_grad_(), gradients, sensitivity, uncertainty, beta1=0.85, beta2=0.85, impl=Impl.TRITON
        )

    assert torch.equal(values.reshape(-1), tensors[0])
    assert torch.equal(gradients.reshape(-1), tensors[1])
    flat = updated(tensors, Impl.TORCH, 0.85, 0.85)
    assert torch.equal(sensitivity.reshape(-1), flat[0])
    assert torch.equal(uncertainty.reshape(-1), flat[1])
