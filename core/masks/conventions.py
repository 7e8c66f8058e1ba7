"""Comments for the emitted code: which ends a library aligns when lengths differ, and what its window counts.

Libraries disagree silently. `is_causal=True` of PyTorch's SDPA is aligned top-left (torch.nn.functional,
scaled_dot_product_attention); flash-attn is aligned bottom-right since version 2.1 (its README, changes of 2.1); the
indices of FlexAttention and of the mask functions of transformers count from 0 on both sides.
"""

from __future__ import annotations

from core.masks.layout import Layout
from core.masks.nodes import ALIGNED_TERMS, Causal, CausalTopLeft, Mask, Window, terms_of

_NOTHING_TO_ALIGN = "# No term compares positions, so it does not matter which ends are aligned."


def flex_lines(mask: Mask, layout: Layout) -> list[str]:
    """For FlexAttention, where the code itself decides."""
    aligned = _aligned(
        mask,
        layout,
        f"# Bottom-right: the last query is at the last key. q_idx and kv_idx count from 0, hence {layout.offset:+d}.",
        "# Top-left: q_idx and kv_idx both count from 0, with no offset.",
    )
    return [*aligned, *_windows(mask, "# Code with q_idx - kv_idx <= {n} shows one key more.")]


def sdpa_lines(mask: Mask, layout: Layout) -> list[str]:
    """For scaled_dot_product_attention: whether is_causal=True would be the same mask."""
    aligned = _aligned(
        mask,
        layout,
        "# Bottom-right: the last query is at the last key. is_causal=True is top-left, another mask: pass this one, "
        "or\n# for causal alone torch.nn.attention.bias.causal_lower_right(query_len, key_len).",
        "# Top-left: query i is at key i, as is_causal=True has it.",
    )
    if mask == Causal() and not layout.offset:
        aligned.append("# is_causal=True is the same mask here.")
    return [*aligned, *_windows(mask, "# SDPA has no window of its own.")]


def flash_attn_lines(mask: Mask, layout: Layout) -> list[str]:
    """For flash-attn, whose two numbers count the keys beside the query's own."""
    aligned = _aligned(
        mask,
        layout,
        "# Bottom-right: the last query is at the last key, as flash-attn 2.1 and later align (2.0 was top-left).",
        "# Top-left: flash-attn 2.1 and later align bottom-right.",
    )
    beside = "# window_size=(left, right) counts the keys beside it: left = {before}. -1 is no limit."
    return [*aligned, *_windows(mask, beside)]


def transformers_lines(mask: Mask, layout: Layout) -> list[str]:
    """For Hugging Face models, which give mask functions the length of the cache as q_offset."""
    aligned = _aligned(
        mask,
        layout,
        "# Bottom-right: the last query is at the last key. A model with a cache gets this by q_offset; here it is 0,\n"
        f"# and causal_mask_function alone would be top-left, so the functions above have {layout.offset:+d}.",
        "# Top-left: causal_mask_function with q_offset=0.",
    )
    return [*aligned, *_windows(mask, "# config.sliding_window = {n} counts the same.")]


def _aligned(mask: Mask, layout: Layout, bottom_right: str, top_left: str) -> list[str]:
    terms = terms_of(mask)
    compares = [term for term in terms if isinstance(term, ALIGNED_TERMS)]
    if not layout.offset:
        return ["# Both lengths are equal: top-left and bottom-right are the same."] if compares else []
    if not compares:
        return [_NOTHING_TO_ALIGN]
    lines = []
    if any(not isinstance(term, CausalTopLeft) for term in compares):
        lines += bottom_right.split("\n")
    if CausalTopLeft() in terms:
        lines.append(top_left)
    return lines


def _windows(mask: Mask, convention: str) -> list[str]:
    """Two comments for each window: what it shows here, and the library's own counting."""
    windows = [term for term in terms_of(mask) if isinstance(term, Window) and term.count]
    return [
        line
        for term in windows
        for line in (
            f"# {term}: the query's own key and the {term.count - 1} before it.",
            convention.format(n=term.count, before=term.count - 1),
        )
    ]
