"""The tiles that each program of the block-sparse backward pass visits, as one list: full tiles first, then partial."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kernels.attention.tiles import TileClass


@dataclass(frozen=True, eq=False)
class TileLists:
    """For every tile that a program keeps, the tiles that it walks.

    tiles   int32 [visits]: indices of walked tiles
    bounds  int32 [sequences, kept tiles, 3]: a kept tile owns tiles[bounds[0]:bounds[2]]; from bounds[1] on they are
            partial
    order   int32 [sequences, kept tiles]: kept tiles, those that visit the most first
    """

    tiles: torch.Tensor
    bounds: torch.Tensor
    order: torch.Tensor


def tile_lists(classes: torch.Tensor) -> TileLists:
    """The lists of `classes`, uint8 [sequences, kept tiles, walked tiles] of TileClass, on its device."""
    full, partial = ((classes == kind).sum(-1) for kind in (TileClass.FULL, TileClass.PARTIAL))
    visits = full + partial
    # TileClass counts EMPTY, FULL, PARTIAL: with EMPTY last, a stable sort lists what is visited, in order.
    ranks = torch.where(classes == TileClass.EMPTY, torch.full_like(classes, len(TileClass)), classes)
    listed = torch.sort(ranks, dim=-1, stable=True).indices
    walked = torch.arange(classes.shape[-1], device=classes.device)
    firsts, ends = row_bounds(visits).unbind(-1)
    return TileLists(
        tiles=listed[walked < visits[..., None]].to(torch.int32),
        bounds=torch.stack([firsts, ends - partial, ends], dim=-1).to(torch.int32),
        order=most_visits_first(visits),
    )


def row_bounds(counts: torch.Tensor) -> torch.Tensor:
    """First and end index of each row's entries in the flat list of all rows: [..., 2]."""
    ends = counts.flatten().cumsum(0).view(counts.shape)
    return torch.stack([ends - counts, ends], dim=-1)


def most_visits_first(visits: torch.Tensor) -> torch.Tensor:
    """The tiles of each sequence, int32 [sequences, tiles], by how many tiles they visit."""
    return torch.sort(visits, dim=-1, descending=True, stable=True).indices.to(torch.int32)
