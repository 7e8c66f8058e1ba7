"""A mask as lists of key tiles, one list per query tile: the input of the block-sparse kernel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from kernels.attention.mask import MaskDescription, Term, visible
from kernels.attention.tile_lists import TileLists, most_visits_first, row_bounds, tile_lists
from kernels.attention.tiles import TileClass, tile_classes
from kernels.errors import InvalidInputs

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask as FlexBlockMask


@dataclass(frozen=True, eq=False)
class PackedTerms:
    """The operands of the predicates, int32, laid out for a kernel. Term k of a description reads

    limits  [sequences, terms]                its window or its length at [:, k]; 0 for a term that has neither
    q_ids   [sequences, id terms, query_len]  its ids at [:, slot], where slots number the terms that compare ids
    kv_ids  [sequences, id terms, key_len]
    """

    limits: torch.Tensor
    q_ids: torch.Tensor
    kv_ids: torch.Tensor


@dataclass(frozen=True, eq=False)
class BlockMask:
    """The full and partial key tiles of every query tile. Empty tiles are in no list, so the kernel never reads them.

    classes     uint8 [sequences, q_blocks, kv_blocks] of TileClass; sequences is 1 when the batch shares one mask
    full_runs   int32 [runs, 2]: runs of adjacent full tiles, as (first, end)
    partial     int32 [partial tiles]: indices of key tiles
    bounds      int32 [sequences, q_blocks, 4]: a query tile owns full_runs[bounds[0]:bounds[1]] and
                partial[bounds[2]:bounds[3]], both in key order
    order       int32 [sequences, q_blocks]: query tiles, those that visit the most key tiles first
    packed      the operands of the predicates
    """

    description: MaskDescription
    batch: int
    query_len: int
    key_len: int
    block_q: int
    block_kv: int
    classes: torch.Tensor
    full_runs: torch.Tensor
    partial: torch.Tensor
    bounds: torch.Tensor
    order: torch.Tensor
    packed: PackedTerms

    @property
    def device(self) -> torch.device:
        return self.classes.device

    @property
    def sequences(self) -> int:
        """How many masks it holds: 1, or one per sequence of the batch."""
        return self.classes.shape[0]

    @cached_property
    def dense(self) -> torch.Tensor:
        """Bool [sequences, query_len, key_len], True where a query sees a key; computed on first use, then cached."""
        return visible(self.description, query_len=self.query_len, key_len=self.key_len, device=self.device)

    @cached_property
    def flex(self) -> FlexBlockMask:
        """FlexAttention's block mask, built on first use, then cached. On a GPU its kernel takes tiles of 128."""
        from kernels.attention.flex import flex_block_mask  # late: it loads PyTorch's compiler

        on_gpu = self.device.type == "cuda"
        return flex_block_mask(
            self.description,
            query_len=self.query_len,
            key_len=self.key_len,
            block_q=128 if on_gpu else self.block_q,
            block_kv=128 if on_gpu else self.block_kv,
            device=self.device,
        )

    @cached_property
    def by_query(self) -> TileLists:
        """The key tiles of every query tile, for the backward pass. One that extends past the last key counts as
        partial."""
        classes = self.classes.clone()
        if self.key_len % self.block_kv:
            classes[..., -1][classes[..., -1] == TileClass.FULL] = TileClass.PARTIAL
        return tile_lists(classes)

    @cached_property
    def by_key(self) -> TileLists:
        """The query tiles of every key tile, for the backward pass."""
        return tile_lists(self.classes.mT)

    def with_tiles(self, block_q: int, block_kv: int) -> BlockMask:
        """The same mask in tiles of another size; made on first use, then cached."""
        if (block_q, block_kv) == (self.block_q, self.block_kv):
            return self
        if (block_q, block_kv) not in self._in_other_tiles:
            self._in_other_tiles[block_q, block_kv] = block_mask(
                self.description,
                batch=self.batch,
                query_len=self.query_len,
                key_len=self.key_len,
                block_q=block_q,
                block_kv=block_kv,
                device=self.device,
            )
        return self._in_other_tiles[block_q, block_kv]

    @cached_property
    def _in_other_tiles(self) -> dict[tuple[int, int], BlockMask]:
        return {}

    @property
    def list_bytes(self) -> int:
        """Bytes of what the forward kernel reads of a mask: the lists and the operands of the predicates."""
        lists = (self.full_runs, self.partial, self.bounds, self.order)
        packed = (self.packed.limits, self.packed.q_ids, self.packed.kv_ids)
        return sum(tensor.numel() * tensor.element_size() for tensor in (*lists, *packed))


