"""What generating one more token per sequence costs: bytes read, FLOPs, and a modelled time. Pure numbers, no torch.

Every matrix is read once per step, whatever the batch: that is why batching pays. The cache is read once per sequence.
A step takes at least bytes / bandwidth and FLOPs / peak (Williams et al. 2009). It is assumed to reach 80% of that
bound, 25% more or less: from 60% to all of it. So a speed is shown as a band, never as one number.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.hardware.gpus import Gpu
from core.hardware.roofline import Roofline, roofline
from core.model_configs import AttentionFacts, CacheDtype, Deployment, ModelFacts, WeightDtype, parameters
from core.model_configs.cache import cached_tokens, kv_heads_per_gpu, layer_bytes_per_token, state_bytes
from core.model_configs.memory import weight_bits
from core.model_configs.parameters import mlp_parameters

EFFICIENCY = 0.8
"""The share of the bound that a step is assumed to reach, in the middle of the band."""
BAND = 0.25
"""Half the width of the band, as a share of its middle."""
BAND_ENDS = EFFICIENCY * (1 - BAND), EFFICIENCY * (1 + BAND)
"""The ends of the band, as shares of the bound."""
LARGE_BATCH = 256
"""Sequences, to show what batching changes."""
_COMPUTE_DTYPE = {"fp32": "fp32", "bf16": "bf16", "fp8": "fp8", "int4": "bf16"}
"""int4 weights are restored to bf16 before they are multiplied."""


@dataclass(frozen=True)
class Work:
    """FLOPs and bytes of HBM traffic of one kind of work in a step, over all layers and GPUs."""

    flops: float
    hbm_bytes: float

    @property
    def intensity(self) -> float:
        """FLOP per byte; 0 where nothing is read."""
        return self.flops / self.hbm_bytes if self.hbm_bytes else 0.0


@dataclass(frozen=True)
class Step:
    """One step of decoding: `attention` reads the cache, `linear` the weights. Modelled.

    `attention` and `linear` count everything once. `seconds` is the lower bound on the GPUs, where arithmetic and
    traffic overlap perfectly, and each GPU reads its own copy of KV heads and latent vectors that are replicated.
    """

    attention: Work
    linear: Work
    batch: int
    seconds: float

    @property
    def bytes_per_token(self) -> float:
        """Bytes read per generated token: the cache of its sequence, and its share of the weights."""
        return (self.attention.hbm_bytes + self.linear.hbm_bytes) / self.batch

    @property
    def tokens_per_second(self) -> tuple[float, float]:
        """The band of generated tokens per second, over all sequences."""
        middle = EFFICIENCY * self.batch / self.seconds
        return middle * (1 - BAND), middle * (1 + BAND)


def attention_flops_per_key(attention: AttentionFacts, *, absorbed: bool = True) -> int:
    """FLOPs that one query token spends on one key, over all heads: Q K^T and P V, two per multiply-add.

    MLA attends to the latent vector itself in its absorbed form, and to full keys and values in its expanded one.
    """
    if attention.latent is not None and absorbed:
        return 2 * attention.heads * (2 * attention.latent.rank + attention.latent.rotary)
    return 2 * attention.heads * (attention.head_dim + attention.v_head_dim)


def attention_work(model: ModelFacts, context: int, batch: int, dtype: CacheDtype, gpus: int = 1) -> Work:
    """One new token per sequence against the cache of all layers. Every cached byte is read once per KV group.

    With several GPUs, the work of one of them: it has its share of the query heads, at least one KV head, and all
    latent vectors of MLA.
    """
    flops, read = 0.0, state_bytes(model) / gpus
    for layer, count in model.groups:
        attention = layer.attention
        if attention is None:
            continue
        tokens = cached_tokens(attention, context)
        flops += count * tokens * attention_flops_per_key(attention) / gpus
        read += count * tokens * layer_bytes_per_token(attention, kv_heads_per_gpu(attention, gpus), dtype)
    return Work(batch * flops, batch * read)


def linear_work(model: ModelFacts, tokens: int, dtype: WeightDtype) -> Work:
    """All matrices, for so many tokens at once: read once, or as many experts as the tokens are expected to visit.

    Tokens choose experts independently and evenly; then E (1 - (1 - k / E)^tokens) of E experts are visited.
    """
    counts = parameters(model)
    visited = 0.0
    for layer, count in model.groups:
        mlp = layer.mlp
        if mlp is None:
            continue
        visited += count * mlp_parameters(mlp, model.hidden, 0)
        if mlp.experts:
            experts = mlp.experts * (1 - (1 - mlp.active_experts / mlp.experts) ** tokens)
            one = mlp_parameters(mlp, model.hidden, 1) - mlp_parameters(mlp, model.hidden, 0)
            visited += count * experts * one
    matrices = counts.attention + counts.state + visited
    head = model.vocabulary * model.embedding_width
    active = counts.attention + counts.state + counts.active_mlp + head
    read = (matrices * weight_bits(dtype) + head * weight_bits("bf16" if dtype != "fp32" else "fp32")) / 8
    return Work(2.0 * tokens * active, read)


def step(model: ModelFacts, deployment: Deployment) -> Step:
    """One step of decoding on GPUs that share the heads and the matrices of every layer."""
    gpu, cache, weights = deployment.gpu, deployment.cache, deployment.weights
    batch, gpus = cache.batch, cache.tensor_parallel
    attention = attention_work(model, cache.context, batch, cache.dtype)
    slowest = attention if gpus == 1 else attention_work(model, cache.context, batch, cache.dtype, gpus)
    linear = linear_work(model, batch, weights)
    time_ms = bound(slowest, gpu, "bf16").time_ms + bound(linear, gpu, weights).time_ms / gpus
    return Step(attention, linear, batch, time_ms * 1e-3)


def bound(work: Work, gpu: Gpu, dtype: str) -> Roofline:
    """The roofline of one kind of work. Where the GPU has no peak for the precision, that of bf16."""
    compute = _COMPUTE_DTYPE.get(dtype, "bf16")
    return roofline(work.flops, work.hbm_bytes, gpu, compute if compute in gpu.tflops else "bf16")


def causal_pairs(attention: AttentionFacts, tokens: int) -> float:
    """(query, key) pairs of one head in a prompt: each query sees all tokens up to its own, or those of its window or
    of its chunk."""
    if attention.window is None and attention.chunk is not None:
        chunks, rest = divmod(tokens, attention.chunk)
        return (chunks * attention.chunk * (attention.chunk + 1) + rest * (rest + 1)) / 2
    reach = cached_tokens(attention, tokens)
    return reach * (reach + 1) / 2 + (tokens - reach) * reach


def prefill_attention_work(model: ModelFacts, tokens: int, batch: int) -> Work:
    """Causal attention of a whole prompt: the pairs of `causal_pairs`, and Q, K, V and O moved once.

    K and V are read again for every tile of queries, which the L2 cache serves: HBM sees them about once. In 16 bits.
    """
    flops, moved = 0.0, 0.0
    for layer, count in model.groups:
        attention = layer.attention
        if attention is None:
            continue
        kv_heads = attention.heads if attention.latent is not None else attention.kv_heads
        width = (attention.heads + kv_heads) * (attention.head_dim + attention.v_head_dim)
        flops += count * causal_pairs(attention, tokens) * attention_flops_per_key(attention, absorbed=False)
        moved += count * 2 * tokens * width
    return Work(batch * flops, batch * moved)
