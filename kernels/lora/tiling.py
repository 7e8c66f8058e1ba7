"""Tile sizes, warps and pipeline depth of LoRA's products, and where x Aᵀ is computed."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.lora.impl import Down
from kernels.targets import WARP_GROUP_TARGETS, is_amd, power_of_two

_MIN_RANK_COLUMNS = 16
_FLOPS_PER_BYTE = {2: 128, 4: 16}
"""Roughly the FLOPs that a GPU computes while it reads one byte. A100: 312 TFLOP/s in bfloat16, 19.5 in float32,
2.0 TB/s. H100 SXM: 989, 67, 3.35 (NVIDIA's data sheets). Narrow tiles do not reach the peak."""
_GROUP = 8


@dataclass(frozen=True)
class Tiling:
    """An output tile [rows, cols], the depth of one step, and the number of row tiles that share weights in the L2
    cache (`group`)."""

    rows: int
    cols: int
    depth: int
    group: int
    num_warps: int
    num_stages: int


def rank_columns(rank: int) -> int:
    """The number of columns of the tile with x Aᵀ: a power of two that the matrix instructions support."""
    return max(_MIN_RANK_COLUMNS, power_of_two(rank))


def choose_down(*, rank: int, cols: int, tiling: Tiling, element_bytes: int) -> Down:
    """Where x Aᵀ is cheaper for an output with `cols` columns. This is a count, not a measurement.

    In the loop, every column of tiles spends 2 rank FLOPs per value of x. Before it, x is read again, `element_bytes`
    per value. Small ranks and few columns go into the loop.
    """
    flops_per_value = 2 * rank_columns(rank) * -(-cols // tiling.cols)
    allowed = element_bytes * _FLOPS_PER_BYTE[element_bytes]
    return Down.IN_LOOP if flops_per_value <= allowed else Down.BEFORE


def choose_tiling(*, element_bytes: int, target: str | None) -> Tiling:
    """The tiling for a weight with `element_bytes` per value on a GPU target ('sm_90', 'gfx942'); None is tracing on a
    CPU."""
    if element_bytes == 4:
        # Exact float32 products keep their operands in registers, and larger tiles spill. Also, Triton 3.7 runs tiles
        # of 64 rows on Blackwell tensor cores as TF32, although IEEE products are requested.
        return Tiling(32, 64, 32, _GROUP, 8, 2)
    if target in WARP_GROUP_TARGETS:
        return Tiling(128, 256, 64, _GROUP, 8, 3)
    if is_amd(target):
        return Tiling(128, 128, 64, _GROUP, 8, 2)
    return Tiling(128, 128, 32, _GROUP, 8, 3)


def choose_nf4_tiling(*, element_bytes: int, target: str | None) -> Tiling:
    """The tiling for NF4 weights. They are dequantized in registers, so tiles are narrower. Depth and columns are
    multiples or divisors of every block size."""
    if element_bytes == 4:
        return Tiling(32, 32, 32, _GROUP, 8, 2)
    return Tiling(128, 64, 64, _GROUP, 8 if target in WARP_GROUP_TARGETS else 4, 2)
