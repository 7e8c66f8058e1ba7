"""From parameters to positions: the labels of queries and keys, and the layout of each sequence of the batch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

import numpy as np

from core.masks import Layout, Side, ids_from_lengths
from core.masks.presets import Preset
from core.masks.tokens import Tokens, numbered, stretched, tokenise
from core.topics.masks.params import MAX_LENGTH, MasksParams, numbers_of

_WITHOUT_TEXT = 16


@dataclass(frozen=True, eq=False)
class Positions:
    """Labels of the queries and of the keys, and one layout per sequence of the batch.

    `query_text` and `key_text` are the tokens before they were cut or stretched (`key_text` is None when the keys have
    the text of the queries); `lengths` are the requested ones, () for one sequence without lengths.
    """

    query_labels: tuple[str, ...]
    key_labels: tuple[str, ...]
    layouts: tuple[Layout, ...]
    query_text: Tokens
    key_text: Tokens | None
    lengths: tuple[int, ...]

    @property
    def stretch(self) -> Fraction:
        """Key positions per token of the key text: 1 unless the text is stretched."""
        keys = self.key_text or self.query_text
        return max(Fraction(1), Fraction(len(self.key_labels), len(keys.labels)))

    @property
    def is_cross(self) -> bool:
        """Whether queries and keys have different texts."""
        return self.key_text is not None


def positions(params: MasksParams, preset: Preset) -> Positions:
    """The positions of `params`, cached by the parameters that matter here."""
    return _positions(
        params.query_text or preset.text,
        params.key_text or preset.keys,
        params.seq_len,
        params.key_len,
        numbers_of(params.lengths, "lengths"),
        # The lengths of a preset belong to its text and grow with it.
        () if params.query_text else numbers_of(preset.lengths, "lengths"),
        numbers_of(params.documents, "documents"),
    )


@lru_cache(maxsize=4)
def _positions(
    text: str,
    keys: str,
    seq_len: int,
    key_len: int,
    lengths: tuple[int, ...],
    preset_lengths: tuple[int, ...],
    documents: tuple[int, ...],
) -> Positions:
    query_text = _tokens(text, seq_len)
    query_len = seq_len or len(query_text.labels)
    if keys:
        key_text = _tokens(keys, key_len)
        query_labels, queries = stretched(query_text, query_len)
        key_labels, key_side = stretched(key_text, key_len or len(key_text.labels))
        key_side = _with_documents(key_side, documents)
    else:
        key_text = None
        key_labels, key_side = stretched(query_text, key_len or query_len)
        key_side = _with_documents(key_side, documents)
        query_labels, queries = _last(query_text, key_labels, key_side, query_len)
    if keys or query_len > key_side.length:  # queries that are the last keys have their documents already
        queries = _with_documents(queries, documents)
    if not lengths:
        tokens = len((key_text or query_text).labels)
        lengths = tuple(min(real, tokens) * max(key_side.length, tokens) // tokens for real in preset_lengths)
    square = key_text is None and query_len == key_side.length
    layouts = []
    for real in lengths or (key_side.length,):
        padded = key_side.padded_to(real)
        # In cross-attention the lengths apply to the keys; otherwise the queries are the last of the same positions.
        query_side = queries if key_text is not None else queries.padded_to(real - (key_side.length - query_len))
        layouts.append(Layout.self_attention(padded) if square else Layout(query_side, padded))
    return Positions(query_labels, key_labels, tuple(layouts), query_text, key_text, lengths)


def _tokens(text: str, length: int) -> Tokens:
    """At least one token: a blank text becomes numbered positions."""
    tokens = tokenise(text, MAX_LENGTH)
    return tokens if tokens.labels else replace(numbered(length or _WITHOUT_TEXT), characters=len(text))


def _last(tokens: Tokens, key_labels: tuple[str, ...], keys: Side, query_len: int) -> tuple[tuple[str, ...], Side]:
    """The queries as the last keys (as with a KV cache); with more queries than keys, the text is stretched anew."""
    past = keys.length - query_len
    if past < 0:
        return stretched(tokens, query_len)
    return key_labels[past:], Side(keys.real[past:], keys.documents[past:], keys.turns[past:])


def _with_documents(side: Side, documents: tuple[int, ...]) -> Side:
    if not documents:
        return side
    ids = ids_from_lengths(documents, side.length)
    return replace(side, documents=ids.astype(np.int32))
