"""Tiles, warps, pipeline depth and number of splits of the decode kernel. Pure: no torch, no triton.

Nothing here was tuned on a GPU: tiles are those that compile without spilling registers and leave shared memory for two
thread blocks per SM.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels.attention.tiling import shared_bytes_of
from kernels.targets import is_amd, power_of_two

MIN_ROWS = 16
"""The least rows of a matrix product in Triton."""
MAX_SPLITS = 128
_MAX_ACCUMULATED = 128 * 128
"""Elements of the output tile that 8 warps keep in registers."""
_TILE_BYTES = 40 << 10
"""Bytes of K and V in flight per stage. Two of them per SM are more than latency times bandwidth of an SM."""
_ENOUGH = 0.85
"""A number of splits is enough if it fills the last wave as well as this share of the best one does."""


@dataclass(frozen=True)
class DecodeTiling:
    """Rows (query heads of a group, times query tokens) and keys of a tile, warps and pipeline stages."""

    block_rows: int
    block_kv: int
    num_warps: int
    num_stages: int

    def row_tiles(self, rows: int) -> int:
        """Tiles that hold the rows of a KV group. Each reads the group's K and V once."""
        return -(-rows // self.block_rows)


def choose_decode_tiling(
    *, rows: int, key_dim: int, value_dim: int, element_bytes: int, v_in_k: bool, target: str | None,
    page_size: int = 0, block_rows: int | None = None, block_kv: int | None = None,
) -> DecodeTiling:  # fmt: skip
    """The tiling for a GPU target ('sm_90', 'gfx942'); None is a CPU, which gets that of sm_90.

    `rows` are the query heads of a KV group, times the query tokens. `element_bytes` are those of K and V.
    Tile sizes given by the caller are kept. `page_size` is 0 for a contiguous cache.
    """
    target = target or "sm_90"
    value_block = power_of_two(value_dim)
    if block_rows is None:
        accumulated = _MAX_ACCUMULATED // 2 if is_amd(target) or element_bytes == 4 else _MAX_ACCUMULATED
        most_rows = max(MIN_ROWS, min(128, accumulated // value_block))
        block_rows = min(max(MIN_ROWS, power_of_two(rows)), most_rows)
    row_bytes = element_bytes * (key_dim if v_in_k else key_dim + value_dim)
    shared_bytes = shared_bytes_of(target)
    if block_kv is None:
        fitting = power_of_two(min(_TILE_BYTES, shared_bytes // 3) // row_bytes + 1) // 2
        block_kv = max(16, min(_most_keys(block_rows, value_block, element_bytes, page_size, target), fitting))
    num_warps = 8 if element_bytes == 4 or block_rows * value_block >= 64 * 128 else 4
    stages = max(1, min(3, (shared_bytes // 2) // (block_kv * row_bytes)))
    return DecodeTiling(block_rows, block_kv, num_warps, min(stages, 2) if is_amd(target) else stages)


def _most_keys(block_rows: int, value_block: int, element_bytes: int, page_size: int, target: str) -> int:
    """The longest tile of keys whose registers do not spill (ptxas, with Triton 3.6, 3.7.1 and 3.9)."""
    if value_block > 256:
        return 32 if block_rows >= 32 else 16
    if element_bytes == 4:
        return 32 if value_block <= 64 else 16  # exact float32 products keep their operands in registers
    if page_size and target.startswith("sm_8"):
        return max(32, page_size)  # one address per key
    return 64 if block_rows >= 128 or value_block >= 128 else 128


def choose_splits(*, batch: int, kv_heads: int, key_len: int, sm_count: int, block_kv: int, row_tiles: int = 1) -> int:
    """How many programs share the keys of a KV head, so that the programs fill the SMs.

    The rule of FlashAttention (num_splits_heuristic in csrc/flash_attn/flash_api.cpp): 1 if the heads nearly fill the
    GPU, else the smallest number whose last wave is about as full as that of the best one. `key_len` is the number of
    keys that the longest sequence reads. Two programs fit on an SM.
    """
    slots, programs = 2 * sm_count, batch * kv_heads * row_tiles
    if programs >= 0.8 * slots:
        return 1
    most = max(1, min(MAX_SPLITS, slots, -(-key_len // block_kv)))
    fill = [programs * n / slots / -(-programs * n // slots) for n in range(1, most + 1)]
    return next(n for n, filled in enumerate(fill, 1) if filled >= _ENOUGH * max(fill))
