"""The implementations of the loss by name, and where they can run."""

from __future__ import annotations

import importlib.util
from enum import StrEnum

import torch

from kernels.errors import Unavailable
from kernels.launching import triton_unavailable


class Impl(StrEnum):
    """TRITON: fused kernels. TRITON_UNFUSED: one kernel per operator that PyTorch runs, to trace their bytes for
    comparison. TORCH: the same with PyTorch's operators, on logits in float32. LIGER: Liger-Kernel's own functions."""

    TRITON = "triton"
    TRITON_UNFUSED = "triton-unfused"
    TORCH = "torch"
    LIGER = "liger"


class Reduction(StrEnum):
    """The loss of a batch: the sum of token_weight * loss over its targets, divided by

    MEAN: the number of targets. TOKEN_WEIGHTED: the sum of their weights. SUM: 1. NONE does not add up: it is one
    weighted loss per token.
    """

    MEAN = "mean"
    SUM = "sum"
    TOKEN_WEIGHTED = "token-weighted"
    NONE = "none"


def missing(impl: Impl) -> Unavailable | None:
    """The error that names the package that `impl` needs; None if it is installed."""
    if impl is Impl.LIGER and importlib.util.find_spec("liger_kernel") is None:
        return Unavailable("liger-kernel is not installed here: pip install liger-kernel.")
    return None


def available(impl: Impl, device: torch.device | str) -> Unavailable | None:
    """None if `impl` can run on `device` by itself, otherwise the error that says why not."""
    impl, device = Impl(impl), torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return Unavailable("PyTorch sees no GPU on this machine.")
    if absent := missing(impl):
        return absent
    return None if impl is Impl.TORCH else triton_unavailable(device)
