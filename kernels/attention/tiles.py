"""Which tiles of a mask are full, partial or empty: exact for every composition, without building the matrix.

First each predicate is bounded over a whole tile (can it hold somewhere in the tile, can it fail?), and the truth table
gives the answers that remain possible. Only the tiles that this leaves undecided, those along the edges of the mask,
are evaluated cell by cell, a few at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch

from kernels.attention.mask import MaskDescription, Term, TermKind

_CELLS_AT_ONCE = 1 << 22


class TileClass(IntEnum):
    """None, all or some of a tile's cells are visible. Cells beyond the edge of the matrix do not count."""

    EMPTY = 0
    FULL = 1
    PARTIAL = 2


def tile_classes(
    description: MaskDescription,
    *,
    query_len: int,
    key_len: int,
    block_q: int,
    block_kv: int,
    device: torch.device | str = "cpu",
) -> torch.Tensor:
    """uint8 [sequences, q_blocks, kv_blocks] of TileClass.

    A tile that extends past the edge of the matrix is classified by the cells inside. Apart from the result, memory is
    bounded to a few million cells, whatever the lengths.
    """
    description.check_fits(batch=description.sequences, query_len=query_len, key_len=key_len)
    on_device = description.map_tensors(lambda tensor: tensor.to(device))
    grid = _Grid(query_len, key_len, block_q, block_kv, torch.device(device))
    bounds = [_bounded(term, grid) for term in on_device.terms]
    shape = (on_device.sequences, grid.q_blocks, grid.kv_blocks)
    rows = (1 << (1 << len(on_device.terms))) - 1
    may_see = _possible(on_device.table, bounds, shape, device)
    may_hide = _possible(on_device.table ^ rows, bounds, shape, device)
    classes = may_see.to(torch.uint8) * torch.where(may_hide, TileClass.PARTIAL, TileClass.FULL).to(torch.uint8)
    _classify_undecided(classes, on_device, grid)
    return classes


@dataclass(frozen=True)
class _Grid:
    """Sizes, and the first and last query and key of each tile, shaped [1, q_blocks, 1] and [1, 1, kv_blocks]."""

    query_len: int
    key_len: int
    block_q: int
    block_kv: int
    device: torch.device

    @property
    def q_blocks(self) -> int:
        return -(-self.query_len // self.block_q)

    @property
    def kv_blocks(self) -> int:
        return -(-self.key_len // self.block_kv)

    @property
    def offset(self) -> int:
        return self.key_len - self.query_len

    def queries(self) -> tuple[torch.Tensor, torch.Tensor]:
        first = torch.arange(self.q_blocks, device=self.device)[None, :, None] * self.block_q
        return first, (first + self.block_q - 1).clamp(max=self.query_len - 1)

    def keys(self) -> tuple[torch.Tensor, torch.Tensor]:
        first = torch.arange(self.kv_blocks, device=self.device)[None, None, :] * self.block_kv
        return first, (first + self.block_kv - 1).clamp(max=self.key_len - 1)


Bounds = tuple[torch.Tensor, torch.Tensor]
"""(can hold, can fail) somewhere in the tile: bool, broadcast over [sequences, q_blocks, kv_blocks].

A bound may be too wide, never too narrow.
"""


def _bounded(term: Term, grid: _Grid) -> Bounds:
    first_i, last_i = grid.queries()
    first_j, last_j = grid.keys()
    match term.kind:
        case TermKind.CAUSAL:
            return first_j <= last_i + grid.offset, last_j > first_i + grid.offset
        case TermKind.WINDOW:
            assert isinstance(term.value, int)
            lag = grid.offset - term.value
            return last_j > first_i + lag, first_j <= last_i + lag
        case TermKind.KEYS_BEFORE:
            return first_j < _lengths(term), last_j >= _lengths(term)
        case TermKind.QUERIES_BEFORE:
            return first_i < _lengths(term), last_i >= _lengths(term)
    assert term.q_ids is not None
    assert term.kv_ids is not None
    least_q, most_q = (ids[:, :, None] for ids in _extremes(term.q_ids, grid.block_q))
    least_kv, most_kv = (ids[:, None, :] for ids in _extremes(term.kv_ids, grid.block_kv))
    if term.kind is TermKind.IDS_NOT_AFTER:
        return least_kv <= most_q, most_kv > least_q
    return (least_q <= most_kv) & (least_kv <= most_q), (most_q > least_kv) | (most_kv > least_q)


def _lengths(term: Term) -> torch.Tensor | int:
    return term.value[:, None, None] if isinstance(term.value, torch.Tensor) else int(term.value or 0)


def _extremes(ids: torch.Tensor, block: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Smallest and largest id of each block, [sequences, blocks]; the last block is padded with its last id."""
    missing = -ids.shape[1] % block
    filled = torch.cat([ids, ids[:, -1:].expand(-1, missing)], dim=1).view(ids.shape[0], -1, block)
    return filled.amin(-1), filled.amax(-1)


def _possible(table: int, bounds: Sequence[Bounds], shape: Sequence[int], device: torch.device | str) -> torch.Tensor:
    """Bool `shape`: whether the table has a 1 among the answers that the bounds leave possible."""

    def possible(table: int, bounds: Sequence[Bounds]) -> torch.Tensor | bool:
        if table == 0 or not bounds:
            return bool(table)
        *others, (can_hold, can_fail) = bounds
        rows = 1 << len(others)
        return (can_fail & possible(table & ((1 << rows) - 1), others)) | (can_hold & possible(table >> rows, others))

    classes = possible(table, bounds)
    return torch.as_tensor(classes, device=device).expand(*shape)


def _classify_undecided(classes: torch.Tensor, description: MaskDescription, grid: _Grid) -> None:
    """Replaces the class of possibly partial tiles by the exact one, in place."""
    undecided = (classes == TileClass.PARTIAL).nonzero()
    queries = torch.arange(grid.block_q, device=grid.device)[None, :, None]
    keys = torch.arange(grid.block_kv, device=grid.device)[None, None, :]
    for tiles in torch.split(undecided, max(1, _CELLS_AT_ONCE // (grid.block_q * grid.block_kv))):
        b, q_block, kv_block = (tiles[:, axis, None, None] for axis in range(3))
        # Past the edge the last query or key is repeated, which changes neither "any" nor "all".
        i = (q_block * grid.block_q + queries).clamp(max=grid.query_len - 1)
        j = (kv_block * grid.block_kv + keys).clamp(max=grid.key_len - 1)
        seen = description.sees(b, i, j, grid.offset).flatten(1)
        any_visible, all_visible = seen.any(1), seen.all(1)
        exact = torch.where(all_visible, TileClass.FULL, torch.where(any_visible, TileClass.PARTIAL, TileClass.EMPTY))
        classes[b.flatten(), q_block.flatten(), kv_block.flatten()] = exact.to(torch.uint8)
