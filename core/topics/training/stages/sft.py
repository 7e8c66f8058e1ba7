"""Supervised fine-tuning: instructions and answers, with a loss on the answers only. Workers only."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from core.language_model.adapters import trainable_copy
from core.language_model.data import Batch, collate, padding_id
from core.language_model.torch_state import evaluating
from core.topics.training.stages.answer_batch import answer_tokens, prompt_tokens
from core.topics.training.stages.batches import epoch_batch
from core.topics.training.stages.checkpoints import StageFiles, TrainingState, identity_of
from core.topics.training.stages.configs import SftConfig
from core.topics.training.stages.instructions import Instruction, InstructionData
from core.topics.training.stages.losses import sft_loss
from core.topics.training.stages.optimization import new_optimizer, stopping_at_nan, update
from core.topics.training.stages.records import Record
from core.topics.training.stages.trained import Trained, trained

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_EVALUATION_BATCH = 48


@stopping_at_nan
def train_sft(
    start: Any, tokenizer: PreTrainedTokenizerBase, data: InstructionData, config: SftConfig, folder: Path | None = None
) -> Generator[Record, None, Trained]:
    """Train a copy of the pretrained model `start` on instructions and answers.

    `eval_loss` is the loss of answers that no example states, but pretraining texts do. Raises NonFiniteLoss,
    InvalidParams for a folder of another configuration, and RunFailed if the disk refuses.
    """
    model = trainable_copy(start)
    optimizer = new_optimizer(config, model)
    state = TrainingState({"model": model}, optimizer, torch.Generator().manual_seed(config.seed))
    files = StageFiles(folder, identity_of("sft", config, start, data.train), config.save_every, config.steps)
    yield from files.resume(state)

    for step in range(state.step + 1, config.steps + 1):
        # 1. The next examples. An epoch reads each of them once, in an order of its own.
        batch = tokenized(tokenizer, epoch_batch(data.train, config.batch, step, config.seed))

        # 2. How unlikely are the answers? The instructions are read, but carry no loss.
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits
        loss, statistics = sft_loss(logits, batch.labels)

        # 3. Make them likelier.
        statistics |= update(optimizer, loss, config, step)

        state.num_tokens += int(batch.attention_mask.sum())
        statistics |= {"epoch": step * config.batch / len(data.train), "num_tokens": float(state.num_tokens)}
        if step % config.eval_every == 0 or step in (1, config.steps):
            statistics["eval_loss"] = answer_loss(model, tokenizer, data.known)
        yield files.keep(state, step, statistics)
    return trained(model, policy=model)


def tokenized(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Instruction]) -> Batch:
    """Prompts without labels, then answers with labels, padded on the right."""
    pairs = [(prompt_tokens(tokenizer, item.prompt), answer_tokens(tokenizer, item.answer)) for item in examples]
    return collate(pairs, padding_id(tokenizer))


def answer_loss(model: Any, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Instruction]) -> float:
    """Mean loss over the tokens of the answers, in nats, of examples that are not trained on."""
    summed, tokens = 0.0, 0
    with evaluating(model):
        for first in range(0, len(examples), _EVALUATION_BATCH):
            batch = tokenized(tokenizer, examples[first : first + _EVALUATION_BATCH])
            logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits
            summed += float(sft_loss(logits, batch.labels)[0]) * batch.labelled_tokens
            tokens += batch.labelled_tokens
    return summed / tokens
