"""The implementations of quantization by name, and where each can run."""

from __future__ import annotations

import importlib.util
from enum import StrEnum

import torch

from kernels.errors import Unavailable
from kernels.launching import triton_unavailable
from kernels.quantization.formats import FormatId

BITSANDBYTES_TYPES = {FormatId.NF4: "nf4", FormatId.FP4_E2M1: "fp4"}
"""The formats that bitsandbytes supports, and its names for them."""


class Impl(StrEnum):
    TRITON = "triton"
    TORCH = "torch"
    BITSANDBYTES = "bitsandbytes"


class MatmulPath(StrEnum):
    """How a product with 4-bit weights is computed."""

    GEMV = "gemv"
    FUSED = "fused"
    DEQUANTIZE = "dequantize"


def available(impl: Impl, device: torch.device | str) -> Unavailable | None:
    """None if `impl` can run on `device`, otherwise the error that says why not."""
    impl, device = Impl(impl), torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return Unavailable("PyTorch sees no GPU on this machine.")
    if impl is Impl.TRITON:
        return triton_unavailable(device)
    if impl is Impl.BITSANDBYTES and importlib.util.find_spec("bitsandbytes") is None:
        return Unavailable("bitsandbytes is not installed here: pip install bitsandbytes.")
    return None
