"""What a model costs with one attention or another, when it is served. Modelled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.hardware.gpus import Gpu
from core.model_configs import (
    AttentionFacts,
    CacheSetting,
    Deployment,
    ModelFacts,
    Parameters,
    bytes_per_token,
    largest_batch,
    longest_context,
    needed_bytes,
    parameters,
)
from core.topics.attention_heads.decode_step import Step, step
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.schemes import (
    attending,
    changed,
    divisors,
    grouped,
    latent,
    scheme_title,
    usual_kv_heads,
)


@dataclass(frozen=True)
class SchemeCosts:
    """One attention in the same model: what it costs. Modelled. `cache_bytes_per_token` counts every layer whole."""

    title: str
    kv_heads: int | None
    parameters: Parameters
    cache_bytes_per_token: int
    cache_bytes: int
    step: Step
    longest_context: int
    largest_batch: int


@dataclass(frozen=True, eq=False)
class KvHeadCurve:
    """The model with every possible number of KV heads, from all heads down to one. Modelled; one entry per number.

    `kv_heads` int64; `parameters` of the whole model; `cache_bytes_per_token`; `read_bytes_per_token` of a generated
    token; `intensity` of decode attention in FLOP per byte; `tokens_per_second` float64 [numbers, 2], a band.
    """

    kv_heads: NDArray[np.int64]
    parameters: NDArray[np.float64]
    cache_bytes_per_token: NDArray[np.float64]
    read_bytes_per_token: NDArray[np.float64]
    intensity: NDArray[np.float64]
    tokens_per_second: NDArray[np.float64]


def deployment_of(params: AttentionHeadsParams, gpu: Gpu) -> Deployment:
    """How the params say that the model is served."""
    setting = CacheSetting(
        context=params.context,
        batch=params.batch,
        dtype=params.cache_dtype,  # type: ignore[arg-type]  # a choice of the field
        tensor_parallel=params.tensor_parallel,
        page_size=params.page_size,
        keep_sliding_whole=params.keep_sliding_whole,
    )
    return Deployment(gpu, setting, params.weight_dtype)  # type: ignore[arg-type]


def cost(model: ModelFacts, deployment: Deployment) -> SchemeCosts:
    """What a model with its attention costs when it is served so."""
    attention = attending(model)
    return SchemeCosts(
        title=scheme_title(attention),
        kv_heads=None if attention.latent else attention.kv_heads,
        parameters=parameters(model),
        cache_bytes_per_token=bytes_per_token(model, deployment.cache.dtype),
        cache_bytes=needed_bytes(model, deployment.cache),
        step=step(model, deployment),
        longest_context=longest_context(model, deployment),
        largest_batch=largest_batch(model, deployment),
    )


def alternatives(original: ModelFacts, deployment: Deployment) -> tuple[SchemeCosts, ...]:
    """MHA, GQA with 8 KV heads where they divide the heads, MQA, MLA."""
    models = [_all_grouped(original, number) for number in usual_kv_heads(attending(original).heads)]
    return tuple(cost(model, deployment) for model in (*models, changed(original, latent)))


@lru_cache(maxsize=256)
def _all_grouped(model: ModelFacts, kv_heads: int) -> ModelFacts:
    """Layers with another number of heads get the same number of query heads per KV head, or the nearest possible."""
    heads = attending(model).heads

    def change(attention: AttentionFacts) -> AttentionFacts:
        share = attention.heads * kv_heads / heads
        return grouped(attention, min(divisors(attention.heads), key=lambda number: abs(number - share)))

    return changed(model, change)


def by_kv_heads(original: ModelFacts, deployment: Deployment) -> KvHeadCurve:
    """The costs of the model for every number of KV heads that divides its query heads."""
    numbers = divisors(attending(original).heads)
    models = [_all_grouped(original, number) for number in numbers]
    steps = [step(model, deployment) for model in models]
    dtype = deployment.cache.dtype
    return KvHeadCurve(
        kv_heads=np.array(numbers, dtype=np.int64),
        parameters=np.array([parameters(model).total for model in models], dtype=np.float64),
        cache_bytes_per_token=np.array([bytes_per_token(model, dtype) for model in models], dtype=np.float64),
        read_bytes_per_token=np.array([each.bytes_per_token for each in steps], dtype=np.float64),
        intensity=np.array([each.attention.intensity for each in steps], dtype=np.float64),
        tokens_per_second=np.array([each.tokens_per_second for each in steps], dtype=np.float64),
    )
