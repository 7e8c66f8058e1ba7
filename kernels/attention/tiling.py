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


@dataclass(frozen=True)
class Tiling:
    """Rows of Q one program keeps, rows of K and V it loads in a step, its warps, its software-pipelining depth."""

    block_q: int
    block_kv: int
    num_warps: int
    num_stages: int


def choose_tiling(
    *, head_dim: int, element_bytes: int, target: str | None, block_q: int | None = None, block_kv: int | None = None
) -> Tiling:
    """The tiling for a GPU target ('sm_90', 'gfx942'); None is a CPU, where only the tile sizes mean something.

    Tile sizes given by the caller are kept; warps and stages are then chosen to fit them.
    """
    default_q, default_kv = _default_tiles(head_dim, element_bytes, target)
    block_q, block_kv = block_q or default_q, block_kv or default_kv
    return Tiling(
        block_q, block_kv, _warps(block_q, block_kv, head_dim), _stages(block_kv, head_dim, element_bytes, target)
    )


def _default_tiles(head_dim: int, element_bytes: int, target: str | None) -> tuple[int, int]:
    if target is None:
        return 64, 64
    if element_bytes == 4:
        # float32 multiplies on the ordinary cores, operands in registers: larger tiles spill.
        return (64, 32) if head_dim == 128 else (64, 64)
    if target in ("sm_90", "sm_100", "sm_103"):
        return 128, 128
    return (128, 32) if target == "sm_120" and head_dim == 128 else (128, 64)


def _warps(block_q: int, block_kv: int, head_dim: int) -> int:
    # Each warp group of four takes 64 query rows on Hopper (wgmma is 64 rows high), 16 a warp before it.
    return 8 if block_q >= 128 and max(block_kv, head_dim) >= 64 else 4


def _stages(block_kv: int, head_dim: int, element_bytes: int, target: str | None) -> int:
    shared_bytes = _SHARED_BYTES.get(target or "", _LEAST_SHARED_BYTES)
    tile_pair_bytes = 2 * block_kv * head_dim * element_bytes
    fitting = (shared_bytes - 36 * _KB) // tile_pair_bytes
    return max(1, min(3, fitting))
