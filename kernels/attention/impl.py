"""The implementations of attention by name, and where each can run."""

from __future__ import annotations

import importlib.util
from enum import StrEnum

import torch


class Impl(StrEnum):
    """From the oracle to the fastest rivals."""

    REFERENCE = "reference"
    TORCH_NAIVE = "torch-naive"
    TRITON_STANDARD = "triton-standard"
    TRITON_FLASH = "triton-flash"
    SDPA_MATH = "sdpa-math"
    SDPA_FLASH = "sdpa-flash"
    SDPA_EFFICIENT = "sdpa-efficient"
    SDPA_CUDNN = "sdpa-cudnn"

    @property
    def is_triton(self) -> bool:
        return self in (Impl.TRITON_STANDARD, Impl.TRITON_FLASH)

    @property
    def gives_lse(self) -> bool:
        """Does it give the log-sum-exp of each row?"""
        return self in (Impl.REFERENCE, Impl.TRITON_FLASH)


def available(impl: Impl, device: torch.device | str) -> str | None:
    """None if `impl` can run on `device` by itself, otherwise the reason, in one sentence.

    It answers for the device. SDPA's backends have further limits of their own on shapes and dtypes; `attention` raises
    Unavailable with PyTorch's reason when it meets one.
    """
    impl, device = Impl(impl), torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return "PyTorch sees no GPU on this machine."
    if impl.is_triton:
        return triton_reason(device)
    if impl in (Impl.SDPA_EFFICIENT, Impl.SDPA_CUDNN) and device.type != "cuda":
        return f"{impl.value} exists on CUDA GPUs only, and the tensors are on {device.type}."
    if impl is Impl.SDPA_CUDNN and torch.version.hip is not None:
        return "sdpa-cudnn exists on NVIDIA GPUs only, and this is a ROCm build of PyTorch."
    return None


def has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


def device_target(device: torch.device) -> str | None:
    """What Triton calls the GPU: 'sm_90', 'gfx942'; None for a CPU."""
    if device.type != "cuda":
        return None
    if torch.version.hip is not None:
        return str(torch.cuda.get_device_properties(device).gcnArchName).split(":")[0]
    major, minor = torch.cuda.get_device_capability(device)
    return f"sm_{major}{minor}"


def triton_reason(device: torch.device) -> str | None:
    """None if Triton's kernels can run on `device`, otherwise the reason, in one sentence."""
    if not has_triton():
        return "Triton is not installed here (it is made for Linux), and this implementation is a Triton kernel."
    if device.type != "cuda":
        return (
            f"Triton compiles for GPUs and the tensors are on the {device.type}, where its kernels can only be traced."
        )
    return None
