"""The table task as tensors: token ids, and labels for the tokens that carry a loss. Workers only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.table_task import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED_LABEL = -100
"""The label that cross-entropy ignores, used for prompts and padding."""


@dataclass(frozen=True)
class Batch:
    """`input_ids`, `attention_mask` (1 for a token, 0 for padding) and `labels`, each [batch, length] int64.

    Padding is on the right. `labels` equal `input_ids` where a token carries a loss and IGNORED_LABEL elsewhere. The
    model shifts them itself.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    labels: torch.Tensor

    def to(self, device: str | torch.device) -> Batch:
        return Batch(self.input_ids.to(device), self.attention_mask.to(device), self.labels.to(device))

    @property
    def labelled_tokens(self) -> int:
        return int((self.labels != IGNORED_LABEL).sum())


def prompt_ids(tokenizer: PreTrainedTokenizerBase, row: str) -> list[int]:
    """<bos> row <sep>. Without <bos> nothing is put first; without <sep> a line break ends the prompt."""
    return prompts_ids(tokenizer, [row])[0]


def prompts_ids(tokenizer: PreTrainedTokenizerBase, rows: Sequence[str]) -> list[list[int]]:
    """`prompt_ids` of every row, several times as fast as one by one."""
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    separator = _encoded(tokenizer, ["\n"])[0] if tokenizer.sep_token_id is None else [tokenizer.sep_token_id]
    return [begin + ids + separator for ids in _encoded(tokenizer, rows)]


def target_ids(tokenizer: PreTrainedTokenizerBase, sentence: str) -> list[int]:
    """sentence <eos>: the tokens that carry a loss."""
    return _targets_ids(tokenizer, [sentence])[0]


def pairs_ids(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> list[tuple[list[int], list[int]]]:
    """The prompt and the target of every example."""
    prompts = prompts_ids(tokenizer, [example.row for example in examples])
    return list(zip(prompts, _targets_ids(tokenizer, [example.sentence for example in examples]), strict=True))


def padding_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The padding token. Padding is always masked, so any token works if the tokenizer has no padding token."""
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def task_batches(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, batch_size: int, seed: int
) -> Iterator[Batch]:
    """Endless batches, shuffled anew in every epoch. The seed determines the order.

    Every batch has `batch_size` examples: a batch at the end of an epoch is filled from the next epoch.
    """
    rng = np.random.default_rng((seed, 4))
    encoded: dict[int, tuple[list[int], list[int]]] = {}  # a short run comes to few of thousands
    order: list[int] = []
    while True:
        while len(order) < batch_size:
            order.extend(rng.permutation(len(examples)).tolist())
        batch, order = order[:batch_size], order[batch_size:]
        missing = [index for index in batch if index not in encoded]
        encoded.update(zip(missing, pairs_ids(tokenizer, [examples[index] for index in missing]), strict=True))
        yield collate([encoded[index] for index in batch], padding_id(tokenizer))


def ordered_batches(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, batch_size: int
) -> Iterator[Batch]:
    """The examples once, in order. The last batch may be smaller."""
    for start in range(0, len(examples), batch_size):
        yield collate(pairs_ids(tokenizer, examples[start : start + batch_size]), padding_id(tokenizer))


def collate(pairs: Sequence[tuple[list[int], list[int]]], padding: int) -> Batch:
    """One batch from pairs of (prompt, target) token ids of any lengths."""
    length = max(len(prompt) + len(target) for prompt, target in pairs)
    input_ids = torch.full((len(pairs), length), padding)
    attention_mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORED_LABEL)
    for row, (prompt, target) in enumerate(pairs):
        end = len(prompt) + len(target)
        input_ids[row, :end] = torch.tensor(prompt + target)
        attention_mask[row, :end] = 1
        labels[row, len(prompt) : end] = torch.tensor(target)
    return Batch(input_ids, attention_mask, labels)


def batch_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy over the tokens that carry a loss, in nats: a scalar with an autograd graph. Works with any
    transformers or PEFT causal language model."""
    outputs = model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels, use_cache=False
    )
    loss: torch.Tensor = outputs.loss
    return loss


def _targets_ids(tokenizer: PreTrainedTokenizerBase, sentences: Sequence[str]) -> list[list[int]]:
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    return [ids + end for ids in _encoded(tokenizer, sentences)]


def _encoded(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    if not texts:
        return []
    ids: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return ids
