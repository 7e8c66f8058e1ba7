"""What the emitted code says about alignment and windows, checked against what PyTorch and transformers do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from core.masks import Layout, Mask, parse, visible_matrix
from core.masks.flash_attn_code import flash_attn_call
from core.masks.source_code import flex_mask_mod, torch_bool_tensor, transformers_mask

WRITERS = (flex_mask_mod, torch_bool_tensor, flash_attn_call, transformers_mask)


def comments(mask: Mask, layout: Layout) -> list[str]:
    texts = (writer(mask, (layout,)) for writer in WRITERS)
    return ["\n".join(line for line in text.splitlines() if line.startswith("#")) for text in texts]


@pytest.mark.parametrize(("queries", "keys"), [(4, 9), (9, 4)])
def test_that_sdpa_aligns_is_causal_top_left_and_lower_right_as_we_say(queries: int, keys: int) -> None:
    layout = Layout.of(queries, keys)
    q, v = torch.zeros(1, 1, queries, keys), torch.eye(keys)[None, None]
    k = torch.zeros(1, 1, keys, keys)
    top_left = scaled_dot_product_attention(q, k, v, is_causal=True)[0, 0] > 0
    np.testing.assert_array_equal(top_left.numpy(), visible_matrix(parse("causal_top_left"), layout))
    if keys > queries:
        both_ends = scaled_dot_product_attention(q, k, v, attn_mask=causal_lower_right(queries, keys))[0, 0] > 0
        np.testing.assert_array_equal(both_ends.numpy(), visible_matrix(parse("causal"), layout))


def test_that_every_snippet_says_which_ends_it_aligns() -> None:
    for text in comments(parse("causal"), Layout.of(4, 9)):
        assert "Bottom-right" in text
    flex, sdpa, flash, library = comments(parse("causal_top_left"), Layout.of(4, 9))
    assert all("Top-left" in text for text in (flex, sdpa, library))
    assert "no argument for causal_top_left" in flash
    for text in comments(parse("causal"), Layout.of(5)):
        assert "Both lengths are equal" in text
    for text in comments(parse("~padding"), Layout.of(4, 9)):
        assert "does not matter which ends" in text


def test_that_every_snippet_says_whether_a_window_counts_the_own_key() -> None:
    for text in comments(parse("causal & window(4)"), Layout.of(9)):
        assert "window(4): the query's own key and the 3 before it." in text
    assert "window_size=(3, 0)" in flash_attn_call(parse("causal & window(4)"), (Layout.of(9),))
