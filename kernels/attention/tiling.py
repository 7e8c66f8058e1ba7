"""Tile sizes, warps and pipeline depth by GPU, head dimension and element size. Pure: no torch, no triton."""

from __future__ import annotations

from dataclasses import dataclass

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
_WARP_GROUP_TARGETS = ("sm_90", "sm_100", "sm_103")
"""Targets whose matrix instructions read Q from shared memory; before them, and on AMD, Q sits in registers."""


@dataclass(frozen=True)
class Tiling:
    """Rows of Q that one program keeps, rows of K and V that it loads per step, its warps and its pipeline stages."""

    block_q: int
    block_kv: int
    num_warps: int
    num_stages: int

    def described(self, *, head_dim: int, dtype: object) -> dict[str, str | int]:
        """The values of an error about these tiles."""
        return {"block_q": self.block_q, "block_kv": self.block_kv, "head_dim": head_dim, "dtype": str(dtype)}


def choose_tiling(
    *,
    head_dim: int,
    element_bytes: int,
    target: str | None,
    block_q: int | None = None,
    block_kv: int | None = None,
    sparse: bool = False,
) -> Tiling:
    """The tiling for a GPU target ('sm_90', 'gfx942'); None is a CPU, where only the tile sizes matter.

    Tile sizes given by the caller are kept; warps and stages are then chosen to fit them. `sparse`: the kernel reads
    lists of tiles and evaluates a mask, which takes registers and shared memory.
    """
    default_q, default_kv = _default_tiles(head_dim, element_bytes, target)
    if sparse and element_bytes < 4:
        # With 128 keys the kernel spills registers (ptxas, sm_90 and sm_100), and narrow tiles fit a mask more closely.
        default_kv = 64
    block_q, block_kv = block_q or default_q, block_kv or default_kv
    num_warps = _warps(block_q, block_kv, head_dim, element_bytes, target)
    scratch_bytes = _SPARSE_SCRATCH_BYTES if sparse else _SCRATCH_BYTES
    num_stages = _stages(block_q, block_kv, head_dim, element_bytes, target, scratch_bytes)
    return Tiling(block_q, block_kv, num_warps, num_stages)


def _default_tiles(head_dim: int, element_bytes: int, target: str | None) -> tuple[int, int]:
    if target is None:
        return 64, 64
    if element_bytes == 4:
        # Exact float32 products run on the CUDA cores with their operands in registers: larger tiles spill.
        if head_dim == 128:
            return (64, 64) if target in _WARP_GROUP_TARGETS else (32, 32)
        return 64, 32
    if target in _WARP_GROUP_TARGETS and head_dim == 128:
        # Two warp groups of 64 rows each. Wide KV tiles, because a tile of Q is reread from shared memory at each step.
        return 128, 128
    # At head_dim 64 the exponentials weigh as much as the products: two blocks per SM overlap them.
    return 128, 64


def _warps(block_q: int, block_kv: int, head_dim: int, element_bytes: int, target: str | None) -> int:
    if element_bytes == 4:
        warps = max(block_q * block_kv // 256, block_q * head_dim // 1024)
        return max(4, min(16, warps))
    if _is_amd(target):
        return 4  # of 64 threads: one for each SIMD of a compute unit, with all of its registers
    return 8 if block_q >= 128 or block_q * (block_kv + head_dim) >= 128 * 128 else 4


def _stages(
    block_q: int, block_kv: int, head_dim: int, element_bytes: int, target: str | None, scratch_bytes: int
) -> int:
    shared_bytes = shared_bytes_of(target)
    stage_bytes = 2 * block_kv * head_dim * element_bytes
    if _is_amd(target):
        return 2 if 2 * stage_bytes <= shared_bytes else 1  # the compiler keeps one stage of each pair in registers
    q_bytes = block_q * head_dim * element_bytes if target in _WARP_GROUP_TARGETS else 0
    return max(1, min(3, (shared_bytes - scratch_bytes - q_bytes) // stage_bytes))


def shared_bytes_of(target: str | None) -> int:
    """Shared memory one block may use on a GPU target; that of the smallest for a target that is not listed."""
    return _SHARED_BYTES.get(target or "", _LEAST_SHARED_BYTES)


def _is_amd(target: str | None) -> bool:
    return target is not None and target.startswith("gfx")
