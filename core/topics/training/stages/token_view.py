"""One sampled answer as a record for the window. Workers only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from core.topics.training.stages.answer_batch import AnswerBatch
from core.topics.training.stages.records import TokenView

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def token_view(
    tokenizer: PreTrainedTokenizerBase,
    answer: AnswerBatch,
    *,
    prompt: str,
    logprobs: torch.Tensor,
    reference: torch.Tensor,
    advantages: torch.Tensor,
    clipped: torch.Tensor,
    score: float,
    true_reward: float,
    rewards: torch.Tensor | None = None,
    values: torch.Tensor | None = None,
) -> TokenView:
    """The first answer of a batch. All tensors are [batch, length]; their first rows are shown."""
    length = int(answer.lengths[0])

    def row(tensor: torch.Tensor | None) -> tuple[float, ...]:
        return () if tensor is None else tuple(tensor[0, :length].tolist())

    return TokenView(
        prompt=prompt,
        tokens=tuple(tokenizer.decode([token]) for token in answer.answers[0, :length].tolist()),
        logprobs=row(logprobs),
        reference=row(reference),
        advantages=row(advantages),
        clipped=tuple(bool(value) for value in clipped[0, :length].tolist()),
        score=score,
        true_reward=true_reward,
        rewards=row(rewards),
        values=row(values),
    )
