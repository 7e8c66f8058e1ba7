"""Conversations as tensors: one per row with padding, or packed with or without document mask. Workers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.chat.packing import Packing, pack
from core.chat.targets import IGNORED
from core.topics.dialogue.examples import Example


@dataclass(frozen=True)
class Rows:
    """What a model reads, all [batch, length] int64: `ids`, `labels` (IGNORED where there is no target), `positions`,
    and `turns`, the assistant turn that a target belongs to, -1 elsewhere. `sees`, bool [batch, 1, length, length],
    says which query sees which key; a pad sees itself."""

    ids: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor
    turns: torch.Tensor
    sees: torch.Tensor
    tokens: int

    @property
    def targets(self) -> int:
        return int((self.labels[:, 1:] != IGNORED).sum())

    def inputs(self) -> dict[str, torch.Tensor]:
        """The arguments of a causal language model of transformers."""
        return {"input_ids": self.ids, "position_ids": self.positions, "attention_mask": self.sees}


def one_per_row(examples: Sequence[Example]) -> Rows:
    """One conversation per row, padded on the right."""
    lengths = [len(example) for example in examples]
    segments = [np.zeros(length, dtype=np.int64) for length in lengths]
    positions = [np.arange(length) for length in lengths]
    return _rows([[example] for example in examples], segments, positions, document_mask=True)


def packed(
    examples: Sequence[Example], capacity: int, *, document_mask: bool = True, positions_reset: bool = True
) -> tuple[Rows, Packing]:
    """The conversations packed into rows of at most `capacity` tokens, best fit decreasing; none may be longer."""
    packing = pack([len(example) for example in examples], capacity)
    members = [[examples[document] for document in packing.document[packing.pieces_of(row)]] for row in _range(packing)]
    segments = [packing.segment_ids(row) for row in _range(packing)]
    positions = [packing.position_ids(row, reset=positions_reset) for row in _range(packing)]
    return _rows(members, segments, positions, document_mask), packing


def _range(packing: Packing) -> range:
    return range(packing.rows)


def _rows(
    members: Sequence[Sequence[Example]],
    segments: Sequence[np.ndarray],
    positions: Sequence[np.ndarray],
    document_mask: bool,
) -> Rows:
    length = max(len(row) for row in segments)
    count = len(members)
    ids, labels, turns, places = (np.zeros((count, length), dtype=np.int64) for _ in range(4))
    labels[:], turns[:] = IGNORED, -1
    segment = np.full((count, length), -1, dtype=np.int64)
    for row, examples in enumerate(members):
        end = len(segments[row])
        ids[row, :end] = np.concatenate([example.ids for example in examples])
        labels[row, :end] = np.concatenate([_first_ignored(example.labels) for example in examples])
        turns[row, :end] = np.concatenate([example.turns for example in examples])
        places[row, :end] = positions[row]
        segment[row, :end] = segments[row] if document_mask else 0
    same = segment[:, :, None] == segment[:, None, :]
    causal = np.tril(np.ones((length, length), dtype=bool))
    sees = same & causal & (segment >= 0)[:, None, :]
    sees |= np.eye(length, dtype=bool)  # a softmax over nothing would be NaN
    return Rows(
        ids=torch.from_numpy(ids),
        labels=torch.from_numpy(labels),
        positions=torch.from_numpy(places),
        turns=torch.from_numpy(turns),
        sees=torch.from_numpy(sees[:, None]),
        tokens=int((segment >= 0).sum()),
    )


def _first_ignored(labels: np.ndarray) -> np.ndarray:
    """The labels without the first: no token of the same conversation predicts it, only the one packed before."""
    return np.concatenate(([IGNORED], labels[1:]))
