"""Prompts and answers as tensors: how all stages after SFT hold them, and the model's log-probabilities of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from core.language_model.data import padding_id, target_ids
from core.language_model.tokenizer import Role
from core.topics.training.stages.tokens import token_logprobs

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class AnswerBatch:
    """Prompts [batch, prompt length], padded on the left, and answers [batch, length], padded on the right, as token
    ids. So every answer begins at the same column. The masks are 1 for a token and 0 for padding."""

    prompts: torch.Tensor
    prompt_mask: torch.Tensor
    answers: torch.Tensor
    mask: torch.Tensor

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def lengths(self) -> torch.Tensor:
        """Tokens of each answer, [batch]."""
        return self.mask.sum(dim=1)

    @property
    def tokens(self) -> int:
        return int(self.mask.sum())

    def inputs(self) -> dict[str, torch.Tensor]:
        """What a model reads: prompt and answer, [batch, prompt length + length]. The first token has position 0."""
        attention = torch.cat((self.prompt_mask, self.mask), dim=1)
        return {
            "input_ids": torch.cat((self.prompts, self.answers), dim=1),
            "attention_mask": attention,
            "position_ids": (attention.cumsum(dim=1) - 1).clamp(min=0),
        }

    def part(self, rows: torch.Tensor | slice) -> AnswerBatch:
        return AnswerBatch(self.prompts[rows], self.prompt_mask[rows], self.answers[rows], self.mask[rows])


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """<bos> <user> text <assistant>"""
    user, assistant = (tokenizer.convert_tokens_to_ids(role.value) for role in (Role.USER, Role.ASSISTANT))
    return [tokenizer.bos_token_id, user, *tokenizer(text, add_special_tokens=False)["input_ids"], assistant]


def answer_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """A space, text <eos>. With the space a name has the same tokens as inside the prompt, so it can be copied."""
    return target_ids(tokenizer, f" {text}")


def answer_batch(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]]) -> AnswerBatch:
    """The batch of these prompts and whole answers; each answer ends with <eos>."""
    prompts = [prompt_tokens(tokenizer, prompt) for prompt, _ in pairs]
    return from_tokens(prompts, [answer_tokens(tokenizer, answer) for _, answer in pairs], padding_id(tokenizer))


def from_tokens(prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], padding: int) -> AnswerBatch:
    """The batch of these token ids."""
    width, length = max(map(len, prompts)), max(map(len, answers))
    left = [[padding] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    left_mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    right = [list(answer) + [padding] * (length - len(answer)) for answer in answers]
    right_mask = [[1] * len(answer) + [0] * (length - len(answer)) for answer in answers]
    return AnswerBatch(*(torch.tensor(rows) for rows in (left, left_mask, right, right_mask)))


def answer_logits(model: Any, batch: AnswerBatch) -> torch.Tensor:
    """The logits that predict each token of the answers: [batch, length, vocabulary]."""
    length = batch.answers.shape[1]
    logits: torch.Tensor = model(**batch.inputs(), use_cache=False, logits_to_keep=length + 1).logits
    return logits[:, :-1]


def answer_logprobs(model: Any, batch: AnswerBatch) -> torch.Tensor:
    """log p of each token of the answers, in nats: [batch, length], 0 where there is padding."""
    return token_logprobs(answer_logits(model, batch), batch.answers) * batch.mask


def answer_texts(tokenizer: PreTrainedTokenizerBase, batch: AnswerBatch) -> list[str]:
    """The answers as texts, without special tokens."""
    texts: list[str] = tokenizer.batch_decode(batch.answers, skip_special_tokens=True)
    return [text.strip() for text in texts]


def ended(tokenizer: PreTrainedTokenizerBase, batch: AnswerBatch) -> torch.Tensor:
    """Whether each answer has come to its end, bool [batch]."""
    ends: torch.Tensor = ((batch.answers == tokenizer.eos_token_id) & (batch.mask == 1)).any(dim=1)
    return ends
