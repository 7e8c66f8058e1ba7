"""Position ids of a sequence, and the attention distances that another way of counting changes.

A model without `position_ids` numbers its tokens by place, pads and earlier documents included. `generate()` of
transformers counts only what the attention mask shows, and collators for packing begin anew with each document.
Rotary embeddings turn Q and K by their positions, so a score depends on the distance of the two alone (Su et al. 2021,
arXiv 2104.09864, equation 16): what all tokens are shifted by cancels out. Learned positions see every shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.masks.counting import row_counts
from core.masks.layout import Ids, Layout, Side
from core.masks.nodes import Mask, PaddedQueries, Padding, SameIds


class Counting(StrEnum):
    """Which tokens have a number: all by their place, those that are no pads, those of one document."""

    PLACE = "place"
    TOKENS = "tokens"
    DOCUMENT = "document"


def position_ids(side: Side, counting: Counting) -> Ids:
    """int32 [length]; pads that are not counted have 0, as transformers fills them."""
    places = np.arange(side.length, dtype=np.int32)
    ids: Ids = places - shifts(side, counting)
    return ids if counting is Counting.PLACE else np.where(side.real, ids, 0).astype(np.int32)


def shifts(side: Side, counting: Counting) -> Ids:
    """int32 [length]: place minus position id; non-decreasing."""
    places = np.arange(side.length, dtype=np.int32)
    if counting is Counting.PLACE or not side.length:
        return np.zeros_like(places)
    counted = np.cumsum(side.real, dtype=np.int32) - side.real
    if counting is Counting.DOCUMENT:
        begins = np.flatnonzero(np.diff(side.documents, prepend=side.documents[0] - 1))
        counted = counted - np.repeat(counted[begins], np.diff(np.append(begins, side.length)))
    shift: Ids = (places - counted).astype(np.int32)
    return shift


@dataclass(frozen=True)
class Distances:
    """Of the `visible` pairs of a query and a key that are no pads, those whose distance is `changed`."""

    visible: int
    changed: int


def changed_distances(mask: Mask, layout: Layout, counting: Counting) -> Distances | None:
    """How many distances another way of counting changes; None where queries and keys are not of one sequence."""
    if layout.offset < 0:
        return None
    of_keys = shifts(layout.keys, counting)
    real = mask & ~Padding() & ~PaddedQueries()
    visible = int(row_counts(real, layout).sum())
    same = int(row_counts(real & _SameShift(of_keys[layout.offset :], of_keys), layout).sum())
    return Distances(visible, visible - same)


@dataclass(frozen=True, eq=False)
class _SameShift(SameIds):
    """Query and key are shifted alike."""

    of_queries: Ids
    of_keys: Ids

    def ids(self, layout: Layout) -> tuple[Ids, Ids]:
        return self.of_queries, self.of_keys
