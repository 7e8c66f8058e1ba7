"""What a model does with held-out rows: its answers, and on one example its mask, its attention to a prefix, and what
its loss is of. Workers only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.engine.steps import ProgressCallback
from core.language_model.data import Batch, batch_loss, collate, padding_id, prompt_ids, target_ids
from core.language_model.evaluation import Answers, exact_match
from core.language_model.table_task import Example
from core.language_model.torch_state import evaluating
from core.topics.fine_tuning.experiment.module_places import base_of
from core.topics.fine_tuning.result import MaskColumn, PrefixObjective

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_ATTENTION = "eager"
"""The one implementation that gives its probabilities back."""


def answers(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    progress: ProgressCallback,
    by_length: bool,
) -> Answers:
    """The rows answered greedily, in their order.

    `by_length` answers rows of as many tokens together, so that nothing is padded: with a prompt or prefix peft puts
    padding between that and the row and counts it as positions, which training never does.
    """
    lengths = [len(prompt_ids(tokenizer, example.row)) if by_length else 0 for example in examples]
    texts, right = [""] * len(examples), np.zeros(len(examples), dtype=bool)
    done = 0
    for length in sorted(set(lengths)):
        rows = [index for index, tokens in enumerate(lengths) if tokens == length]

        def report(share: float, total: float, what: str, begun: int = done, count: int = len(rows)) -> None:
            progress(begun + count * share / total, len(examples), what)

        answered = exact_match(model, tokenizer, [examples[index] for index in rows], report)
        for index, text, correct in zip(rows, answered.texts, answered.correct, strict=True):
            texts[index], right[index] = text, correct
        done += len(rows)
    return Answers(tuple(texts), right)


def one_example(tokenizer: PreTrainedTokenizerBase, example: Example) -> Batch:
    """A batch of that example alone, without padding."""
    pair = (prompt_ids(tokenizer, example.row), target_ids(tokenizer, example.sentence))
    return collate([pair], padding_id(tokenizer))


def mask_and_attention(model: Any, batch: Batch, prefix: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """uint8 [queries, columns], 1 where a query sees a column, as the first layer was given it; and float32 [layers,
    heads, queries], the attention probability on the first `prefix` columns. None for what the architecture hides."""
    masks: list[torch.Tensor] = []

    def keep(module: object, positional: object, named: dict[str, Any]) -> None:
        if isinstance(named.get("attention_mask"), torch.Tensor):
            masks.append(named["attention_mask"].detach())

    base = base_of(model)
    layers = [module for module in base.modules() if type(module).__name__.endswith("Attention")]
    hooks = [layer.register_forward_pre_hook(keep, with_kwargs=True) for layer in layers[:1]]
    try:
        with evaluating(model), _attention_of(base, _ATTENTION):
            outputs = model(
                input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False, output_attentions=True
            )
    finally:
        for hook in hooks:
            hook.remove()
    shares = [layer for layer in outputs.attentions or () if layer is not None]
    attention = torch.stack(shares)[:, 0, :, :, :prefix].sum(-1).float().cpu().numpy() if shares and prefix else None
    return _visible(masks, shares), attention


def prefix_objective(model: Any, base: Any, batch: Batch, prefix: int) -> PrefixObjective:
    """The model's own loss of the example beside -log p(y | prefix, x) from its logits, and its loss without the
    prefix."""
    with evaluating(model):
        loss = float(batch_loss(model, batch))
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits[0]
        columns = logits.shape[0]
        logits = logits[columns - batch.input_ids.shape[1] :]
        targets = int((batch.labels[0] != -100).sum())
        chances = torch.log_softmax(logits.double(), -1)[-targets - 1 : -1]
        by_hand = -float(chances.gather(1, batch.input_ids[0, -targets:, None]).mean())
        with model.disable_adapter():
            without = float(batch_loss(model, batch))
    with evaluating(base):
        of_base = float(batch_loss(base, batch))
    return PrefixObjective(
        loss=loss,
        by_hand=by_hand,
        target_tokens=targets,
        input_tokens=int(batch.input_ids.shape[1]) - targets,
        prefix_tokens=prefix,
        without_prefix=without,
        base_model=of_base,
    )


def mask_columns(
    tokenizer: PreTrainedTokenizerBase, batch: Batch, prefix: int, prefix_name: str
) -> tuple[MaskColumn, ...]:
    """The prefix's columns, then the tokens."""
    added = [MaskColumn(f"{prefix_name}{number + 1}", is_prefix=True) for number in range(prefix)]
    tokens = [MaskColumn(tokenizer.decode([token]), is_prefix=False) for token in batch.input_ids[0].tolist()]
    return (*added, *tokens)


def _visible(masks: list[torch.Tensor], attentions: list[torch.Tensor]) -> np.ndarray | None:
    """A mask is True, or 0 to be added, where a key is seen. Without one, what got any probability."""
    if masks:
        mask = masks[0][0, 0]
        seen = mask if mask.dtype == torch.bool else mask == 0
    elif attentions:
        seen = (attentions[0][0] > 0).any(0)
    else:
        return None
    return seen.to(torch.uint8).cpu().numpy()


@contextmanager
def _attention_of(base: Any, implementation: str) -> Iterator[None]:
    before = base.config._attn_implementation
    base.set_attn_implementation(implementation)
    try:
        yield
    finally:
        base.set_attn_implementation(before)
