"""The weights: random from the seed, or trained from there for some seconds to write the source backwards."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.language_model.torch_state import seeded, torch_threads
from core.topics.decoder.experiment.network import Network
from core.topics.decoder.params import PRE_NORM, REVERSAL, DecoderParams
from core.topics.decoder.tokens import BOS, EOS, SPECIAL, VOCABULARY

LONGEST_TRAINED = 10
"""Tokens of the longest training sequence."""

_BATCH = 32
_LEARNING_RATE = 2e-3
_WARM_UP_STEPS = 50
_LAST_RATE = 0.02
_POSITIONS = 256
_KEPT = 4


@dataclass(frozen=True)
class Trained:
    """A network on the CPU. `losses` float32 [steps] in nats per token, `accuracy` on new sequences; None if random."""

    network: Network
    losses: np.ndarray | None = None
    accuracy: float | None = None
    seconds: float = 0.0


def make_network(params: DecoderParams) -> Network:
    """Random weights, the same for the same seed: Xavier initialisation, as in torch.nn.Transformer."""
    width, pre = params.width, params.norm == PRE_NORM
    shape = (width, params.heads, params.feed_forward, 0.0)  # no dropout
    with seeded(params.seed):
        table = torch.randn(VOCABULARY, width) / math.sqrt(width)
        layer = nn.TransformerEncoderLayer(*shape, batch_first=True, norm_first=pre)
        encoder = nn.TransformerEncoder(
            layer, params.encoder_layers, nn.LayerNorm(width) if pre else None, enable_nested_tensor=False
        )
        decoder = nn.TransformerDecoderLayer(*shape, batch_first=True, norm_first=pre)
        for parameter in (*encoder.parameters(), *decoder.parameters()):
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
    return Network(table, sinusoids(_POSITIONS, width), encoder, decoder, nn.LayerNorm(width) if pre else None)


def sinusoids(length: int, width: int) -> torch.Tensor:
    """Positions [length, width], float32 (Vaswani et al. 2017, section 3.5)."""
    angles = torch.arange(length)[:, None] * torch.exp(-math.log(10000.0) * torch.arange(0, width, 2) / width)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)


_cache: OrderedDict[tuple[object, ...], Trained] = OrderedDict()


def weights_of(params: DecoderParams, progress: ProgressCallback) -> Trained:
    """The weights for `params`. The last four trained networks of this process are cached."""
    if params.weights != REVERSAL:
        return Trained(make_network(params))
    key = (
        params.heads, params.head_dim, params.feed_forward, params.encoder_layers, params.norm, params.seed,
        params.training_steps,
    )  # fmt: skip
    if key not in _cache:
        _cache[key] = train(params, progress)
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    _cache.move_to_end(key)
    return _cache[key]


def train(params: DecoderParams, progress: ProgressCallback) -> Trained:
    """AdamW with a warm-up and a cosine on random sequences of 2 to 10 tokens, in float32 on one CPU thread.

    One thread makes the weights reproducible from the seed. `progress` is called at every step and may raise to stop.
    """
    started = perf_counter()
    network, steps = make_network(params), params.training_steps
    generator = torch.Generator().manual_seed(params.seed + 1)
    parameters = [parameter for module in network.modules for parameter in module.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=_LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    losses = np.full(steps, np.nan, dtype=np.float32)
    with torch_threads(1):
        for step in range(steps):
            source, target, expected = reversal_batch(generator, _BATCH)
            loss = cross_entropy(batch_logits(network, source, target).flatten(0, 1), expected.flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            losses[step] = loss.item()
            progress(step + 1, steps, tr("training to reverse: loss {loss:.2f}", loss=float(losses[step])))
        accuracy = held_out_accuracy(network, params.seed)
    return Trained(network, losses, accuracy, perf_counter() - started)


def reversal_batch(generator: torch.Generator, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Source, decoder input and expected output, each [batch, n + 1], with the same n for the whole batch."""
    length = int(torch.randint(2, LONGEST_TRAINED + 1, (1,), generator=generator))
    tokens = torch.randint(len(SPECIAL), VOCABULARY, (batch, length), generator=generator)
    end, begin = torch.full((batch, 1), EOS), torch.full((batch, 1), BOS)
    backwards = tokens.flip(1)
    return torch.cat((tokens, end), 1), torch.cat((begin, backwards), 1), torch.cat((backwards, end), 1)


def batch_logits(network: Network, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Logits [batch, target_len, vocabulary] by torch.nn's own layers, which the training uses."""
    memory = network.encoder(network.embed(source))
    future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
    output: torch.Tensor = network.decoder(network.embed(target), memory, tgt_mask=future)
    return network.finish(output) @ network.table.mT


def held_out_accuracy(network: Network, seed: int) -> float:
    """Share of correct tokens on sequences from another seed than the training's."""
    generator = torch.Generator().manual_seed(seed + 2**32)
    correct, total = 0, 0
    with torch.no_grad():
        for _ in range(8):
            source, target, expected = reversal_batch(generator, 64)
            correct += int((batch_logits(network, source, target).argmax(-1) == expected).sum())
            total += expected.numel()
    return correct / total


def copied_to(network: Network, device: str | torch.device, dtype: torch.dtype = torch.float32) -> Network:
    """A copy on another device or in another precision."""
    encoder, decoder, final_norm = (
        None if module is None else copy.deepcopy(module).to(device=device, dtype=dtype).eval()
        for module in (network.encoder, network.decoder, network.final_norm)
    )
    assert isinstance(encoder, nn.TransformerEncoder)
    assert isinstance(decoder, nn.TransformerDecoderLayer)
    table, positions = (tensor.to(device=device, dtype=dtype) for tensor in (network.table, network.positions))
    return Network(table, positions, encoder, decoder, final_norm)  # type: ignore[arg-type]


def _rate(step: int, steps: int) -> float:
    """The learning rate at a step as a share of its peak: a linear rise times half a cosine."""
    rise = min(1.0, (step + 1) / min(_WARM_UP_STEPS, steps))
    return rise * (_LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * step / steps)))
