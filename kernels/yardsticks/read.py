"""Reads memory as fast as a GPU can, and sums it so that nothing can be left out."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import torch

from kernels.launching import has_triton, launching, sm_count

_BLOCK = 8192
_PROGRAMS_PER_SM = 4

if has_triton():
    import triton
    import triton.language as tl

    @triton.jit
    def read_kernel(x_ptr, out_ptr, elements, BLOCK: tl.constexpr):
        """Sums the int64 words at x_ptr, a block of them at a time. Grid (programs,)."""
        total = tl.zeros([BLOCK], tl.int64)
        for start in range(tl.program_id(0) * BLOCK, elements, tl.num_programs(0) * BLOCK):
            words = tl.cast(start, tl.int64) + tl.arange(0, BLOCK)
            total += tl.load(x_ptr + words, mask=words < elements, other=0)
        tl.store(out_ptr + tl.program_id(0), tl.sum(total, 0))


def empty_sums(device: torch.device) -> torch.Tensor:
    """int64, for a sum of each program of `read_into` on a GPU."""
    return torch.empty(_PROGRAMS_PER_SM * sm_count(device), dtype=torch.int64, device=device)


def read_into(sums: torch.Tensor, words: torch.Tensor) -> None:
    """Launches the kernel on int64 `words`, with one program per element of `sums`."""
    read_kernel[(len(sums),)](words, sums, words.numel(), BLOCK=_BLOCK, num_warps=8)


def read_all(words: torch.Tensor) -> torch.Tensor:
    """The sum of int64 `words`, modulo 2^64: on a GPU by a kernel that does nothing else, on a CPU by PyTorch.

    Raises Unavailable on a GPU without Triton.
    """
    if words.device.type != "cuda":
        return words.sum()
    with launching(words.device):
        sums = empty_sums(words.device)
        read_into(sums, words)
        return sums.sum()
