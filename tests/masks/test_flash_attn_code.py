"""The emitted arguments of flash-attn, read as its documentation defines them: they must give the same matrix."""

from __future__ import annotations

import re
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.masks import Layout, Mask, Side, parse, visible_matrix
from core.masks.flash_attn_code import flash_attn_call
from core.masks.presets import PRESET_IDS
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import plan


@pytest.fixture(autouse=True)
def flash_attn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of that name, so that the emitted imports work without a GPU."""
    package = ModuleType("flash_attn")
    package.flash_attn_func = package.flash_attn_varlen_func = None  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "flash_attn", package)


def executed(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "<emitted>", "exec"), names)
    return names


def attended(names: dict[str, Any], batch: int, query_len: int, key_len: int) -> np.ndarray[Any, Any]:
    """bool [batch * query_len, batch * key_len], from flash-attn's own definition: query i of a sequence with q queries
    and k keys sees the keys i + k - q - left to i + k - q + right."""
    arguments = names["arguments"]
    left, right = arguments["window_size"]
    if arguments["causal"]:
        right = 0
    seen = np.zeros((batch * query_len, batch * key_len), dtype=bool)
    queries, keys = (
        names[f"kept_{side}"].numpy() if f"kept_{side}" in names else np.arange(batch * length)
        for side, length in (("queries", query_len), ("keys", key_len))
    )
    ends = [
        arguments[f"cu_seqlens_{side}"].tolist()
        if f"cu_seqlens_{side}" in arguments
        else list(np.arange(batch + 1) * n)
        for side, n in (("q", query_len), ("k", key_len))
    ]
    for (q0, q1), (k0, k1) in zip(*map(pairwise, ends), strict=True):
        position = np.arange(q1 - q0)[:, None] + (k1 - k0) - (q1 - q0)
        j = np.arange(k1 - k0)[None, :]
        within = (left < 0) | (j >= position - left)
        within = within & ((right < 0) | (j <= position + right))
        seen[np.ix_(queries[q0:q1], keys[k0:k1])] = within
    return seen


def assert_same(mask: Mask, sequences: tuple[Layout, ...]) -> None:
    names = executed(flash_attn_call(mask, sequences))
    batch, query_len, key_len = len(sequences), sequences[0].query_len, sequences[0].key_len
    expected = np.zeros((batch * query_len, batch * key_len), dtype=bool)
    for row, layout in enumerate(sequences):
        real = layout.queries.real if "kept_queries" in names else np.ones(query_len, dtype=bool)
        block = visible_matrix(mask, layout) & real[:, None]
        expected[row * query_len : (row + 1) * query_len, row * key_len : (row + 1) * key_len] = block
    got = attended(names, batch, query_len, key_len)
    if "kept_queries" in names:
        got = got & np.concatenate([layout.queries.real for layout in sequences])[:, None]
    np.testing.assert_array_equal(got, expected)


EXPRESSIBLE = {"causal", "bert-padding", "t5-encoder", "t5-decoder", "t5-cross", "mistral-window", "packed-documents"}


@pytest.mark.parametrize("preset", PRESET_IDS)
def test_that_a_preset_becomes_arguments_or_a_reason(preset: str) -> None:
    planned = plan(MasksParams(preset=preset))
    if preset in EXPRESSIBLE:
        assert_same(planned.mask, planned.positions.layouts)
    else:
        source = flash_attn_call(planned.mask, planned.positions.layouts)
        assert executed(source)["arguments"] is None
        assert source.startswith("# flash-attn has no argument for ")


@pytest.mark.parametrize("expression", ["causal & window(4)", "window(3) & ahead(2)", "ahead(1)", "all", "causal"])
@pytest.mark.parametrize(("queries", "keys"), [(5, 9), (9, 5), (7, 7)])
def test_that_windows_and_unequal_lengths_mean_what_flash_attn_means(expression: str, queries: int, keys: int) -> None:
    assert_same(parse(expression), (Layout.of(queries, keys),))


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 12), min_size=1, max_size=3),
    starts=st.lists(st.booleans(), min_size=12, max_size=12),
    expression=st.sampled_from(["causal & documents & ~padding", "~padding & window(3) & ahead(1)", "documents"]),
)
def test_that_pads_are_left_out_and_documents_become_sequences(
    lengths: list[int], starts: list[bool], expression: str
) -> None:
    documents = np.cumsum(starts)
    sequences = tuple(Layout.self_attention(Side.of(12, real=real, documents=documents)) for real in lengths)
    assert_same(parse(expression), sequences)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("causal_top_left", "causal_top_left"),
        ("causal | prefix(2)", r"causal | prefix(2)"),
        ("window(0)", "window(0)"),
        ("causal & turns", "turns"),
    ],
)
def test_that_what_flash_attn_would_ignore_is_refused(expression: str, reason: str) -> None:
    source = flash_attn_call(parse(expression), (Layout.of(4, 9),))
    assert executed(source)["arguments"] is None
    assert re.match(re.escape(f"# flash-attn has no argument for {reason}:"), source)


def test_that_pads_between_tokens_that_move_positions_are_refused() -> None:
    side = Side.of(6, real=np.array([True, False, True, True, True, True]))
    source = flash_attn_call(parse("causal & window(2) & ~padding"), (Layout.self_attention(side),))
    assert executed(source)["arguments"] is None
