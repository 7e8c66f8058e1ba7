"""Pretraining: turns a model config into a model that knows the facts of its world. Workers only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.contracts.errors import RunFailed
from core.contracts.text import Text, tr
from core.language_model.model import build_model
from core.language_model.model_config import ModelConfig
from core.language_model.text import TRAINING_TEXTS, documents
from core.language_model.tokenizer import train_tokenizer
from core.language_model.torch_state import torch_threads
from core.language_model.world import World, build_world

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

ProgressCallback = Callable[[float, float, Text], None]
PHASE = tr("pretraining the small model")

_TOKENIZER_TEXTS = 4000
_TEXTS_PER_ENCODING = 512
_MAX_SINGLE_THREADED_HIDDEN = 64
"""In a model this narrow, more threads cost more time than they save."""
_WARM_UP_SHARE = 0.1
_FINAL_RATE_SHARE = 0.02


@dataclass(frozen=True)
class Pretrained:
    """`losses` [steps] are the losses before each step, in nats per token. `seconds` is the total wall time."""

    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast
    world: World
    losses: np.ndarray
    seconds: float


def pretrain(config: ModelConfig, progress: ProgressCallback | None = None, threads: int | None = None) -> Pretrained:
    """Train the config's model on its world's documents, on the CPU in float32.

    The same config gives the same weights on the same machine with the same number of threads, by default as many as
    pay off. `progress` is called at every step and may raise to stop. Raises RunFailed, which names the step, if the
    loss becomes NaN or infinite.
    """
    started = perf_counter()
    progress = progress or _no_progress
    progress(0, config.steps, PHASE)
    world = build_world(config.seed, config.people)
    tokenizer = world_tokenizer(world, config)
    model = build_model(config, len(tokenizer))
    with torch_threads(threads or (None if config.hidden > _MAX_SINGLE_THREADED_HIDDEN else 1)):
        losses = train(model, batches(config, world, tokenizer), config, progress)
    return Pretrained(model.eval(), tokenizer, world, losses, perf_counter() - started)


def world_tokenizer(world: World, config: ModelConfig) -> PreTrainedTokenizerFast:
    """The tokenizer that is trained on the texts of a world."""
    return train_tokenizer(islice(documents(world, TRAINING_TEXTS), _TOKENIZER_TEXTS), config.vocabulary)


def train(
    model: LlamaForCausalLM, token_batches: Iterator[torch.Tensor], config: ModelConfig, progress: ProgressCallback
) -> np.ndarray:
    """Train with AdamW, warm-up and cosine decay on token ids [batch, length + 1]. Returns the losses [steps]."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, config.steps))
    losses = np.full(config.steps, np.nan, dtype=np.float32)
    model.train()
    for step, tokens in enumerate(islice(token_batches, config.steps)):
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        losses[step] = loss.item()
        if not np.isfinite(losses[step]):
            raise RunFailed(
                tr(
                    "Pretraining stopped at step {step} of {steps}: the loss became {loss}; use a learning rate below "
                    "{rate:g}.",
                    step=step + 1,
                    steps=config.steps,
                    loss=float(losses[step]),
                    rate=config.learning_rate,
                )
            )
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        progress(step + 1, config.steps, tr("pretraining the small model: loss {loss:.2f}", loss=float(losses[step])))
    return losses


def rate_factor(step: int, steps: int) -> float:
    """The learning rate at a step as a share of its peak: a linear warm-up, then a cosine decay to
    `_FINAL_RATE_SHARE`."""
    warm_up = max(1, round(_WARM_UP_SHARE * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    share = (step - warm_up) / max(1, steps - warm_up)
    return _FINAL_RATE_SHARE + (1 - _FINAL_RATE_SHARE) * 0.5 * (1 + float(np.cos(np.pi * min(1.0, share))))


def batches(config: ModelConfig, world: World, tokenizer: PreTrainedTokenizerFast) -> Iterator[torch.Tensor]:
    """Endless batches, int64 [batch, length + 1]: concatenated documents, each between <bos> and <eos>, no padding."""
    size = config.batch * (config.length + 1)
    stream = np.zeros(0, dtype=np.int64)
    texts = documents(world, TRAINING_TEXTS)
    while True:
        while len(stream) < size:
            encoded = tokenizer(list(islice(texts, _TEXTS_PER_ENCODING)), add_special_tokens=False)["input_ids"]
            framed = [[tokenizer.bos_token_id, *tokens, tokenizer.eos_token_id] for tokens in encoded]
            stream = np.concatenate((stream, np.fromiter((token for text in framed for token in text), np.int64)))
        yield torch.from_numpy(stream[:size].reshape(config.batch, config.length + 1).copy())
        stream = stream[size:]


def _no_progress(done: float, total: float, phase: Text) -> None:
    """The default for callers that show no progress."""
