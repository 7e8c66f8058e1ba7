"""A mask as arguments of flash-attn, which knows no mask but a causal one, a window and sequences that are packed.

Pads that are hidden are left out, and documents become sequences of their own (`flash_attn_varlen_func`). Whatever else
a mask says is refused in a comment: flash-attn would ignore it silently.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.masks.conventions import flash_attn_lines
from core.masks.layout import Layout
from core.masks.nodes import (
    ALIGNED_TERMS,
    Ahead,
    All,
    And,
    Causal,
    CausalTopLeft,
    Documents,
    Mask,
    Not,
    PaddedQueries,
    Padding,
    Window,
)

Layouts = tuple[Layout, ...]
Places = NDArray[np.int64]
NO_LIMIT = -1
_REFUSED = "arguments = None"


def flash_attn_call(mask: Mask, layouts: Layouts) -> str:
    """Source that defines `arguments` of flash_attn_func or, for pads and documents, flash_attn_varlen_func.

    `kept_queries` and `kept_keys` are then the places in [batch * length] that take part. A mask that flash-attn cannot
    express gives `arguments = None` and the reason.
    """
    factors = _factors(mask)
    offset = layouts[0].offset
    foreign = next((factor for factor in factors if not _is_known(factor, offset)), None)
    if foreign is not None:
        return f"# flash-attn has no argument for {foreign}: use FlexAttention or a bool mask.\n{_REFUSED}\n"
    segments = _segments(factors, layouts)
    if any(isinstance(factor, ALIGNED_TERMS) for factor in factors) and not _are_aligned(segments, offset):
        return f"# Without the pads, the ends are no longer {offset} apart, so positions change.\n{_REFUSED}\n"
    left, right = _window(factors)
    window = f"causal={right == 0}, window_size=({left}, {right})"
    lines = flash_attn_lines(mask, layouts[0])
    if _are_whole(segments, layouts):
        head = ["from flash_attn import flash_attn_func", "", *lines, f"arguments = dict({window})"]
        return "\n".join(
            [*head, "# out = flash_attn_func(q, k, v, **arguments)  # [batch, length, heads, head_dim]", ""]
        )
    queries, keys = ([getattr(segment, side) for segment in segments] for side in ("queries", "keys"))
    return "\n".join(
        [
            "import torch",
            "from flash_attn import flash_attn_varlen_func",
            "",
            *lines,
            f"kept_queries = {_ranges(queries)}",
            f"kept_keys = {_ranges(keys)}",
            "arguments = dict(",
            f"    cu_seqlens_q={_ends(queries)}, max_seqlen_q={max(part.size for part in queries)},",
            f"    cu_seqlens_k={_ends(keys)}, max_seqlen_k={max(part.size for part in keys)},",
            f"    {window},",
            ")",
            "# q, k and v are [batch, length, heads, head_dim]; out has the rows of kept_queries.",
            "# out = flash_attn_varlen_func(",
            "#     q.flatten(0, 1)[kept_queries], k.flatten(0, 1)[kept_keys], v.flatten(0, 1)[kept_keys], **arguments)",
            "",
        ]
    )


@dataclass(frozen=True, eq=False)
class _Segment:
    """One sequence of flash-attn: places in [batch * query_len] and [batch * key_len]; `first_query` and `first_key`
    are where the sequence of the batch begins there."""

    queries: Places
    keys: Places
    first_query: int
    first_key: int


def _factors(mask: Mask) -> tuple[Mask, ...]:
    """The masks that all have to hold."""
    if isinstance(mask, And):
        return tuple(factor for term in mask.terms for factor in _factors(term))
    return (mask,)


def _is_known(factor: Mask, offset: int) -> bool:
    match factor:
        case Causal() | Ahead() | Documents() | All() | Not(Padding() | PaddedQueries()):
            return True
        case CausalTopLeft():
            return offset == 0
        case Window(count):
            return count > 0  # left = -1 would be no limit
    return False


def _window(factors: tuple[Mask, ...]) -> tuple[int, int]:
    """(left, right): the keys that a query sees beside its own."""
    left = [factor.count - 1 for factor in factors if isinstance(factor, Window)]
    right = [factor.count for factor in factors if isinstance(factor, Ahead)]
    right += [0 for factor in factors if isinstance(factor, Causal | CausalTopLeft)]
    return min(left, default=NO_LIMIT), min(right, default=NO_LIMIT)


def _segments(factors: tuple[Mask, ...], layouts: Layouts) -> list[_Segment]:
    hides_keys, hides_queries = Not(Padding()) in factors, Not(PaddedQueries()) in factors
    segments = []
    for row, layout in enumerate(layouts):
        queries, keys = layout.queries, layout.keys
        kept_queries = queries.real if hides_keys or hides_queries else np.ones(queries.length, dtype=bool)
        kept_keys = keys.real if hides_keys else np.ones(keys.length, dtype=bool)
        first_query, first_key = row * queries.length, row * keys.length
        apart = Documents() in factors
        ids = np.union1d(queries.documents, keys.documents) if apart else np.zeros(1, dtype=np.int32)
        for document in ids:
            of_queries = kept_queries & (queries.documents == document) if apart else kept_queries
            of_keys = kept_keys & (keys.documents == document) if apart else kept_keys
            segments.append(
                _Segment(
                    first_query + np.flatnonzero(of_queries),
                    first_key + np.flatnonzero(of_keys),
                    first_query,
                    first_key,
                )
            )
    return segments


def _are_aligned(segments: list[_Segment], offset: int) -> bool:
    """Whether positions within each segment are as far apart as in the batch."""
    for segment in segments:
        queries, keys = segment.queries - segment.first_query, segment.keys - segment.first_key
        if queries.size and keys.size:
            whole = np.all(np.diff(queries) == 1) and np.all(np.diff(keys) == 1)
            if not whole or keys[-1] - queries[-1] != offset:
                return False
    return True


def _are_whole(segments: list[_Segment], layouts: Layouts) -> bool:
    layout = layouts[0]
    whole = all(part.queries.size == layout.query_len and part.keys.size == layout.key_len for part in segments)
    return whole and len(segments) == len(layouts)


def _ends(parts: list[Places]) -> str:
    ends = np.cumsum([0, *(part.size for part in parts)]).tolist()
    return f"torch.tensor({ends}, dtype=torch.int32)"


def _ranges(parts: list[Places]) -> str:
    places = np.concatenate(parts)
    if not places.size:
        return "torch.arange(0)"
    cuts = np.flatnonzero(np.diff(places) != 1) + 1
    runs = [f"torch.arange({run[0]}, {run[-1] + 1})" for run in np.split(places, cuts)]
    return runs[0] if len(runs) == 1 else f"torch.cat([{', '.join(runs)}])"
