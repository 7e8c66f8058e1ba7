"""A language model whose head gives one number per token: the reward model, and PPO's value model."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from core.language_model.torch_state import seeded
from core.topics.training.stages.answer_batch import AnswerBatch


class ScalarModel(nn.Module):
    """The layers of a language model with a scalar head in place of the one over the vocabulary.

    As a reward model it scores an answer by the number at the answer's last token. As a value model it estimates at
    every token the reward that is still to come. The head begins at 0, so that no score differs before training.
    """

    def __init__(self, language_model: Any) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(language_model.model)
        with seeded(0):  # a new layer draws random numbers
            self.head = nn.Linear(language_model.config.hidden_size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.requires_grad_(True)

    def values(self, batch: AnswerBatch) -> torch.Tensor:
        """The number at the token before each one of the answers, [batch, length]; 0 for padding."""
        start, length = batch.prompts.shape[1] - 1, batch.answers.shape[1]
        return self._numbers(batch)[:, start : start + length] * batch.mask

    def scores(self, batch: AnswerBatch) -> torch.Tensor:
        """The number at the last token of each answer, [batch]."""
        last = batch.prompts.shape[1] + batch.lengths - 1
        return self._numbers(batch).gather(1, last[:, None]).squeeze(1)

    def _numbers(self, batch: AnswerBatch) -> torch.Tensor:
        hidden = self.backbone(**batch.inputs(), use_cache=False).last_hidden_state
        numbers: torch.Tensor = self.head(hidden).squeeze(-1)
        return numbers
