"""A model on held-out rows: its answers, and for one example its mask, its attention to a prefix, and the objective
that its loss measures. Workers only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.contracts.text import Text
from core.engine.steps import ProgressCallback
from core.language_model.data import Batch, batch_loss, collate, padding_id, pairs_ids, prompts_ids
from core.language_model.evaluation import Answers, exact_match
from core.language_model.table_task import Example
from core.language_model.torch_state import evaluating
from core.topics.fine_tuning.experiment.module_places import base_of
from core.topics.fine_tuning.experiment.prefix_layers import layer_masks, prefix_attention
from core.topics.fine_tuning.result import LayerMask, MaskColumn, PrefixObjective

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ATTENTION = "eager"
"""The only implementation that returns its attention probabilities."""


def answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    progress: ProgressCallback,
    by_length: bool,
) -> Answers:
    """Greedy answers to the rows, in their order.

    `by_length` groups rows with equally many tokens, so that nothing is padded. With a prompt or prefix, peft puts the
    padding between prefix and row and counts it as positions, which never happens in training.
    """
    prompts = prompts_ids(tokenizer, [example.row for example in examples])
    lengths = [len(prompt) if by_length else 0 for prompt in prompts]
    texts, correct = [""] * len(examples), np.zeros(len(examples), dtype=bool)
    done = 0
    for length in sorted(set(lengths)):
        rows = [index for index, tokens in enumerate(lengths) if tokens == length]

        def group_progress(share: float, total: float, name: Text, before: int = done, count: int = len(rows)) -> None:
            progress(before + count * share / total, len(examples), name)

        group = exact_match(model, tokenizer, [examples[index] for index in rows], group_progress)
        for index, text, is_correct in zip(rows, group.texts, group.correct, strict=True):
            texts[index], correct[index] = text, is_correct
        done += len(rows)
    return Answers(tuple(texts), correct)


def single_example(tokenizer: PreTrainedTokenizerBase, example: Example) -> Batch:
    """A batch with only this example, without padding."""
    return collate(pairs_ids(tokenizer, [example]), padding_id(tokenizer))


def masks_and_attention(model: Any, batch: Batch, prefix: int) -> tuple[tuple[LayerMask, ...], np.ndarray | None]:
    """The masks of the layers, those that hide least first; and the attention probability on the first `prefix`
    columns, float32 [layers, heads, queries]. Empty and None if the architecture hides them."""
    masks: list[torch.Tensor | None] = []

    def record_mask(module: object, positional: object, named: dict[str, Any]) -> None:
        mask = named.get("attention_mask")
        masks.append(mask.detach() if isinstance(mask, torch.Tensor) else None)

    base = base_of(model)
    layers = [module for module in base.modules() if type(module).__name__.endswith("Attention")]
    hooks = [layer.register_forward_pre_hook(record_mask, with_kwargs=True) for layer in layers]
    try:
        with evaluating(model), _attention_of(base, _ATTENTION):
            outputs = model(
                input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False, output_attentions=True
            )
    finally:
        for hook in hooks:
            hook.remove()
    attentions = [layer for layer in outputs.attentions or () if layer is not None]
    # The vectors of prompt tuning are queries too.
    tokens = batch.input_ids.shape[1]
    found = layer_masks(masks if len(masks) == len(attentions) else [], attentions, prefix, tokens)
    by_visible = sorted(found, key=lambda mask: -int(mask.mask.sum()))
    return tuple(by_visible), prefix_attention(attentions, tokens) if attentions and prefix else None


def prefix_objective(model: Any, base: Any, batch: Batch, prefix: int) -> PrefixObjective:
    """The model's own loss on the example, -log p(y | prefix, x) computed from its logits, and its loss without the
    prefix."""
    with evaluating(model):
        loss = float(batch_loss(model, batch))
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits[0]
        columns = logits.shape[0]
        logits = logits[columns - batch.input_ids.shape[1] :]
        targets = int((batch.labels[0] != -100).sum())
        log_probabilities = torch.log_softmax(logits.double(), -1)[-targets - 1 : -1]
        by_hand = -float(log_probabilities.gather(1, batch.input_ids[0, -targets:, None]).mean())
        with model.disable_adapter():
            without_prefix = float(batch_loss(model, batch))
    with evaluating(base):
        base_loss = float(batch_loss(base, batch))
    return PrefixObjective(
        loss=loss,
        by_hand=by_hand,
        target_tokens=targets,
        input_tokens=int(batch.input_ids.shape[1]) - targets,
        prefix_tokens=prefix,
        without_prefix=without_prefix,
        base_model=base_loss,
    )


def mask_columns(
    tokenizer: PreTrainedTokenizerBase, batch: Batch, prefix: int, prefix_name: str
) -> tuple[MaskColumn, ...]:
    """The columns of the prefix, followed by those of the tokens."""
    prefix_columns = [MaskColumn(f"{prefix_name}{number + 1}", is_prefix=True) for number in range(prefix)]
    tokens = [MaskColumn(tokenizer.decode([token]), is_prefix=False) for token in batch.input_ids[0].tolist()]
    return (*prefix_columns, *tokens)


@contextmanager
def _attention_of(base: Any, implementation: str) -> Iterator[None]:
    before = base.config._attn_implementation
    base.set_attn_implementation(implementation)
    try:
        yield
    finally:
        base.set_attn_implementation(before)
