"""Pretraining: the next token of generated texts, every token of them. Workers only."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from core.language_model.evaluation import windows_loss
from core.language_model.model import build_model
from core.language_model.model_config import ModelConfig
from core.language_model.pretrain import batches, rate_factor
from core.language_model.windows import held_out_windows
from core.language_model.world import World
from core.topics.training.stages.checkpoints import StageFiles, TrainingState, identity_of
from core.topics.training.stages.configs import StageConfig
from core.topics.training.stages.optimization import stopping_at_nan, update
from core.topics.training.stages.records import Record
from core.topics.training.stages.trained import Trained, trained

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_HELD_OUT_DOCUMENTS = 64


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig(StageConfig):
    """The settings of `model` as those of a stage: its weights are those that `pretrain` gives."""

    model: ModelConfig
    eval_every: int = 100
    save_every: int = 100

    @classmethod
    def of(cls, model: ModelConfig) -> PretrainingConfig:
        return cls(
            model=model, steps=model.steps, batch=model.batch, learning_rate=model.learning_rate, seed=model.seed
        )

    def rate(self, step: int) -> float:
        return self.learning_rate * rate_factor(step - 1, self.steps)


@stopping_at_nan
def train_pretraining(
    world: World, tokenizer: PreTrainedTokenizerFast, config: PretrainingConfig, folder: Path | None = None
) -> Generator[Record, None, Trained]:
    """Train a model from scratch. `eval_loss` is that of other texts about the same facts. Raises as `train_sft`."""
    model: Any = build_model(config.model, len(tokenizer))
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    state = TrainingState({"model": model}, optimizer, torch.Generator().manual_seed(config.seed))
    files = StageFiles(folder, identity_of("pretraining", config, model, ()), config.save_every, config.steps)
    yield from files.resume(state)

    held_out = held_out_windows(world, tokenizer, _HELD_OUT_DOCUMENTS)
    model.train()
    texts = islice(batches(config.model, world, tokenizer), state.step, None)
    for step in range(state.step + 1, config.steps + 1):
        # 1. The next tokens of the stream of texts.
        tokens = next(texts)

        # 2. How unlikely is every token, given those before it?
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())

        # 3. Make them likelier.
        statistics = {"loss": loss.item()} | update(optimizer, loss, config, step)

        state.num_tokens += tokens[:, 1:].numel()
        statistics["num_tokens"] = float(state.num_tokens)
        if step % config.eval_every == 0 or step in (1, config.steps):
            statistics["eval_loss"] = windows_loss(model, held_out).loss
        yield files.keep(state, step, statistics)
    return trained(model, policy=model)
