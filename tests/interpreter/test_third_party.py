"""Unmodified kernels of a public library (liger-kernel), forward and backward through autograd, against torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch.nn import functional

from core.interpreter import Launch, intercept
from core.trace.traffic import traffic

Function = Callable[..., torch.Tensor]


@pytest.fixture(scope="module", autouse=True)
def _liger() -> None:
    """Imported by the first test: it takes seconds, and every process of pytest reads all test files."""
    pytest.importorskip("liger_kernel.ops.rms_norm", reason="liger-kernel is not installed, or does not import here")


def liger(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"liger_kernel.ops.{module}"), name).apply


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_gradients(function: Function, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The output and the gradient of each floating-point input."""
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in inputs]
    out: Any = function(*leaves)
    out = out[0] if isinstance(out, tuple) else out
    out.backward(torch.linspace(0.5, 1, out.numel()).view(out.shape))
    return [out.detach(), *(x.grad for x in leaves if x.grad is not None)]


def compare(function: Function, reference: Function, *inputs: torch.Tensor, tolerance: float = 1e-5) -> list[Launch]:
    with intercept() as tracer:
        tensors = with_gradients(function, inputs)
    expected = with_gradients(reference, inputs)
    assert len(tensors) == len(expected)
    for one, other in zip(tensors, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
    assert all(launch.accesses and traffic(launch) for launch in tracer.launches)
    return tracer.launches


X, WEIGHT, BIAS = randn(6, 50), randn(50, seed=1), randn(50, seed=2)
TARGET = torch.tensor([1, 4, -100, 7, 49, 0])


def test_that_rms_norm_is_that_of_torch() -> None:
    norm = liger("rms_norm", "LigerRMSNormFunction")
    launches = compare(lambda x, w: norm(x, w, 1e-6), lambda x, w: functional.rms_norm(x, (50,), w, 1e-6), X, WEIGHT)
    assert [launch.function for launch in launches] == ["_rms_norm_forward_kernel", "_rms_norm_backward_kernel"]


def test_that_layer_norm_is_that_of_torch() -> None:
    norm = liger("layer_norm", "LigerLayerNormFunction")
    compare(
        lambda x, w, b: norm(x, w, b, 1e-6),
        lambda x, w, b: functional.layer_norm(x, (50,), w, b, 1e-6),
        X,
        WEIGHT,
        BIAS,
    )


def test_that_group_norm_is_that_of_torch() -> None:
    norm = liger("group_norm", "LigerGroupNormFunction")
    compare(
        lambda x, w, b: norm(x, w, b, 6, 3, 1e-5),
        lambda x, w, b: functional.group_norm(x, 3, w, b, 1e-5),
        randn(2, 6, 20),
        randn(6, seed=1),
        randn(6, seed=2),
    )


def test_that_gated_activations_are_those_of_torch() -> None:
    gate = randn(6, 50, seed=3)
    compare(liger("swiglu", "LigerSiLUMulFunction"), lambda a, b: functional.silu(a) * b, X, gate)
    compare(liger("geglu", "LigerGELUMulFunction"), lambda a, b: functional.gelu(a, approximate="tanh") * b, X, gate)


def test_that_softmax_is_that_of_torch() -> None:
    compare(liger("softmax", "LigerSoftmaxFunction"), lambda x: functional.softmax(x, -1), X)


def test_that_cross_entropy_is_that_of_torch() -> None:
    loss = liger("cross_entropy", "LigerCrossEntropyFunction")
    launches = compare(lambda x, t: loss(x, t, None, -100), functional.cross_entropy, X, TARGET)
    assert launches[0].function == "liger_cross_entropy_kernel"


def test_that_a_fused_projection_and_cross_entropy_launches_many_kernels() -> None:
    loss = liger("fused_linear_cross_entropy", "LigerFusedLinearCrossEntropyFunction")
    target = torch.tensor([1, 4, -100, 7, 29, 0])
    launches = compare(
        lambda x, w, t: loss(x, w, t),
        lambda x, w, t: functional.cross_entropy(x @ w.t(), t),
        X,
        randn(30, 50, seed=4),
        target,
    )
    assert len(launches) >= 2


def test_that_divergences_are_those_of_torch() -> None:
    other = functional.softmax(randn(6, 50, seed=5), -1)
    compare(
        lambda x: liger("kl_div", "LigerKLDivLossFunction")(x, other),
        lambda x: functional.kl_div(x, other, reduction="batchmean"),
        functional.log_softmax(X, -1),
    )
    compare(
        lambda x: liger("tvd", "LigerTVDLossFunction")(x, other),
        lambda x: 0.5 * (x - other).abs().sum(-1).mean(),
        functional.softmax(X, -1),
    )


def test_that_rotary_embeddings_are_rotated() -> None:
    q, k = randn(1, 2, 8, 16), randn(1, 2, 8, 16, seed=1)
    angle = randn(1, 8, 8, seed=2).repeat(1, 1, 2)
    cos, sin = angle.cos(), angle.sin()
    with intercept():
        rotated, _ = liger("rope", "LigerRopeFunction")(q.clone(), k.clone(), cos, sin)
    turned = torch.cat((-q[..., 8:], q[..., :8]), -1)
    torch.testing.assert_close(rotated, q * cos + turned * sin, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 3e-2), (torch.float16, 4e-3)])
def test_that_low_precision_is_as_close_as_that_of_torch(dtype: torch.dtype, tolerance: float) -> None:
    norm = liger("rms_norm", "LigerRMSNormFunction")
    x, weight = X.to(dtype), WEIGHT.to(dtype)
    with intercept():
        normalised = norm(x, weight, 1e-6)
    expected = functional.rms_norm(x.double(), (50,), weight.double(), 1e-6)
    torch.testing.assert_close(normalised.double(), expected, rtol=tolerance, atol=tolerance)
