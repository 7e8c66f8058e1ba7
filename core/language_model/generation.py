"""Greedy text, many prompts at once, with a key-value cache: transformers' own `generate`. Workers only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from core.contracts.errors import InvalidParams
from core.language_model.data import padding_id
from core.language_model.libraries import silent_transformers
from core.language_model.pretrain import ProgressCallback
from core.language_model.torch_state import evaluating

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PHASE = "generating text"
BATCH_SIZE = 128


def generate(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int = 24,
    progress: ProgressCallback | None = None,
) -> list[str]:
    """The likeliest next token, again and again until <eos>, for each prompt of token ids; the text after the prompt.

    `model` may be on any device, and may be a peft model. Special tokens are left out of the texts. `progress` is
    called at every token, and may raise. Raises InvalidParams for an empty prompt, or one that fills the
    model's context.
    """
    if not prompts:
        return []
    shortest, longest = min(map(len, prompts)), max(map(len, prompts))
    room = context_length(model) - longest
    if shortest < 1 or room < 1:
        raise InvalidParams(
            f"A prompt of {longest if shortest else 0} tokens cannot be continued by a model with a context of "
            f"{context_length(model)}: take 1 to {context_length(model) - 1}."
        )
    texts: list[str] = []
    with evaluating(model), silent_transformers():
        for start in range(0, len(prompts), BATCH_SIZE):
            part = prompts[start : start + BATCH_SIZE]
            texts += _continued(model, tokenizer, part, min(max_new_tokens, room), _part_of(progress, start, prompts))
    return texts


def context_length(model: Any) -> int:
    """Tokens that the model can attend to at once, as its configuration has it."""
    return int(getattr(model.config, "max_position_embeddings", 0) or 1024)


def text_prompt(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """<bos> text: a prompt to be continued."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids if tokenizer.bos_token_id is None else [tokenizer.bos_token_id, *ids]


def _continued(
    model: Any, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Sequence[int]], new_tokens: int, each: Any
) -> list[str]:
    from transformers import GenerationConfig, StoppingCriteriaList

    padding = padding_id(tokenizer)
    length = max(map(len, prompts))
    # Padding on the left, so that every prompt ends where the new tokens begin.
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
        stopping_criteria=StoppingCriteriaList([each(length, new_tokens)]),
    )
    # A model with prompt vectors of its own may or may not repeat the prompt's ids: transformers always does.
    texts: list[str] = tokenizer.batch_decode(output[:, length:], skip_special_tokens=True)
    return texts


def _part_of(progress: ProgressCallback | None, done: int, prompts: Sequence[Sequence[int]]) -> Any:
    """Makes the 'criterion' that stops nothing and ticks at every token of the batch that begins at `done`."""
    here = min(BATCH_SIZE, len(prompts) - done)

    def each(length: int, new_tokens: int) -> Any:
        def criterion(input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
            if progress is not None:
                share = (input_ids.shape[1] - length) / new_tokens
                progress(done + here * share, len(prompts), PHASE)
            return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

        return criterion

    return each
