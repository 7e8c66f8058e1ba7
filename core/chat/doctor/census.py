"""Counts over all conversations of a data set, in bounded memory: 40 bytes per conversation, and 8 per token of the
vocabulary."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.chat.doctor.case import Case

_SAMPLED = 16
_SAMPLED_TOKENS = 1_024

LossOf = Callable[[Case], float]
"""The sum of the losses of a conversation's targets, in nats."""


class UnigramLoss:
    """The loss of a model that knows nothing but how often each token has been a target so far.

    A stand-in for a language model's: it costs nothing and differs from token to token. With counts c of N targets seen
    and a vocabulary of V, a target costs -ln((c + 1) / (N + V)) (Laplace's rule); the conversation's own targets count
    as seen.
    """

    def __init__(self, vocabulary: int) -> None:
        self._counts = np.ones(vocabulary, dtype=np.int64)
        self._total = vocabulary

    def __call__(self, case: Case) -> float:
        ids = case.encoded.ids[case.trained]
        np.add.at(self._counts, ids, 1)
        self._total += len(ids)
        return float((np.log(self._total) - np.log(self._counts[ids])).sum())


@dataclass
class Census:
    """Per conversation: its number in the data, its `whole_lengths` in tokens, the `lengths` that truncation leaves,
    the `targets` among those, and their summed loss in nats. `samples` are the tokens of the first conversations."""

    loss_of: LossOf
    _numbers: array[int] = field(default_factory=lambda: array("q"))
    _whole_lengths: array[int] = field(default_factory=lambda: array("q"))
    _lengths: array[int] = field(default_factory=lambda: array("q"))
    _targets: array[int] = field(default_factory=lambda: array("q"))
    _losses: array[float] = field(default_factory=lambda: array("d"))
    samples: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, case: Case) -> None:
        kept = range(len(case.encoded))[case.kept]
        self._numbers.append(case.number)
        self._whole_lengths.append(len(case.encoded))
        self._lengths.append(len(kept))
        self._targets.append(int(np.count_nonzero(case.trained)))
        self._losses.append(self.loss_of(case))
        if len(self.samples) < _SAMPLED:
            tokens = kept[:_SAMPLED_TOKENS]
            self.samples.append(tuple(case.token_text(token) or case.encoded.tokens[token] for token in tokens))

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def numbers(self) -> NDArray[np.int64]:
        return np.array(self._numbers, dtype=np.int64)

    @property
    def whole_lengths(self) -> NDArray[np.int64]:
        return np.array(self._whole_lengths, dtype=np.int64)

    def last_of(self, number: int) -> tuple[int, int]:
        """Length and targets of the conversation that was added last; zeros if that is another one."""
        if not self._numbers or self._numbers[-1] != number:
            return 0, 0
        return self._whole_lengths[-1], self._targets[-1]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.array(self._lengths, dtype=np.int64)

    @property
    def targets(self) -> NDArray[np.int64]:
        return np.array(self._targets, dtype=np.int64)

    @property
    def losses(self) -> NDArray[np.float64]:
        return np.array(self._losses, dtype=np.float64)
