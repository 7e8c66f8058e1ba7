"""LoRA's products on random tensors, with gradients, and the yardstick: torch's own error against float64."""

from dataclasses import dataclass, replace

import torch

from kernels.lora.api import Down, Impl, lora_linear, lora_linear_nf4
from kernels.lora.reference import reference_gradients, reference_lora_linear, reference_weight
from kernels.quantization import api as quantization
from kernels.quantization.output import Quantized
from tests.kernels.oracle import rms

Weight = torch.Tensor | Quantized


@dataclass(frozen=True)
class LoraShape:
    rows: int
    in_features: int
    out_features: int
    rank: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.in_features}x{self.out_features}-r{self.rank}"


@dataclass(frozen=True)
class LoraInputs:
    """x, weight, a and b, and the gradient dy of the output."""

    x: torch.Tensor
    weight: Weight
    a: torch.Tensor
    b: torch.Tensor
    dy: torch.Tensor
    scaling: float


def lora_inputs(
    shape: LoraShape,
    dtype: torch.dtype = torch.float32,
    *,
    device: str = "cpu",
    seed: int = 0,
    scaling: float = 0.5,
) -> LoraInputs:
    """Every part of the sum as large as the other: the low-rank one is seen if it is wrong."""
    generator = torch.Generator(device=device).manual_seed(seed)

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator, device=device).to(dtype)

    rows, in_features, out_features, rank = vars(shape).values()
    return LoraInputs(
        normal(rows, in_features), normal(out_features, in_features), normal(rank, in_features),
        normal(out_features, rank), normal(rows, out_features), scaling,
    )  # fmt: skip


def in_nf4(inputs: LoraInputs, block_size: int = 64, nested_block: int = 0) -> LoraInputs:
    assert isinstance(inputs.weight, torch.Tensor)
    quantized = quantization.quantize(
        inputs.weight, block_size=block_size, nested_block=nested_block, impl=quantization.Impl.TORCH
    )
    return LoraInputs(inputs.x, quantized, inputs.a, inputs.b, inputs.dy, inputs.scaling)


def product(inputs: LoraInputs, impl: Impl, down: Down | None = None) -> torch.Tensor:
    x, weight, a, b = inputs.x, inputs.weight, inputs.a, inputs.b
    if isinstance(weight, Quantized):
        return lora_linear_nf4(x, weight, a, b, scaling=inputs.scaling, impl=impl, down=down)
    return lora_linear(x, weight, a, b, scaling=inputs.scaling, impl=impl, down=down)


def with_gradients(inputs: LoraInputs, impl: Impl, down: Down | None = None) -> dict[str, torch.Tensor]:
    """y, and the gradients of x, A and B by autograd."""
    x, a, b = (tensor.detach().clone().requires_grad_() for tensor in (inputs.x, inputs.a, inputs.b))
    y = product(LoraInputs(x, inputs.weight, a, b, inputs.dy, inputs.scaling), impl, down)
    y.backward(inputs.dy)
    tensors = {"y": y.detach(), "dx": x.grad, "dA": a.grad, "dB": b.grad}
    return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def exact(inputs: LoraInputs) -> dict[str, torch.Tensor]:
    """The same in float64."""
    tensors = (inputs.x, inputs.weight, inputs.a, inputs.b)
    y = reference_lora_linear(*tensors, scaling=inputs.scaling)
    dx, da, db = reference_gradients(inputs.dy, *tensors, scaling=inputs.scaling)
    return {"y": y, "dx": dx, "dA": da, "dB": db}


def assert_within_rounding(inputs: LoraInputs, ours: dict[str, torch.Tensor]) -> None:
    """Element by element, for sizes at which torch's own error is a matter of luck: float32 sums of n terms (Higham,
    Accuracy and Stability of Numerical Algorithms, section 3.1), with what is [rows, rank], the output and restored
    weights rounded to the dtype."""
    dtype, weight = inputs.x.dtype, reference_weight(inputs.weight)
    sizes = LoraInputs(
        inputs.x.abs(), weight.abs(), inputs.a.abs(), inputs.b.abs(), inputs.dy.abs(), abs(inputs.scaling)
    )
    expected, all_terms = exact(inputs), exact(sizes)
    low_rank_terms = exact(replace(sizes, weight=torch.zeros_like(weight)))
    terms = sum(inputs.x.shape) + inputs.dy.shape[1] + inputs.a.shape[0] + 8
    rounding = 1.01 * torch.finfo(dtype).eps / 2
    for name, tensor in ours.items():
        rounded = all_terms[name] if isinstance(inputs.weight, Quantized) else low_rank_terms[name]
        allowed = terms * 2.0**-24 * all_terms[name] + rounding * (rounded + expected[name].abs())
        # Halves below 6e-5 are rounded to steps, not to digits.
        allowed = allowed + 1000 * torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
        assert tensor.dtype == dtype, name
        assert ((tensor - expected[name]).abs() <= allowed).all(), name


def assert_as_exact_as_torch(
    inputs: LoraInputs, ours: dict[str, torch.Tensor], *, peer: Impl = Impl.TORCH, factor: float = 2.0
) -> None:
    """The RMS error of each against float64 is within `factor` of what the peer's is in the same dtype, or half a
    unit in the last place of the values themselves."""
    expected, theirs = exact(inputs), with_gradients(inputs, peer)
    for name, tensor in ours.items():
        assert tensor.dtype == inputs.x.dtype, name
        assert tensor.shape == expected[name].shape, name
        error, allowed = rms(tensor - expected[name]), rms(theirs[name] - expected[name])
        rounding = torch.finfo(tensor.dtype).eps / 2 * rms(expected[name])
        assert error <= max(factor * allowed, rounding), f"{name}: {error:.3e} against torch's own {allowed:.3e}"
