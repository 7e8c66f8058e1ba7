"""How good a model is: loss and perplexity on text, and answers that are right to the letter. Workers only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.data import batch_loss, ordered_batches, prompt_ids
from core.language_model.generation import generate, text_prompt
from core.language_model.pretrain import ProgressCallback
from core.language_model.table_task import Example
from core.language_model.text import Completion
from core.language_model.torch_state import evaluating

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PHASE = "measuring the loss"
_WINDOWS_AT_ONCE = 16
_LONGEST_ANSWER = 24


@dataclass(frozen=True)
class TextLoss:
    """Mean cross-entropy over `tokens` predicted tokens, in nats per token.

    Where windows were read, their summed losses and their tokens, float64 [windows] each.
    """

    loss: float
    tokens: int
    window_sums: np.ndarray = field(default_factory=lambda: np.empty(0), compare=False, repr=False)
    window_tokens: np.ndarray = field(default_factory=lambda: np.empty(0), compare=False, repr=False)

    @property
    def perplexity(self) -> float:
        return math.exp(self.loss) if self.loss < 700 else math.inf

    @property
    def standard_error(self) -> float:
        """Of the loss, from how it varies between windows; NaN with fewer than two."""
        return _standard_error(self.window_sums, self.window_tokens)

    def minus(self, other: TextLoss) -> tuple[float, float]:
        """This loss minus another of the same windows, and the standard error of that difference.

        Pairs of windows are compared, so what makes a window easy or hard for both falls out. Raises ValueError where
        the windows are not the same.
        """
        if not np.array_equal(self.window_tokens, other.window_tokens):
            raise ValueError("these losses are of different windows")
        return self.loss - other.loss, _standard_error(self.window_sums - other.window_sums, self.window_tokens)


@dataclass(frozen=True)
class Answers:
    """`texts` are what the model wrote, `right` [n] bool whether that is the expected answer."""

    texts: tuple[str, ...]
    right: np.ndarray

    @property
    def share_right(self) -> float:
        return float(self.right.mean()) if len(self.right) else math.nan


def windows_loss(
    model: Any,
    windows: Iterable[torch.Tensor],
    progress: ProgressCallback | None = None,
    total: int | None = None,
    at_once: int = _WINDOWS_AT_ONCE,
) -> TextLoss:
    """The loss over windows of token ids, each [length + 1]: every token but the first of a window is predicted.

    Windows come from `windows`. They are taken `at_once`, so an iterator over a large file is never held. `total` is
    how many there are, for the progress. Sums are kept in float64.
    """
    sums: list[float] = []
    tokens: list[int] = []
    with evaluating(model):
        for group in _groups(windows, at_once):
            ids = torch.stack(group).to(model.device)
            logits = model(input_ids=ids[:, :-1], use_cache=False).logits
            losses = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none"
            )
            sums += losses.double().view(len(group), -1).sum(dim=1).tolist()
            tokens += [ids.shape[1] - 1] * len(group)
            if progress is not None:
                progress(len(sums), total or len(sums), PHASE)
    return TextLoss(
        sum(sums) / sum(tokens) if tokens else math.nan,
        sum(tokens),
        np.array(sums, dtype=np.float64),
        np.array(tokens, dtype=np.float64),
    )


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
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    progress: ProgressCallback | None = None,
) -> Answers:
    """Rows of the table task, answered greedily: right if the sentence is the expected one, letter by letter."""
    prompts = [prompt_ids(tokenizer, example.row) for example in examples]
    texts = generate(model, tokenizer, prompts, _LONGEST_ANSWER, progress)
    right = [text.strip() == example.sentence for text, example in zip(texts, examples, strict=True)]
    return Answers(tuple(text.strip() for text in texts), np.array(right, dtype=bool))


def completion_accuracy(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    completions: Sequence[Completion],
    progress: ProgressCallback | None = None,
) -> Answers:
    """Beginnings of sentences, continued greedily: right if the continuation begins with the value and goes no further
    in the same word."""
    prompts = [text_prompt(tokenizer, completion.prompt) for completion in completions]
    texts = generate(model, tokenizer, prompts, _LONGEST_ANSWER // 2, progress)
    right = [_begins_with(text.strip(), completion.answer) for text, completion in zip(texts, completions, strict=True)]
    return Answers(tuple(text.strip() for text in texts), np.array(right, dtype=bool))


def _begins_with(text: str, answer: str) -> bool:
    return text.startswith(answer) and not text[len(answer) : len(answer) + 1].isalnum()


def _standard_error(sums: np.ndarray, tokens: np.ndarray) -> float:
    """Of sum(sums) / sum(tokens), windows taken as independent; the usual estimate for a ratio of two sums."""
    count = len(sums)
    if count < 2:
        return math.nan
    residuals = sums - sums.sum() / tokens.sum() * tokens
    return float(np.sqrt(count / (count - 1) * np.square(residuals).sum()) / tokens.sum())


def _groups(windows: Iterable[torch.Tensor], at_once: int) -> Iterable[list[torch.Tensor]]:
    """A few windows of the same length at a time."""
    group: list[torch.Tensor] = []
    for window in windows:
        if group and (len(group) >= at_once or len(group[0]) != len(window)):
            yield group
            group = []
        group.append(window)
    if group:
        yield group
