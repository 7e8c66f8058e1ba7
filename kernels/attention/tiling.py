"""Tile sizes, warps and pipeline depth by GPU, head dimension and element size. Pure: no torch, no triton."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from kernels.targets import WARP_GROUP_TARGETS, is_amd

_KB = 1024
_SHARED_BYTES = {
    "sm_80": 163 * _KB,
    "sm_86": 99 * _KB,
    "sm_87": 163 * _KB,
    "sm_89": 99 * _KB,
    "sm_90": 227 * _KB,
    "sm_100": 227 * _KB,
    "sm_103": 227 * _KB,
    "sm_120": 99 * _KB,
    "gfx942": 64 * _KB,
}
"""Shared memory one block may use (CUDA C++ Programming Guide, compute capabilities; AMD CDNA3 ISA: 64 KB of LDS)."""
_LEAST_SHARED_BYTES = 64 * _KB
_SCRATCH_BYTES = 2 * _KB
_SPARSE_SCRATCH_BYTES = 8 * _KB
"""Ids of queries and keys pass through shared memory too."""


class Copies(StrEnum):
    """How the forward kernel moves its tiles between memory and chip.

    POINTERS          every thread computes addresses; the tensors have any strides
    DESCRIPTORS       one instruction copies a tile of a tensor that a descriptor names (TMA)
    WARP_SPECIALIZED  the same, and the compiler gives copies, products and softmax to warps of their own
    """

    POINTERS = "pointers"
    DESCRIPTORS = "descriptors"
    WARP_SPECIALIZED = "warp-specialized"


_COPIES = {
    "sm_90": Copies.DESCRIPTORS,
    "sm_100": Copies.WARP_SPECIALIZED,
    "sm_103": Copies.WARP_SPECIALIZED,
}
"""How 16-bit tiles are copied, by GPU; with pointers on all others.

From compiled code (Triton 3.6 to 3.9), unmeasured: on sm_90 the compiler ignores warp specialization with 8 warps and
fails with 4; on sm_120 it does not load tiles ahead of their use when they come through descriptors.
"""
_LEAST_SPECIALIZED_ROWS = 64
"""Smaller tiles of queries do not compile warp-specialized: Blackwell's matrix instruction has 64 rows or more."""


@dataclass(frozen=True)
class Tiling:
    """Rows of Q that one program keeps, rows of K and V that it loads per step, its warps and its pipeline stages, and
    how tiles are copied."""

    block_q: int
    block_kv: int
    num_warps: int
    num_stages: int
    copies: Copies = Copies.POINTERS

    def described(self, *, head_dim: int, dtype: object) -> dict[str, str | int]:
        """The values of an error about these tiles."""
        return {"block_q": self.block_q, "block_kv": self.block_kv, "head_dim": head_dim, "dtype": str(dtype)}


@dataclass(frozen=True)
class BackwardTiling:
    """Of the two kernels of the backward pass: the first keeps queries and walks keys, the second the other way round.

    Bytes are read again for each tile that is kept, so the kept sizes set the traffic; what is walked does not matter.
    """

    dq: Tiling
    dkdv: Tiling

    def described(self, *, head_dim: int, dtype: object) -> dict[str, str | int]:
        """The values of an error about these tiles."""
        return self.dq.described(head_dim=head_dim, dtype=dtype)


def padded(head_dim: int) -> int:
    """The width of a tile for heads of this width: the next power of two, which Triton's tiles need. Columns past the
    head are zeros: they cost products and space on chip, but no traffic."""
    return 1 << (head_dim - 1).bit_length()


@cache
def choose_tiling(
    *,
    head_dim: int,
    element_bytes: int,
    target: str | None,
    block_q: int | None = None,
    block_kv: int | None = None,
    sparse: bool = False,
    describable: bool = False,
) -> Tiling:
    """The tiling for a GPU target ('sm_90', 'gfx942'); None is a CPU, where only the tile sizes matter.

    Tile sizes given by the caller are kept; warps and stages are then chosen to fit them. `sparse`: the kernel reads
    lists of tiles and evaluates a mask, which takes registers and shared memory. `describable`: the kernel has a
    variant for descriptors, and the tensors suit it.
    """
    is_padded = padded(head_dim) != head_dim
    head_dim = padded(head_dim)
    default_q, default_kv = _default_tiles(head_dim, element_bytes, target)
    if (sparse or is_padded) and element_bytes < 4:
        # With 128 keys the kernels spill registers (ptxas, sm_90 and sm_100): for the mask, or for the addresses of a
        # padded head, which takes no descriptors. Besides, narrow tiles fit a mask more closely.
        default_kv = min(default_kv, 64)
    block_q, block_kv = block_q or default_q, block_kv or default_kv
    num_warps = _warps(block_q, block_kv, head_dim, element_bytes, target)
    scratch_bytes = _SPARSE_SCRATCH_BYTES if sparse else _SCRATCH_BYTES
    num_stages = _stages(block_q, block_kv, head_dim, element_bytes, target, scratch_bytes)
    copies = _copies(block_q, element_bytes, target) if describable else Copies.POINTERS
    return Tiling(block_q, block_kv, num_warps, num_stages, copies)


