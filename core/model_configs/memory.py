"""Does it fit? Weights, cache, activations and a reserve against the memory of one GPU of a tensor-parallel group.

All of it is modelled. Weights are divided among the GPUs as vLLM does: matrices evenly, except that each GPU keeps at
least one KV head's projections, and norms, routers and MLA's first projections are copied to each.

Activations: one step holds at most `step_tokens` tokens. Per token, that is the residual stream and its norm, beside
the larger of the attention's Q, K, V and output and of one MLP's inner vectors (for experts: of those that a token
visits), in 16 bits; and the logits of one token per sequence in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from core.hardware.gpus import Gpu
from core.language_model.folder_config import MAX_CONTEXT
from core.model_configs.cache import CacheSetting, allocated_bytes_per_gpu, kv_heads_per_gpu, sequence_cost
from core.model_configs.facts import LayerFacts, ModelFacts
from core.model_configs.parameters import attention_parameters, mlp_parameters, parameters

WeightDtype = Literal["fp32", "bf16", "fp8", "int4"]
WEIGHT_DTYPES: tuple[WeightDtype, ...] = get_args(WeightDtype)
_BITS = {"fp32": 32.0, "bf16": 16.0, "fp8": 8.0, "int4": 4.0 + 32 / 128}
"""int4: one fp16 scale and one fp16 zero point per group of 128 weights. Embeddings, head and norms stay in 16 bits."""

RESERVE = 0.1
"""The share of the memory that is left free, for the driver and the CUDA context: vLLM has long used 90% by default."""

MAX_BATCH = 1 << 20


@dataclass(frozen=True)
class Deployment:
    """How a model is served. `step_tokens` is the most tokens that one step processes."""

    gpu: Gpu
    cache: CacheSetting
    weights: WeightDtype = "bf16"
    reserve: float = RESERVE
    step_tokens: int = 8192


@dataclass(frozen=True)
class MemoryUse:
    """Bytes on one GPU. `free` is negative where it does not fit; `weights_fit` is False where even the weights beside
    activations and reserve are too much, so that no context helps."""

    capacity: float
    weights: float
    cache: float
    activations: float
    reserve: float

    @property
    def free(self) -> float:
        return self.capacity - self.weights - self.cache - self.activations - self.reserve

    @property
    def fits(self) -> bool:
        return self.free >= 0

    @property
    def weights_fit(self) -> bool:
        return self.free + self.cache >= 0


def memory_use(facts: ModelFacts, deployment: Deployment) -> MemoryUse:
    """The memory of each GPU of the group for the context and batch of the deployment's cache."""
    return MemoryUse(
        capacity=deployment.gpu.memory_bytes,
        weights=weight_bytes_per_gpu(facts, deployment.weights, deployment.cache.tensor_parallel),
        cache=allocated_bytes_per_gpu(facts, deployment.cache),
        activations=activation_bytes_per_gpu(facts, deployment),
        reserve=deployment.reserve * deployment.gpu.memory_bytes,
    )


def weight_bits(dtype: WeightDtype) -> float:
    """Bits per parameter of a matrix in this precision, scales included."""
    return _BITS[dtype]


def weight_bytes_per_gpu(facts: ModelFacts, dtype: WeightDtype, tensor_parallel: int = 1) -> float:
    """The weights that one GPU holds."""
    counts = parameters(facts)
    matrices = sum(count * _matrices_per_gpu(layer, facts, tensor_parallel) for layer, count in facts.groups)
    ends = (counts.embeddings + counts.head) / tensor_parallel + counts.norms
    return (matrices * _BITS[dtype] + ends * max(16.0, _BITS[dtype])) / 8


