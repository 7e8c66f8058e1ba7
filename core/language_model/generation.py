"""Greedy generation for many prompts at once, with a KV cache: transformers' own `generate`. Workers only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.language_model.data import padding_id
from core.language_model.libraries import silent_transformers
from core.language_model.pretrain import ProgressCallback
from core.language_model.torch_state import evaluating

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PHASE = tr("generating text")
BATCH_SIZE = 128


def generate(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int = 24,
    progress: ProgressCallback | None = None,
) -> list[str]:
    """Continue each prompt of token ids greedily until <eos>. Returns the text after the prompt.

    `model` may be on any device and may be a PEFT model. The texts contain no special tokens. `progress` is called at
    every token and may raise. Raises InvalidParams for an empty prompt or one that fills the model's context.
    """
    if not prompts:
        return []
    shortest, longest = min(map(len, prompts)), max(map(len, prompts))
    free_tokens = context_length(model) - longest
    if shortest < 1 or free_tokens < 1:
        raise InvalidParams(
            tr(
                "A model with a context of {context} tokens cannot continue a prompt of {tokens} tokens: use 1 to "
                "{largest} tokens.",
                context=context_length(model),
                tokens=longest if shortest else 0,
                largest=context_length(model) - 1,
            )
        )
    texts: list[str] = []
    with evaluating(model), silent_transformers():
        for start in range(0, len(prompts), BATCH_SIZE):
            batch = prompts[start : start + BATCH_SIZE]
            reporting = _progress_criterion(progress, start, prompts)
            texts += _continued(model, tokenizer, batch, min(max_new_tokens, free_tokens), reporting)
    return texts


def context_length(model: Any) -> int:
    """The model's context length in tokens, from its configuration."""
    return int(getattr(model.config, "max_position_embeddings", 0) or 1024)


def text_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """<bos> text: a prompt for generation."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids if tokenizer.bos_token_id is None else [tokenizer.bos_token_id, *ids]


def _continued(
    model: Any, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Sequence[int]], new_tokens: int, criterion: Any
) -> list[str]:
    from transformers import GenerationConfig, StoppingCriteriaList

    padding = padding_id(tokenizer)
    length = max(map(len, prompts))
    # Padding goes on the left, so that every prompt ends where the new tokens begin.
    input_ids = torch.tensor([[padding] * (length - len(prompt)) + list(prompt) for prompt in prompts])
    attention_mask = torch.tensor([[0] * (length - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    greedy = GenerationConfig(
        max_new_tokens=new_tokens,
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        pad_token_id=padding,
        eos_token_id=tokenizer.eos_token_id,
        use_cache=True,
    )
    output = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=attention_mask.to(model.device),
        generation_config=greedy,
        stopping_criteria=StoppingCriteriaList([criterion(length, new_tokens)]),
    )
    # transformers repeats the prompt's ids in the output, also for models with learned prompt vectors.
    texts: list[str] = tokenizer.batch_decode(output[:, length:], skip_special_tokens=True)
    return texts


def _progress_criterion(progress: ProgressCallback | None, done: int, prompts: Sequence[Sequence[int]]) -> Any:
    """A stopping criterion that never stops. It reports progress at every token of the batch that begins at `done`."""
    batch_size = min(BATCH_SIZE, len(prompts) - done)

    def criterion_for(length: int, new_tokens: int) -> Any:
        def criterion(input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
            if progress is not None:
                share = (input_ids.shape[1] - length) / new_tokens
                progress(done + batch_size * share, len(prompts), PHASE)
            return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

        return criterion

    return criterion_for
