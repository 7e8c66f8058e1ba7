"""The model of the decoder page: texts, shapes, counts, masks and what a change can reach."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from core.contracts.errors import InvalidParams
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import plan
from core.topics.decoder.tokens import MAX_TOKENS, split

KINDS = ("encoder-decoder", "decoder-only", "encoder-only")


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("source", "   ", "source is empty"),
        ("target", "", "target is empty"),
        ("source", "word " * (MAX_TOKENS + 1), f"has {MAX_TOKENS + 1} tokens"),
        ("source", "x" * 200_000, "longer than 4,096 characters"),
    ],
)
def test_that_a_text_that_cannot_be_used_is_one_sentence(field: str, text: str, reason: str) -> None:
    with pytest.raises(InvalidParams, match=reason) as refused:
        DecoderParams.parse({field: text, "padding": 0})
    assert refused.value.field == field


def test_that_a_position_past_the_end_names_the_last_one() -> None:
    with pytest.raises(InvalidParams, match="use 0 to 6") as refused:
        DecoderParams.parse({"perturb": "source", "position": 7})
    assert refused.value.field == "position"
    assert plan(DecoderParams.parse({"perturb": "none", "position": 7})).perturbation is None


def test_that_an_encoder_alone_asks_for_no_target() -> None:
    planned = plan(DecoderParams(kind="encoder-only", target="", perturb="target", position=50))
    assert planned.perturbation is None
    assert planned.attentions == ()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", ["post-norm", "pre-norm"])
def test_that_counted_parameters_are_those_of_torch(kind: str, norm: str) -> None:
    planned = plan(DecoderParams(kind=kind, norm=norm, heads=2, feed_forward=48, encoder_layers=3))
    shape = (64, 2, 48)
    encoder_layer = sum(p.numel() for p in nn.TransformerEncoderLayer(*shape).parameters())
    decoder_layer = sum(p.numel() for p in nn.TransformerDecoderLayer(*shape).parameters())
    stacks = {
        "encoder-decoder": (3 * encoder_layer + decoder_layer, 2),
        "decoder-only": (encoder_layer, 1),
        "encoder-only": (3 * encoder_layer, 1),
    }
    layers, ends = stacks[kind]
    assert planned.parameters == layers + (ends * 2 * 64 if norm == "pre-norm" else 0)


def test_that_only_an_encoder_decoder_has_two_attentions() -> None:
    attentions = {kind: plan(DecoderParams(kind=kind, position=1)).attentions for kind in KINDS}
    assert attentions == {
        "encoder-decoder": ("decoder.self", "decoder.cross"),
        "decoder-only": ("decoder.self",),
        "encoder-only": (),
    }


@pytest.mark.parametrize("norm", ["post-norm", "pre-norm"])
def test_that_the_edges_say_where_q_k_and_v_come_from(norm: str) -> None:
    flow = plan(DecoderParams(norm=norm)).flow
    start = {edge.end: edge.start for edge in flow.edges if edge.end.startswith("decoder.cross.")}
    assert start["decoder.cross.k"] == start["decoder.cross.v"] == "memory"
    assert start["decoder.cross.q"] == ("decoder.self.norm" if norm == "post-norm" else "decoder.cross.norm")
    order = {node.id: index for index, node in enumerate(flow.nodes)}
    assert all(order[edge.start] < order[edge.end] for edge in flow.edges)
    assert all(edge.shape == flow.node(edge.start).shape for edge in flow.edges)


WORDS = st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=9).map(" ".join)


@given(WORDS, WORDS, st.integers(0, 3), st.sampled_from(KINDS), st.booleans(), st.integers(0, 30), st.booleans())
def test_that_a_change_reaches_what_the_masks_say_by_brute_force(
    source: str, target: str, padding: int, kind: str, causal: bool, position: int, in_source: bool
) -> None:
    params = DecoderParams(source=source, target=target, padding=padding, kind=kind, causal=causal, perturb="none")
    perturb = "source" if in_source else "target"
    length = len(split(source if in_source else target, "words")) + 1
    params = params.changed(perturb=perturb, position=position % length)
    planned = plan(params)
    if kind == "encoder-only" and not in_source:
        assert not planned.reach
        return
    assert planned.perturbation is not None
    last = planned.reach["output" if kind != "encoder-only" else "memory"]
    changed = planned.perturbation.position
    if kind == "decoder-only" or not in_source:
        expected = np.arange(len(last)) >= changed if causal else np.ones(len(last), dtype=bool)
    else:
        expected = np.ones(len(last), dtype=bool)
    np.testing.assert_array_equal(last, expected)


def test_that_distinct_tokens_never_share_an_id() -> None:
    source, target = (" ".join(f"{letter}{i}" for i in range(MAX_TOKENS)) for letter in "ab")
    inputs = plan(DecoderParams(source=source, target=target)).inputs
    assert inputs.source is not None
    assert inputs.target is not None
    texts = itertools.chain(zip(inputs.source.labels, inputs.source.ids, strict=True),
                            zip(inputs.target.labels, inputs.target.ids, strict=True))  # fmt: skip
    by_label = dict(texts)
    assert len(set(by_label.values())) == len(by_label) == 2 * MAX_TOKENS + 3
