"""The table task as tensors: what a model reads, and which of it it learns. Workers only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.table_task import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NOT_LEARNED = -100
"""The label that cross-entropy leaves out: of prompts and of padding."""


@dataclass(frozen=True)
class Batch:
    """`input_ids`, `attention_mask` (1 for a token, 0 for padding) and `labels`, each [batch, length] int64.

    Padding is on the right. `labels` equal `input_ids` where a token is learned, NOT_LEARNED elsewhere; the model
    shifts them itself.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor

    def to(self, device: str | torch.device) -> Batch:
        return Batch(self.input_ids.to(device), self.attention_mask.to(device), self.labels.to(device))

    @property
    def learned_tokens(self) -> int:
        return int((self.labels != NOT_LEARNED).sum())


def prompt_ids(tokenizer: PreTrainedTokenizerBase, row: str) -> list[int]:
    """<bos> row <sep>. A tokenizer without the one or the other: nothing, and a line end."""
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    separator = _encoded(tokenizer, "\n") if tokenizer.sep_token_id is None else [tokenizer.sep_token_id]
    return begin + _encoded(tokenizer, row) + separator


def target_ids(tokenizer: PreTrainedTokenizerBase, sentence: str) -> list[int]:
    """sentence <eos>: what is learned."""
    return _encoded(tokenizer, sentence) + ([] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id])


def padding_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """A token to pad with. Masked wherever it pads, so any will do where the tokenizer has none of its own."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def task_batches(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, batch_size: int, seed: int
) -> Iterator[Batch]:
    """Endless batches, the examples in another order each time round; the same for the same seed.

    Every batch has `batch_size` examples, one that ends a round being filled from the next.
    """
    rng = np.random.default_rng((seed, 4))
    encoded = [(prompt_ids(tokenizer, example.row), target_ids(tokenizer, example.sentence)) for example in examples]
    order: list[int] = []
    while True:
        while len(order) < batch_size:
            order.extend(rng.permutation(len(encoded)).tolist())
        chosen, order = order[:batch_size], order[batch_size:]
        yield collate([encoded[index] for index in chosen], padding_id(tokenizer))


def ordered_batches(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, batch_size: int
) -> Iterator[Batch]:
    """The examples once, in their order; the last batch may be smaller."""
    for start in range(0, len(examples), batch_size):
        part = examples[start : start + batch_size]
        encoded = [(prompt_ids(tokenizer, example.row), target_ids(tokenizer, example.sentence)) for example in part]
        yield collate(encoded, padding_id(tokenizer))


def collate(pairs: Sequence[tuple[list[int], list[int]]], padding: int) -> Batch:
    """Pairs of (prompt, target) token ids, of any lengths, as one batch."""
    length = max(len(prompt) + len(target) for prompt, target in pairs)
    input_ids = torch.full((len(pairs), length), padding)
    attention_mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, NOT_LEARNED)
    for row, (prompt, target) in enumerate(pairs):
        end = len(prompt) + len(target)
        input_ids[row, :end] = torch.tensor(prompt + target)
        attention_mask[row, :end] = 1
        labels[row, len(prompt) : end] = torch.tensor(target)
    return Batch(input_ids, attention_mask, labels)


def batch_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy over the learned tokens, in nats; a scalar with a graph behind it. Any transformers or peft
    causal language model will do."""
    outputs = model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels, use_cache=False
    )
    loss: torch.Tensor = outputs.loss
    return loss


def _encoded(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
