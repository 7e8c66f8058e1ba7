"""The implementations of attention by name, and where each can run."""

from __future__ import annotations

from enum import StrEnum

import torch

from kernels.errors import Unavailable
from kernels.launching import triton_unavailable

TENSOR_OF_ARGUMENT = {
    "q_ptr": "Q",
    "k_ptr": "K",
    "v_ptr": "V",
    "s_ptr": "S",
    "p_ptr": "P",
    "o_ptr": "O",
    "lse_ptr": "LSE",
    "dp_ptr": "dP",
    "ds_ptr": "dS",
    "delta_ptr": "D",
    "do_ptr": "dO",
    "dq_ptr": "dQ",
    "dk_ptr": "dK",
    "dv_ptr": "dV",
}
"""The tensor behind each pointer argument of the Triton kernels."""


class Impl(StrEnum):
    """From the reference to the fastest alternatives."""

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
        """Whether it returns the log-sum-exp of each row."""
        return self in (Impl.REFERENCE, Impl.TRITON_FLASH)


def available(impl: Impl, device: torch.device | str) -> Unavailable | None:
    """None if `impl` can run on `device` without interception, otherwise the error that says why not.

    Only the device is checked. SDPA's backends also restrict shapes and dtypes: `attention` then raises Unavailable
    with PyTorch's reason.
    """
    impl, device = Impl(impl), torch.device(device)
    if device.type == "cuda" and not torch.cuda.is_available():
        return Unavailable("PyTorch sees no GPU on this machine.")
    if impl.is_triton:
        return triton_unavailable(device)
    if impl in (Impl.SDPA_EFFICIENT, Impl.SDPA_CUDNN) and device.type != "cuda":
        return Unavailable(
            "{impl} needs a CUDA GPU, but the tensors are on {device}.", impl=impl.value, device=device.type
        )
    if impl is Impl.SDPA_CUDNN and torch.version.hip is not None:
        return Unavailable("sdpa-cudnn needs an NVIDIA GPU, but this is a ROCm build of PyTorch.")
    return None
