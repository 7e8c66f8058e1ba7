"""Packing against TRL's `pack_dataset`, and the boundaries against transformers' padding-free collator.

Skipped where TRL is not installed: see `make test-peers`.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
pytest.importorskip("trl")

from core.chat.packing import BFD, BFD_SPLIT, WRAPPED, Packing, pack

CAPACITY = 256


def _lengths() -> list[int]:
    """As many as TRL packs at once, some of them empty and some longer than a row."""
    lengths = np.random.default_rng(0).lognormal(4, 1, 1000).astype(int)
    lengths[::100] = 0
    assert (lengths > CAPACITY).any()
    return lengths.tolist()


def _tokens(lengths: list[int]) -> list[list[int]]:
    """Documents of these lengths; every token has a number of its own."""
    ends = np.cumsum(lengths)
    return [list(range(int(end) - length, int(end))) for end, length in zip(ends, lengths, strict=True)]


def _packed(packing: Packing, tokens: list[list[int]]) -> tuple[list[list[int]], list[list[int]]]:
    """The tokens of each row, and the lengths of its pieces."""
    rows: list[list[int]] = [[] for _ in range(packing.rows)]
    sizes: list[list[int]] = [[] for _ in range(packing.rows)]
    for row, document, start, length in zip(packing.row, packing.document, packing.start, packing.length, strict=True):
        rows[row] += tokens[document][start : start + length]
        sizes[row].append(int(length))
    return rows, sizes


@pytest.mark.parametrize("strategy", [BFD, BFD_SPLIT, WRAPPED])
def test_that_rows_are_those_of_trl(strategy: str) -> None:
    from datasets import Dataset
    from trl import pack_dataset

    lengths = _lengths()
    tokens = _tokens(lengths)
    theirs = pack_dataset(Dataset.from_dict({"input_ids": tokens}), CAPACITY, strategy)
    rows, sizes = _packed(pack(lengths, CAPACITY, strategy), tokens)

    assert rows == theirs["input_ids"][:]
    if strategy != WRAPPED:  # which does not keep where documents begin
        assert sizes == theirs["seq_lengths"][:]


def test_that_boundaries_and_positions_are_those_of_the_padding_free_collator() -> None:
    from transformers import DataCollatorWithFlattening

    lengths = [5, 17, 3, 9]
    packing = pack(lengths, sum(lengths), BFD)
    tokens = _tokens(lengths)
    collator = DataCollatorWithFlattening(return_flash_attn_kwargs=True, return_position_ids=True)
    batch = collator([{"input_ids": tokens[document]} for document in packing.document])

    assert packing.rows == 1
    assert batch["position_ids"][0].tolist() == packing.position_ids(0).tolist()
    assert batch["cu_seq_lens_q"].tolist() == packing.cu_seqlens.tolist()
