"""LoRA's products and AdaLoRA's averages in plain PyTorch operations; autograd differentiates them."""

from __future__ import annotations

import torch

from kernels.quantization.output import Quantized
from kernels.quantization.torch_impl import dequantize_torch


def lora_linear_torch(
    x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scaling: float
) -> torch.Tensor:
    """Adds the low-rank product in the epilogue of its own matrix product: three passes over [rows, out] tensors
    instead of the seven of `base + low_rank * scaling`."""
    return torch.addmm(x @ weight.T, x @ a.T, b.T, alpha=scaling)


def lora_linear_nf4_torch(
    x: torch.Tensor, quantized: Quantized, a: torch.Tensor, b: torch.Tensor, scaling: float
) -> torch.Tensor:
    return lora_linear_torch(x, dequantize_torch(quantized, x.dtype), a, b, scaling)


@torch.no_grad()
def update_importance_torch(
    values: torch.Tensor,
    gradients: torch.Tensor,
    sensitivity: torch.Tensor,
    uncertainty: torch.Tensor,
    beta1: float,
    beta2: float,
) -> None:
    importance = (values * gradients).abs()
    sensitivity.mul_(beta1).add_((1 - beta1) * importance)
    uncertainty.mul_(beta2).add_((1 - beta2) * (importance - sensitivity).abs())
