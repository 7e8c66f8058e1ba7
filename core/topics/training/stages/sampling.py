"""Answers sampled from a model, with a KV cache: the rollouts of PPO and GRPO, and the answers of preference pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from core.language_model.data import padding_id
from core.language_model.torch_state import evaluating
from core.topics.training.stages.answer_batch import AnswerBatch, from_tokens, prompt_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def sample_answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    max_tokens: int,
    temperature: float,
    generator: torch.Generator,
) -> AnswerBatch:
    """One answer for each prompt, drawn token by token until <eos> or `max_tokens`. `generator` determines them.

    `temperature` 0 takes the likeliest token. A prompt may be repeated; its answers are drawn independently.
    Raises FloatingPointError if the model's probabilities are NaN.
    """
    padding, end = padding_id(tokenizer), tokenizer.eos_token_id
    batch = from_tokens([prompt_tokens(tokenizer, text) for text in prompts], [[]] * len(prompts), padding)
    attention, cache = batch.prompt_mask, None
    positions = (attention.cumsum(dim=1) - 1).clamp(min=0)
    tokens, running = batch.prompts, torch.ones(len(prompts), 1, dtype=torch.long)
    answers, masks = [], []
    with evaluating(model):
        for _ in range(max_tokens):
            output = model(
                input_ids=tokens,
                attention_mask=attention,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
            cache = output.past_key_values
            tokens = torch.where(running == 1, _drawn(output.logits[:, -1], temperature, generator), padding)
            answers.append(tokens)
            masks.append(running)
            running = running * (tokens != end)
            if not running.any():
                break
            attention = torch.cat((attention, torch.ones_like(running)), dim=1)
            positions = positions[:, -1:] + 1
    return AnswerBatch(batch.prompts, batch.prompt_mask, torch.cat(answers, dim=1), torch.cat(masks, dim=1))


def _drawn(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
    """One token id for each row, [batch, 1], from logits [batch, vocabulary]."""
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    probabilities = (logits / temperature).softmax(dim=-1)
    if not torch.isfinite(probabilities).all():
        raise FloatingPointError("the probabilities are NaN")
    return torch.multinomial(probabilities, 1, generator=generator)
