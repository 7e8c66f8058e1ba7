"""Remarks on position ids: pads before the tokens, and documents that share a sequence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.contracts.text import Text, sentences, tr, tr_plural
from core.masks import Layout, Mask
from core.masks.position_ids import Counting, Distances, changed_distances, position_ids
from core.topics.masks.positions import Positions
from core.topics.masks.remark import MaskWarning, Weight


def countings_of(positions: Positions, layout: Layout) -> tuple[Counting, ...]:
    """The ways of counting that differ on the tokens of this sequence; () in cross-attention: it has no distances."""
    if positions.is_cross or layout.offset < 0:
        return ()
    side = layout.keys
    ways = [Counting.PLACE]
    if np.any(position_ids(side, Counting.TOKENS)[side.real] != np.flatnonzero(side.real)):
        ways.append(Counting.TOKENS)
    if np.unique(side.documents).size > 1:
        ways.append(Counting.DOCUMENT)
    return tuple(ways)


def on_positions(mask: Mask, positions: Positions, layout: Layout) -> Iterator[MaskWarning]:
    """One remark for each way of counting that is not by place."""
    for counting in countings_of(positions, layout)[1:]:
        distances = changed_distances(mask, layout, counting)
        assert distances is not None  # no counting differs where there are no distances
        text = _on_pads(layout) if counting is Counting.TOKENS else _on_documents(layout)
        yield MaskWarning(f"position-ids-{counting}", Weight.FACT, sentences(text, _rotary(distances)), "query_text")


def _on_pads(layout: Layout) -> Text:
    first = int(np.argmax(layout.keys.real))
    if first:
        return tr_plural(
            "{count:,} pad comes first: counted by place, the first token has position {count}; counted without pads, "
            "as generate() of transformers does, 0.",
            "{count:,} pads come first: counted by place, the first token has position {count}; counted without pads, "
            "as generate() of transformers does, 0.",
            count=first,
        )
    return tr(
        "Pads lie between the tokens: counted by place, they take up positions; counted without pads, they do not."
    )


def _on_documents(layout: Layout) -> Text:
    last = int(np.argmax(layout.keys.documents == layout.keys.documents[-1]))
    return tr(
        "Counted by place, the last document begins at position {place:,}; with position ids that are reset, as "
        "collators for packing write them, at 0.",
        place=last,
    )


def _rotary(distances: Distances) -> Text:
    if not distances.changed:
        return tr(
            "Rotary embeddings see only distances, which are the same for all {visible:,} visible pairs: the scores "
            "are equal up to rounding. Learned positions do see the shift.",
            visible=distances.visible,
        )
    return tr(
        "Rotary embeddings see distances, and {changed:,} of {visible:,} visible pairs have another one: their scores "
        "change.",
        changed=distances.changed,
        visible=distances.visible,
    )
