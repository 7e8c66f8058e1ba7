"""What a model says to held-out rows. Workers only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.engine.steps import ProgressCallback
from core.language_model.data import prompt_ids
from core.language_model.evaluation import Answers, exact_match
from core.language_model.table_task import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    progress: ProgressCallback,
    by_length: bool,
) -> Answers:
    """The rows answered greedily, in their order.

    `by_length` answers rows of as many tokens together, so that nothing is padded: with a prompt or prefix peft puts
    padding between that and the row and counts it as positions, which training never does.
    """
    lengths = [len(prompt_ids(tokenizer, example.row)) if by_length else 0 for example in examples]
    texts, right = [""] * len(examples), np.zeros(len(examples), dtype=bool)
    done = 0
    for length in sorted(set(lengths)):
        rows = [index for index, found in enumerate(lengths) if found == length]

        def told(share: float, total: float, what: str, begun: int = done, count: int = len(rows)) -> None:
            progress(begun + count * share / total, len(examples), what)

        found = exact_match(model, tokenizer, [examples[index] for index in rows], told)
        for index, text, correct in zip(rows, found.texts, found.right, strict=True):
            texts[index], right[index] = text, correct
        done += len(rows)
    return Answers(tuple(texts), right)
