"""LoRA's product, its gradients and AdaLoRA's averages in float64: the reference for all implementations."""

from __future__ import annotations

import torch

from kernels.quantization.output import Quantized
from kernels.quantization.reference import reference_dequantize


def reference_weight(weight: torch.Tensor | Quantized) -> torch.Tensor:
    """The weight as float64 [out, in], dequantized if necessary."""
    return reference_dequantize(weight) if isinstance(weight, Quantized) else weight.double()


def reference_lora_linear(
    x: torch.Tensor, weight: torch.Tensor | Quantized, a: torch.Tensor, b: torch.Tensor, *, scaling: float
) -> torch.Tensor:
    """x Wᵀ + scaling (x Aᵀ) Bᵀ (Hu et al. 2021, LoRA, equation 3): float64 [rows, out]."""
    x = x.double()
    return x @ reference_weight(weight).T + scaling * (x @ a.double().T) @ b.double().T


def reference_gradients(
    dy: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor | Quantized,
    a: torch.Tensor,
    b: torch.Tensor,
    *,
    scaling: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The float64 gradients of x, A and B for an output gradient dy [rows, out]: the chain rule on equation 3."""
    dy, x, a, b = (tensor.detach().double() for tensor in (dy, x, a, b))
    scaled_dy_b = scaling * dy @ b
    return dy @ reference_weight(weight) + scaled_dy_b @ a, scaled_dy_b.T @ x, scaling * dy.T @ (x @ a.T)


def reference_importance(
    values: torch.Tensor,
    gradients: torch.Tensor,
    sensitivity: torch.Tensor,
    uncertainty: torch.Tensor,
    *,
    beta1: float,
    beta2: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The next sensitivity and uncertainty in float64 (Zhang et al. 2023, equations 8 to 10)."""
    importance = (values.double() * gradients.double()).abs()
    smoothed = beta1 * sensitivity.double() + (1 - beta1) * importance
    return smoothed, beta2 * uncertainty.double() + (1 - beta2) * (importance - smoothed).abs()
