"""Tile sizes, warps and pipeline depth of LoRA's products, and what is fused where."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.lora.impl import Down

_WARP_GROUP_TARGETS = ("sm_90", "sm_100", "sm_103")
_LEAST_RANK_COLUMNS = 16
_FLOPS_PER_BYTE = {2: 128, 4: 16}
"""About what a GPU computes while it reads a byte: A100 312 TFLOP/s in bfloat16, 19.5 in float32, 2.0 TB/s; H100 SXM
989, 67, 3.35 (NVIDIA's data sheets); narrow tiles do not reach the peak."""
_GROUP = 8


@dataclass(frozen=True)
class Tiling:
    """A tile of the output [rows, cols], the depth of a step, and `group` row tiles that share weights in the L2."""

    rows: int
    cols: int
    depth: int
    group: int
    num_warps: int
    num_stages: int


def rank_columns(rank: int) -> int:
    """Columns of the tile that holds x Aᵀ: a power of two that the matrix instructions take."""
    return max(_LEAST_RANK_COLUMNS, 1 << (rank - 1).bit_length())


def choose_down(*, rank: int, cols: int, tiling: Tiling, element_bytes: int) -> Down:
    """Where x Aᵀ costs less for an output of `cols` columns, by counting: it was not timed.

    In the loop, each column of tiles spends 2 rank FLOPs on a value of x; before it, x is read once more,
    `element_bytes` a value. Small ranks and few columns go into the loop.
    """
    flops_per_value = 2 * rank_columns(rank) * -(-cols // tiling.cols)
    allowed = element_bytes * _FLOPS_PER_BYTE[element_bytes]
    return Down.IN_LOOP if flops_per_value <= allowed else Down.BEFORE


def choose_tiling(*, element_bytes: int, target: str | None) -> Tiling:
    """For a weight of `element_bytes` a value on a GPU target ('sm_90', 'gfx942'); None is a CPU that traces."""
    if element_bytes == 4:
        # Exact float32 products keep their operands in registers: larger tiles spill them. And Triton 3.7 gives tiles
        # of 64 rows to Blackwell's tensor cores, as TF32, although IEEE products are asked for.
        return Tiling(32, 64, 32, _GROUP, 8, 2)
    if target in _WARP_GROUP_TARGETS:
        return Tiling(128, 256, 64, _GROUP, 8, 3)
    if target is not None and target.startswith("gfx"):
        return Tiling(128, 128, 64, _GROUP, 8, 2)
    return Tiling(128, 128, 32, _GROUP, 8, 3)


def choose_nf4_tiling(*, element_bytes: int, target: str | None) -> Tiling:
    """Weights are restored in registers, so tiles are narrower; depth and columns divide or are divided by any block
    of scales."""
    if element_bytes == 4:
        return Tiling(32, 32, 32, _GROUP, 8, 2)
    return Tiling(128, 64, 64, _GROUP, 8 if target in _WARP_GROUP_TARGETS else 4, 2)
