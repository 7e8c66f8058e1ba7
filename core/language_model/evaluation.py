"""Evaluating a model: loss and perplexity on text, and exactly matching answers. Workers only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.contracts.text import tr
from core.language_model.data import batch_loss, ordered_batches, prompts_ids
from core.language_model.generation import generate, text_prompt
from core.language_model.pretrain import ProgressCallback
from core.language_model.table_task import Example
from core.language_model.text import Completion
from core.language_model.torch_state import evaluating

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PHASE = tr("measuring the loss")
_WINDOW_BATCH_SIZE = 16
_MAX_ANSWER_TOKENS = 24


@dataclass(frozen=True)
class TextLoss:
    """Mean cross-entropy over `tokens` predicted tokens, in nats per token.

    `window_sums` and `window_tokens`, float64 [windows], hold the summed loss and the token count of each window.
    They are empty if the text was not read in windows.
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
        """Standard error of the loss, estimated from its variation between windows. NaN for fewer than two windows."""
        return _standard_error(self.window_sums, self.window_tokens)

    def minus(self, other: TextLoss) -> tuple[float, float]:
        """This loss minus another loss of the same windows, and the standard error of the difference.

        The windows are compared in pairs, so the difficulty of a window cancels. Raises ValueError if the windows
        differ.
        """
        if not np.array_equal(self.window_tokens, other.window_tokens):
            raise ValueError("the two losses were measured on different windows")
        return self.loss - other.loss, _standard_error(self.window_sums - other.window_sums, self.window_tokens)


@dataclass(frozen=True)
class Answers:
    """`texts` are the answers that the model generated; `correct`, bool [n], marks those that match."""

    texts: tuple[str, ...]
    correct: np.ndarray

    @property
    def accuracy(self) -> float:
        return float(self.correct.mean()) if len(self.correct) else math.nan


def windows_loss(
    model: Any,
    windows: Iterable[torch.Tensor],
    progress: ProgressCallback | None = None,
    total: int | None = None,
    batch_size: int = _WINDOW_BATCH_SIZE,
) -> TextLoss:
    """The loss over windows of token ids, each [length + 1]. Every token of a window except the first is predicted.

    Reads `batch_size` windows at a time, so a large file is never held in memory. `total` is the number of windows, for
    the progress. Sums are kept in float64.
    """
    sums: list[float] = []
    tokens: list[int] = []
    with evaluating(model):
        for group in _groups(windows, batch_size):
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
    """The loss of the sentences given their rows: the mean over the sentence tokens."""
    summed, tokens = 0.0, 0
    with evaluating(model):
        for batch in ordered_batches(examples, tokenizer, batch_size):
            count = batch.labelled_tokens
            summed += float(batch_loss(model, batch.to(model.device))) * count
            tokens += count
    return TextLoss(summed / tokens if tokens else math.nan, tokens)


def exact_match(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    progress: ProgressCallback | None = None,
) -> Answers:
    """Greedy answers to rows of the table task. An answer is correct if it equals the expected sentence exactly."""
    prompts = prompts_ids(tokenizer, [example.row for example in examples])
    texts = generate(model, tokenizer, prompts, _MAX_ANSWER_TOKENS, progress)
    correct = [text.strip() == example.sentence for text, example in zip(texts, examples, strict=True)]
    return Answers(tuple(text.strip() for text in texts), np.array(correct, dtype=bool))


def completion_accuracy(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    completions: Sequence[Completion],
    progress: ProgressCallback | None = None,
) -> Answers:
    """Greedy continuations of sentence beginnings. A continuation is correct if it begins with the value and the value
    ends at a word boundary."""
    prompts = [text_prompt(tokenizer, completion.prompt) for completion in completions]
    texts = generate(model, tokenizer, prompts, _MAX_ANSWER_TOKENS // 2, progress)
    correct = [_starts_with_words(text.strip(), item.answer) for text, item in zip(texts, completions, strict=True)]
    return Answers(tuple(text.strip() for text in texts), np.array(correct, dtype=bool))


def _starts_with_words(text: str, answer: str) -> bool:
    return text.startswith(answer) and not text[len(answer) : len(answer) + 1].isalnum()


def _standard_error(sums: np.ndarray, tokens: np.ndarray) -> float:
    """Standard error of sum(sums) / sum(tokens) for independent windows: the usual estimate for a ratio of sums."""
    count = len(sums)
    if count < 2:
        return math.nan
    residuals = sums - sums.sum() / tokens.sum() * tokens
    return float(np.sqrt(count / (count - 1) * np.square(residuals).sum()) / tokens.sum())


def _groups(windows: Iterable[torch.Tensor], batch_size: int) -> Iterable[list[torch.Tensor]]:
    """Groups of at most `batch_size` consecutive windows of the same length."""
    group: list[torch.Tensor] = []
    for window in windows:
        if group and (len(group) >= batch_size or len(group[0]) != len(window)):
            yield group
            group = []
        group.append(window)
    if group:
        yield group
