"""What the tilings of all kernels know of GPU targets ('sm_90', 'gfx942'). Pure: no torch, no triton."""

from __future__ import annotations

DEFAULT_SM_COUNT = 132
"""SMs of an H100 SXM (NVIDIA H100 whitepaper). For tensors on a CPU, where a kernel is only traced."""
WARP_GROUP_TARGETS = ("sm_90", "sm_100", "sm_103")
"""Targets whose matrix instructions read both operands from shared memory; before them, and on AMD, the first one sits
in registers."""


def is_amd(target: str | None) -> bool:
    """Whether it is a target of AMD; None, a CPU, is not."""
    return target is not None and target.startswith("gfx")


def power_of_two(n: int) -> int:
    """The least power of two that is at least n."""
    return 1 << max(n - 1, 0).bit_length()