def choose_backward_tiling(
    *,
    head_dim: int,
    element_bytes: int,
    target: str | None,
    block_q: int | None = None,
    block_kv: int | None = None,
) -> BackwardTiling:
    """The tilings of the backward pass for a GPU target; None is a CPU, where only the tile sizes matter.

    Tile sizes given by the caller are those of the first kernel, which walks like the forward pass, and exchanged those
    of the second.
    """
    is_padded = padded(head_dim) != head_dim
    head_dim = padded(head_dim)
    kept, walked_keys, walked_queries = _default_backward_rows(head_dim, element_bytes, target)
    if is_padded and head_dim > 128:
        walked_queries = 16  # with 32 the second kernel spills for the addresses of a padded head (ptxas, sm_100)
    kept, walked_keys, walked_queries = block_q or kept, block_kv or walked_keys, block_kv or walked_queries

    def launch_of(walked: int, accumulators: int) -> tuple[int, int]:
        warps = _backward_warps(kept, walked, head_dim, element_bytes, target, accumulators)
        return warps, _backward_stages(kept, walked, head_dim, element_bytes, target)

    return BackwardTiling(
        dq=Tiling(kept, walked_keys, *launch_of(walked_keys, accumulators=1)),
        dkdv=Tiling(walked_queries, kept, *launch_of(walked_queries, accumulators=2)),
    )


def _default_backward_rows(head_dim: int, element_bytes: int, target: str | None) -> tuple[int, int, int]:
    """Rows kept, keys walked by the first kernel, queries walked by the second, which has two accumulators.

    The largest that leave registers free (ptxas, sm_80 to sm_100): at the limit, small changes spill.
    """
    if target is None:
        return 64, 64, 64
    if element_bytes == 4:
        return (32, 16, 16) if head_dim >= 128 else (32, 32, 32)
    if head_dim > 128:
        return 64, 32, 32
    if target in WARP_GROUP_TARGETS:
        # Blackwell has its accumulators in tensor memory.
        return 128, 64, 32 if head_dim == 128 and target == "sm_90" else 64
    # Before Hopper, and on AMD, what is kept is in registers, too.
    if head_dim == 128:
        return 64, 64, 64
    return (128, 64, 64) if is_amd(target) else (128, 32, 32)


def _backward_warps(
    kept: int, walked: int, head_dim: int, element_bytes: int, target: str | None, accumulators: int
) -> int:
    if element_bytes == 4:
        return max(4, min(16, kept * walked // 128))
    if is_amd(target):
        return 4
    if target in WARP_GROUP_TARGETS and target != "sm_90" and accumulators == 1 and head_dim <= 64:
        return 4  # a thread for each of 128 rows; with 8 warps, ptxas spills to have more programs per SM
    return 8 if kept >= 128 or kept * (walked + 2 * head_dim) >= 128 * 128 else 4


def _backward_stages(kept: int, walked: int, head_dim: int, element_bytes: int, target: str | None) -> int:
    """Two, or one where two tensors kept and two stages of two walked, beside tiles of P and dS, do not fit."""
    if is_amd(target):
        return 1
    kept_in_shared = element_bytes == 4 or target in WARP_GROUP_TARGETS
    kept_bytes = 2 * kept * head_dim * element_bytes if kept_in_shared else 0
    stage_bytes = 2 * walked * head_dim * element_bytes
    scratch_bytes = 2 * kept * walked * element_bytes + _SCRATCH_BYTES
    return 2 if kept_bytes + 2 * stage_bytes + scratch_bytes <= shared_bytes_of(target) else 1


def _default_tiles(head_dim: int, element_bytes: int, target: str | None) -> tuple[int, int]:
    if target is None:
        return 64, 64
    if head_dim > 128:
        return (32, 16) if element_bytes == 4 else (64, 32)
    if element_bytes == 4:
        # Exact float32 products run on the CUDA cores with their operands in registers: larger tiles spill.
        if head_dim == 128:
            return (64, 64) if target in WARP_GROUP_TARGETS else (32, 32)
        return 64, 32
    if target in WARP_GROUP_TARGETS and head_dim == 128:
        # Two warp groups of 64 rows each. Wide KV tiles, because a tile of Q is reread from shared memory at each step.
        return 128, 128
    # At head_dim 64 the exponentials weigh as much as the products: two blocks per SM overlap them.
    return 128, 64


def _copies(block_q: int, element_bytes: int, target: str | None) -> Copies:
    if element_bytes == 4:
        return Copies.POINTERS  # its products have their operands in registers
    copies = _COPIES.get(target or "", Copies.POINTERS)
    if copies is Copies.WARP_SPECIALIZED and block_q < _LEAST_SPECIALIZED_ROWS:
        return Copies.DESCRIPTORS
    return copies


def _warps(block_q: int, block_kv: int, head_dim: int, element_bytes: int, target: str | None) -> int:
    if element_bytes == 4:
        warps = max(block_q * block_kv // 256, block_q * head_dim // 1024)
        return max(4, min(16, warps))
    if is_amd(target):
        return 4  # of 64 threads: one for each SIMD of a compute unit, with all of its registers
    return 8 if block_q >= 128 or block_q * (block_kv + head_dim) >= 128 * 128 else 4


def _stages(
    block_q: int, block_kv: int, head_dim: int, element_bytes: int, target: str | None, scratch_bytes: int
) -> int:
    shared_bytes = shared_bytes_of(target)
    stage_bytes = 2 * block_kv * head_dim * element_bytes
    if is_amd(target):
        return 2 if 2 * stage_bytes <= shared_bytes else 1  # the compiler keeps one stage of each pair in registers
    q_bytes = block_q * head_dim * element_bytes if target in WARP_GROUP_TARGETS else 0
    return max(1, min(3, (shared_bytes - scratch_bytes - q_bytes) // stage_bytes))


def shared_bytes_of(target: str | None) -> int:
    """Shared memory one block may use on a GPU target; that of the smallest for a target that is not listed."""
    return _SHARED_BYTES.get(target or "", _LEAST_SHARED_BYTES)
