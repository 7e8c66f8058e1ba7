"""How good a model is: loss and perplexity on text, and answers that are right to the letter. Workers only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.data import batch_loss, ordered_batches, prompt_ids
from core.language_model.generation import generate, text_prompt
from core.language_model.pretrain import Tick
from core.language_model.quiet import evaluating
from core.language_model.table_task import Example
from core.language_model.text import Completion

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PHASE = "measuring the loss"
_WINDOWS_AT_ONCE = 16
_LONGEST_ANSWER = 24


@dataclass(frozen=True)
class TextLoss:
    """Mean cross-entropy over `tokens` predicted tokens, in nats per token."""

    loss: float
    tokens: int

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss) if self.loss < 700 else math.inf


@dataclass(frozen=True)
class Answers:
    """`texts` are what the model wrote, `right` [n] bool whether that is what was asked for."""

    texts: tuple[str, ...]
    right: np.ndarray

    @property
    def share_right(self) -> float:
        return float(self.right.mean()) if len(self.right) else math.nan


def windows_loss(
    model: Any, windows: Iterable[torch.Tensor], tick: Tick | None = None, total: int | None = None
) -> TextLoss:
    """The loss over windows of token ids, each [length + 1]: every token but the first of a window is predicted.

    Windows come from `windows`. They are taken a few at a time, so an iterator over a large file is never held.
    `total` is how many there are, for the tick. Sums are kept in float64.
    """
    summed, tokens, done = 0.0, 0, 0
    with evaluating(model):
        for group in _groups(windows):
            ids = torch.stack(group).to(model.device)
            logits = model(input_ids=ids[:, :-1], use_cache=False).logits
            losses = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none"
            )
            summed += float(losses.double().sum())
            tokens += losses.numel()
            done += len(group)
            if tick is not None:
                tick(done, total or done, PHASE)
    return TextLoss(summed / tokens if tokens else math.nan, tokens)


def task_loss(
    model: Any, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], batch_size: int = 64
) -> TextLoss:
    """The loss of the sentences, given their rows: the mean over the tokens that are learned."""
    summed, tokens = 0.0, 0
    with evaluating(model):
        for batch in ordered_batches(examples, tokenizer, batch_size):
            count = batch.learned_tokens
            summed += float(batch_loss(model, batch.to(model.device))) * count
            tokens += count
    return TextLoss(summed / tokens if tokens else math.nan, tokens)


def exact_match(
    model: Any, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], tick: Tick | None = None
) -> Answers:
    """Rows of the table task, answered greedily: right if the sentence is the asked one, letter by letter."""
    prompts = [prompt_ids(tokenizer, example.row) for example in examples]
    texts = generate(model, tokenizer, prompts, _LONGEST_ANSWER, tick)
    right = [text.strip() == example.sentence for text, example in zip(texts, examples, strict=True)]
    return Answers(tuple(text.strip() for text in texts), np.array(right, dtype=bool))


def completion_accuracy(
    model: Any, tokenizer: PreTrainedTokenizerBase, completions: Sequence[Completion], tick: Tick | None = None
) -> Answers:
    """Beginnings of sentences, continued greedily: right if the continuation begins with the value and goes no further
    in the same word."""
    prompts = [text_prompt(tokenizer, completion.prompt) for completion in completions]
    texts = generate(model, tokenizer, prompts, _LONGEST_ANSWER // 2, tick)
    right = [_begins_with(text.strip(), asked.answer) for text, asked in zip(texts, completions, strict=True)]
    return Answers(tuple(text.strip() for text in texts), np.array(right, dtype=bool))


def _begins_with(text: str, answer: str) -> bool:
    return text.startswith(answer) and not text[len(answer) : len(answer) + 1].isalnum()


def _groups(windows: Iterable[torch.Tensor]) -> Iterable[list[torch.Tensor]]:
    """A few windows of the same length at a time."""
    group: list[torch.Tensor] = []
    for window in windows:
        if group and (len(group) == _WINDOWS_AT_ONCE or len(group[0]) != len(window)):
            yield group
            group = []
        group.append(window)
    if group:
        yield group
