"""What a model makes of rows that it was not trained on: its loss, row by row, and its answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.data import NOT_LEARNED, ordered_batches
from core.language_model.evaluation import TextLoss
from core.language_model.table_task import Example, TableTask
from core.language_model.torch_state import evaluating

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HELD_OUT_ROWS = 64
ANSWERED_ROWS = 32
_AT_ONCE = 32


def held_out_rows(task: TableTask) -> tuple[Example, ...]:
    """Facts of people without a row in training, and facts that no text told, in turn."""
    both = zip(task.unseen_people, task.untold_facts, strict=False)
    mixed = [example for pair in both for example in pair]
    rest = task.unseen_people[len(task.untold_facts) :]
    return tuple([*mixed, *rest][:HELD_OUT_ROWS])


def rows_loss(model: Any, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> TextLoss:
    """The loss of the sentences, given their rows; its sums by row, so that two models can be compared in pairs."""
    sums: list[float] = []
    tokens: list[int] = []
    with evaluating(model):
        for batch in ordered_batches(examples, tokenizer, _AT_ONCE):
            moved = batch.to(model.device)
            logits = model(input_ids=moved.input_ids, attention_mask=moved.attention_mask, use_cache=False).logits
            wanted = moved.labels[:, 1:]
            losses = torch.nn.functional.cross_entropy(
                logits[:, :-1].transpose(1, 2).float(), wanted, ignore_index=NOT_LEARNED, reduction="none"
            )
            sums += losses.double().sum(dim=1).tolist()
            tokens += (wanted != NOT_LEARNED).sum(dim=1).tolist()
    return TextLoss(sum(sums) / sum(tokens), sum(tokens), np.array(sums), np.array(tokens, dtype=np.float64))
