"""Tile sizes, warps and pipeline depth of the loss kernels, and how the backward pass is computed. Pure: no torch, no
triton.

Nothing here was tuned on a GPU: tiles are those that compile without spilling registers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from kernels.targets import WARP_GROUP_TARGETS, is_amd, power_of_two

MAX_ON_CHIP_WIDTH = {2: 256, 4: 64}
"""The widest hidden states that ON_CHIP keeps on chip, by bytes per element."""
_TENSOR_MEMORY_TARGETS = ("sm_100", "sm_103")
_ROW_ELEMENTS = {2: 4096, 4: 2048}
_MIN_SIDE = 16
_GROUP = 8
_CHUNK_BYTES = 256 << 20
_CHUNK_ALIGNMENT = 64
_WIDTHS_PER_CHUNK = 4
_MAX_SPLITS = 16


class Backward(StrEnum):
    """How the gradients of hidden states and weight are computed from logits that were not kept.

    ON_CHIP: one kernel per gradient, and each computes every tile of logits again. No logit leaves the chip, and there
    are 10 n d V FLOPs. It needs a whole row of hidden states on chip. CHUNKED: the gradient of some columns of the
    logits at a time is written to memory, and one product per gradient reads it. There are 8 n d V FLOPs.
    """

    ON_CHIP = "on-chip"
    CHUNKED = "chunked"


@dataclass(frozen=True)
class RowTiling:
    """Rows and columns of the logits that a program holds at once, and its warps."""

    rows: int
    cols: int
    num_warps: int


@dataclass(frozen=True)
class LinearTiling:
    """A tile of the product [rows, cols], the depth of one step, the row tiles that share what they read in the L2
    cache (`group`), warps and pipeline stages."""

    rows: int
    cols: int
    depth: int
    group: int
    num_warps: int
    num_stages: int


def choose_row_tiling(*, vocabulary: int, element_bytes: int) -> RowTiling:
    """The tiling of the kernels that read logits: one row per program, and several where the vocabulary is short."""
    elements = _ROW_ELEMENTS[element_bytes]
    cols = min(elements, max(_MIN_SIDE, power_of_two(vocabulary)))
    rows = max(1, min(32, elements // 4 // cols))
    return RowTiling(rows, cols, 8 if rows * cols > 1024 else 4)


def choose_backward(*, width: int, element_bytes: int) -> Backward:
    """ON_CHIP where whole rows of hidden states fit, and fill their tile: others spill registers. It spends 25% more
    FLOPs, but CHUNKED moves three times the bytes of all logits, with few FLOPs each."""
    fits = width <= MAX_ON_CHIP_WIDTH[element_bytes] and width == max(_MIN_SIDE, power_of_two(width))
    return Backward.ON_CHIP if fits else Backward.CHUNKED


def choose_logits_tiling(*, element_bytes: int, target: str | None) -> LinearTiling:
    """The tiling of kernels that compute logits in steps of `depth`, on a GPU target ('sm_90', 'gfx942'); None is
    tracing on a CPU."""
    if element_bytes == 4:
        return LinearTiling(32, 32, 32, _GROUP, 8, 2)
    if is_amd(target):
        return LinearTiling(128, 128, 64, _GROUP, 8, 2)
    # Half as wide as that of a plain product: exponentials and masks of a tile need registers, too.
    return LinearTiling(128, 64, 64 if target in WARP_GROUP_TARGETS else 32, _GROUP, 8, 3)


def choose_product_tiling(*, element_bytes: int, target: str | None) -> LinearTiling:
    """The same for the products with the gradient of the logits."""
    if element_bytes == 4:
        # Exact float32 products keep their operands in registers, and larger tiles spill.
        return LinearTiling(32, 64, 32, _GROUP, 8, 2)
    if target in WARP_GROUP_TARGETS:
        return LinearTiling(128, 128, 64, _GROUP, 8, 3)
    if is_amd(target):
        return LinearTiling(128, 128, 64, _GROUP, 8, 2)
    return LinearTiling(128, 128, 32, _GROUP, 8, 3)


def choose_on_chip_tiling(
    *, width: int, element_bytes: int, target: str | None, of_weight: bool = False
) -> LinearTiling:
    """The tiling of kernels that hold whole rows of `width`, the depth of their only step. `of_weight` is for the
    kernel of the weight's gradient, which keeps `cols` rows of the weight."""
    depth = max(_MIN_SIDE, power_of_two(width))
    if element_bytes == 4:
        return LinearTiling(32, 32, depth, _GROUP, 4, 1)
    if is_amd(target):
        return LinearTiling(64, 64, depth, _GROUP, 4, 1) if depth <= 128 else LinearTiling(32, 32, depth, _GROUP, 4, 1)
    tiling = LinearTiling(64, 64, depth, _GROUP, 4, 2)
    if target in _TENSOR_MEMORY_TARGETS:
        return replace(tiling, rows=32) if of_weight and depth <= 128 else tiling
    if depth <= 128:
        return tiling
    return replace(tiling, rows=32 if of_weight and target == "sm_90" else 64, num_warps=8)


def choose_splits(*, row_tiles: int, col_tiles: int, sm_count: int) -> tuple[int, int]:
    """How many programs share the columns of a row tile, so that there are two programs per SM, and the column tiles of
    each. Each program leaves a partial result."""
    wanted = max(1, min(_MAX_SPLITS, col_tiles, -(-2 * sm_count // row_tiles)))
    tiles_per_split = -(-col_tiles // wanted)
    return -(-col_tiles // tiles_per_split), tiles_per_split


def chunk_columns(*, tokens: int, vocabulary: int, width: int, element_bytes: int) -> int:
    """The columns of the logits' gradient that CHUNKED keeps in memory at a time.

    Each chunk after the first reads and writes the sum of the hidden states' gradient, 8 bytes per element in float32,
    and reads the hidden states twice. So chunks take 256 MiB, and more only where that is less than four widths: such a
    chunk costs about half of what its own columns cost.
    """
    fitting = _CHUNK_BYTES // (tokens * element_bytes) // _CHUNK_ALIGNMENT * _CHUNK_ALIGNMENT
    return min(vocabulary, max(fitting, _WIDTHS_PER_CHUNK * power_of_two(width), _CHUNK_ALIGNMENT))


def chunk_stride(columns: int) -> int:
    """Elements from one row of a chunk to the next: rows begin aligned, so that accesses stay wide."""
    return -(-columns // _CHUNK_ALIGNMENT) * _CHUNK_ALIGNMENT