def block_mask(
    description: MaskDescription,
    *,
    batch: int,
    query_len: int,
    key_len: int,
    block_q: int,
    block_kv: int,
    device: torch.device | str = "cpu",
) -> BlockMask:
    """Classify the tiles of `description` for a batch, exactly, and list them on `device`. Waits for the device.

    A mask that all sequences share is classified and stored once. Raises InvalidInputs when the description does not
    fit the sizes or has ids beyond 32 bits.
    """
    if min(batch, query_len, key_len, block_q, block_kv) < 1:
        raise InvalidInputs("A block mask needs a batch, lengths and blocks of at least 1.")
    description.check_fits(batch=batch, query_len=query_len, key_len=key_len)
    description = _shared_sequence(description.without_idle_terms().map_tensors(lambda tensor: tensor.to(device)))
    classes = tile_classes(
        description, query_len=query_len, key_len=key_len, block_q=block_q, block_kv=block_kv, device=device
    )
    full_runs, run_counts = _runs(classes == TileClass.FULL)
    is_partial = classes == TileClass.PARTIAL
    visits = (classes != TileClass.EMPTY).sum(-1)
    return BlockMask(
        description=description,
        batch=batch,
        query_len=query_len,
        key_len=key_len,
        block_q=block_q,
        block_kv=block_kv,
        classes=classes,
        full_runs=full_runs,
        partial=is_partial.nonzero()[:, 2].to(torch.int32),
        bounds=torch.cat([row_bounds(run_counts), row_bounds(is_partial.sum(-1))], dim=-1).to(torch.int32),
        order=most_visits_first(visits),
        packed=_packed(description, query_len, key_len, torch.device(device)),
    )


def _shared_sequence(description: MaskDescription) -> MaskDescription:
    """The description of one sequence when all sequences are the same."""
    tensors = [tensor for term in description.terms for tensor in term.tensors]
    if any(not bool((tensor == tensor[:1]).all()) for tensor in tensors):
        return description
    return description.map_tensors(lambda tensor: tensor[:1])


def _runs(flags: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Runs of True along the last axis: int32 [runs, 2] of (first, end), and the number of runs per row."""
    edges = torch.nn.functional.pad(flags.to(torch.int8), (1, 1)).diff(dim=-1)
    firsts, ends = ((edges == change).nonzero()[:, -1] for change in (1, -1))
    return torch.stack([firsts, ends], dim=-1).to(torch.int32), (edges == 1).sum(-1)


def _packed(description: MaskDescription, query_len: int, key_len: int, device: torch.device) -> PackedTerms:
    sequences, terms = description.sequences, description.terms
    limits = torch.zeros((sequences, len(terms)), dtype=torch.int32, device=device)
    for k, term in enumerate(terms):
        if term.value is not None:
            limits[:, k] = torch.as_tensor(term.value, device=device).clamp(0, query_len + key_len)
    with_ids = [term for term in terms if term.kind.compares_ids]
    q_ids = torch.zeros((sequences, len(with_ids), query_len), dtype=torch.int32, device=device)
    kv_ids = torch.zeros((sequences, len(with_ids), key_len), dtype=torch.int32, device=device)
    for slot, term in enumerate(with_ids):
        q_ids[:, slot], kv_ids[:, slot] = _ids_of(term)
    return PackedTerms(limits, q_ids, kv_ids)


def _ids_of(term: Term) -> tuple[torch.Tensor, torch.Tensor]:
    assert term.q_ids is not None
    assert term.kv_ids is not None
    limits = torch.iinfo(torch.int32)
    for ids in (term.q_ids, term.kv_ids):
        if ids.dtype is torch.int64 and bool(((ids < limits.min) | (ids > limits.max)).any()):
            raise InvalidInputs("Ids must fit in 32 bits: number the documents or turns from 0.")
    return term.q_ids, term.kv_ids