def _matrices_per_gpu(layer: LayerFacts, facts: ModelFacts, tensor_parallel: int) -> float:
    """Parameters of one layer's matrices on one GPU."""
    found = 0.0
    attention = layer.attention
    if attention is not None:
        parts = attention_parameters(attention, facts.hidden)
        kv_share = kv_heads_per_gpu(attention, tensor_parallel) / attention.kv_heads
        latent = attention.latent
        copied = facts.hidden * (latent.rank + latent.rotary + latent.query_rank) if latent is not None else 0
        divided = parts["query"] + parts["output"] + parts["latent"] - copied
        found += divided / tensor_parallel + copied + (parts["key"] + parts["value"]) * kv_share
    if layer.mlp is not None:
        every = mlp_parameters(layer.mlp, facts.hidden, layer.mlp.experts)
        found += (every - layer.mlp.router) / tensor_parallel + layer.mlp.router
    if layer.state is not None:
        found += (layer.state.parameters or 0) / tensor_parallel
    return found


def activation_bytes_per_gpu(facts: ModelFacts, deployment: Deployment) -> float:
    """The activations of one step, by the model at the top of this file."""
    cache = deployment.cache
    per_token, per_sequence = _activation_sizes(facts, cache.tensor_parallel)
    return per_token * min(deployment.step_tokens, cache.batch * cache.context) + per_sequence * cache.batch


def _activation_sizes(facts: ModelFacts, tensor_parallel: int) -> tuple[float, float]:
    """Bytes per token of a step, and per sequence."""
    inner = max((_inner_width(layer, facts) for layer, _ in facts.groups), default=0)
    return 2 * (2 * facts.hidden + inner / tensor_parallel), 4 * facts.vocabulary / tensor_parallel


def _inner_width(layer: LayerFacts, facts: ModelFacts) -> int:
    attention, mlp = layer.attention, layer.mlp
    attending = width = 0
    if attention is not None:
        keys = attention.heads if attention.latent is not None else attention.kv_heads
        attending = (attention.heads + keys) * (attention.head_dim + attention.v_head_dim)
    if mlp is not None:
        inward = 2 if mlp.gated else 1
        width = inward * (mlp.width * max(mlp.active_experts, 1) + mlp.shared_width)
    return max(attending, width, facts.hidden)


def longest_context(facts: ModelFacts, deployment: Deployment) -> int:
    """The longest context that fits with the deployment's batch; 0 where not even one token does. It may exceed the
    context that the model was made for (`facts.max_context`), which the caller compares."""
    fits = _fitting(facts, deployment)
    return _largest(partial(fits, batch=deployment.cache.batch), MAX_CONTEXT)


def largest_batch(facts: ModelFacts, deployment: Deployment) -> int:
    """The largest batch that fits with the deployment's context; 0 where not even one sequence does."""
    fits = _fitting(facts, deployment)
    return _largest(partial(fits, deployment.cache.context), MAX_BATCH)


def fitting_curve(facts: ModelFacts, deployment: Deployment, batches: tuple[int, ...]) -> tuple[int, ...]:
    """The longest context that fits, for each batch."""
    fits = _fitting(facts, deployment)
    return tuple(_largest(partial(fits, batch=batch), MAX_CONTEXT) for batch in batches)


def _fitting(facts: ModelFacts, deployment: Deployment) -> Callable[..., bool]:
    """Whether a context and a batch fit, with what does not depend on them worked out once."""
    gpus, step_tokens = deployment.cache.tensor_parallel, deployment.step_tokens
    available = (1 - deployment.reserve) * deployment.gpu.memory_bytes
    available -= weight_bytes_per_gpu(facts, deployment.weights, gpus)
    cost = sequence_cost(facts, deployment.cache)
    per_token, per_sequence = _activation_sizes(facts, gpus)

    def fits(context: int, batch: int) -> bool:
        activations = per_token * min(step_tokens, batch * context) + per_sequence * batch
        return batch * cost.bytes_at(context) + activations <= available

    return fits


def _largest(fits: Callable[[int], bool], limit: int) -> int:
    """The largest number from 1 to `limit` that fits, of those below which all fit; 0 if 1 does not."""
    if not fits(1):
        return 0
    low, high = 1, 2
    while high <= limit and fits(high):
        low, high = high, 2 * high
    high = min(high, limit + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
