"""The implementations of LoRA's products by name, and where they can run."""

from __future__ import annotations

import importlib.util
from enum import StrEnum

import torch

from kernels.errors import Unavailable
from kernels.launching import triton_unavailable


class Impl(StrEnum):
    """TRITON: one kernel. TRITON_UNFUSED: one kernel per step of PEFT, to trace their bytes for comparison; forward
    only. TORCH: the base product, with the low-rank product added in place. PEFT: the library's own layer."""

    TRITON = "triton"
    TRITON_UNFUSED = "triton-unfused"
    TORCH = "torch"
    PEFT = "peft"


class Down(StrEnum):
    """Where the fused product computes x Aᵀ.

    IN_LOOP: in a narrow tile next to the large one, from the same tile of x. x is read once, but every column of tiles
    computes x Aᵀ again: rank / (columns per tile) more work. BEFORE: in a separate small kernel, which reads x again.
    """

    IN_LOOP = "in-loop"
    BEFORE = "before"


def available(impl: Impl, device: torch.device | str) -> Unavailable | None:
    """None if `impl` can run on `device` by itself, otherwise the error that says why not."""
    impl, device = Impl(impl), torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return Unavailable("PyTorch sees no GPU on this machine.")
    if impl in (Impl.TRITON, Impl.TRITON_UNFUSED):
        return triton_unavailable(device)
    if impl is Impl.PEFT and importlib.util.find_spec("peft") is None:
        return Unavailable("peft is not installed here: pip install peft.")
    return None
