"""Remarks on what libraries understand differently: which ends are aligned, and what a window counts."""

from __future__ import annotations

from collections.abc import Iterator

from core.contracts.text import Text, tr, tr_plural
from core.masks import ALIGNED_TERMS, Causal, CausalTopLeft, Layout, Mask, Window, row_counts, terms_of
from core.masks.nodes import substituted
from core.topics.masks.remark import MaskWarning, Weight


def on_conventions(mask: Mask, layout: Layout) -> Iterator[MaskWarning]:
    """Whenever lengths differ, and for each window."""
    if layout.offset:
        yield from _on_alignment(mask, layout)
    for term in terms_of(mask):
        if isinstance(term, Window) and term.count:
            yield MaskWarning("window-convention", Weight.FACT, _window_text(term.count), "expression")


def _on_alignment(mask: Mask, layout: Layout) -> Iterator[MaskWarning]:
    terms = terms_of(mask)
    aligned = [term for term in terms if isinstance(term, ALIGNED_TERMS)]
    top_left = CausalTopLeft() in terms
    lengths = {"queries": layout.query_len, "keys": layout.key_len}
    if not aligned:
        text = tr(
            "There are {queries:,} queries and {keys:,} keys, and no term of this mask compares positions: it does not "
            "matter which ends are aligned. is_causal=True of SDPA would align them top-left.",
            **lengths,
        )
    elif top_left:
        text = tr(
            "There are {queries:,} queries and {keys:,} keys: causal_top_left starts at the first key, as "
            "is_causal=True of SDPA does. A KV cache and flash-attn (2.1 and later) need both ends aligned "
            "(bottom-right), which is causal: {cells:,} cells differ.",
            cells=_difference(mask, layout),
            **lengths,
        )
    elif Causal() in terms:
        text = tr(
            "There are {queries:,} queries and {keys:,} keys: causal aligns both ends (bottom-right: the last query "
            "sees the last key), as a KV cache and flash-attn (2.1 and later) do. is_causal=True of SDPA is top-left, "
            "which is causal_top_left: {cells:,} cells differ.",
            cells=_difference(mask, layout),
            **lengths,
        )
    else:
        text = tr(
            "There are {queries:,} queries and {keys:,} keys: {term} is aligned bottom-right, so the last query is at "
            "the last key, as in flash-attn (2.1 and later).",
            term=str(aligned[0]),
            **lengths,
        )
    yield MaskWarning("lengths-differ", Weight.WARNING if top_left else Weight.FACT, text, "key_len")
    if layout.offset < 0 and any(not isinstance(term, CausalTopLeft) for term in aligned):
        yield MaskWarning("more-queries-than-keys", Weight.FACT, _before_the_first_key(-layout.offset), "key_len")


def _difference(mask: Mask, layout: Layout) -> int:
    """Cells that change when top-left and bottom-right are exchanged."""
    in_between = substituted(mask, Causal(), _MARK)
    other = substituted(substituted(in_between, CausalTopLeft(), Causal()), _MARK, CausalTopLeft())
    unlike = (mask & ~other) | (~mask & other)
    return int(row_counts(unlike, layout).sum())


_MARK = Window(-1)
"""No expression has this term: it stands for the one that is being replaced."""


def _before_the_first_key(queries: int) -> Text:
    return tr_plural(
        "There is {count:,} more query than keys: with both ends aligned, the first query comes before key 0.",
        "There are {count:,} more queries than keys: with both ends aligned, the first {count:,} queries come "
        "before key 0.",
        count=queries,
    )


def _window_text(count: int) -> Text:
    return tr(
        "window({count}) counts the query's own key: it and the {before:,} before it. So does sliding_window = {count} "
        "of transformers; flash-attn counts the keys beside it: window_size = ({before}, ...); code with q_idx - "
        "kv_idx <= {count} shows one more.",
        count=count,
        before=count - 1,
    )
