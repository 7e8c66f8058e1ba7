"""The whole model in one call: from the parameters to everything that the page draws before a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.text import EMPTY, Text, tr
from core.format import quantity
from core.hardware.gpus import Gpu
from core.hardware.gpus import gpu as find_gpu
from core.hardware.host import host_facts
from core.language_model.folder_files import check_fits, inspect
from core.model_configs import (
    AttentionFacts,
    CacheSetting,
    Deployment,
    MemoryUse,
    ModelFacts,
    Parameters,
    allocated_bytes,
    bytes_per_token,
    fitting_curve,
    growth_per_token,
    largest_batch,
    longest_context,
    memory_use,
    needed_bytes,
    parameters,
    preset,
    read_model,
    tensor_parallel_problem,
)
from core.topics.attention_heads.decode_step import Step, step
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.roofline_points import RooflinePoint, roofline_points
from core.topics.attention_heads.schemes import changed, divisors, grouped, latent, scheme_title, with_attention

BATCHES = tuple(1 << power for power in range(11))
"""The batch sizes of the curves: 1 to 1,024."""
_SHARE_OF_FREE_MEMORY = 0.6
_HEAD_COPIES = 3
"""The run holds K and V of MHA in 16 bits, those of the chosen attention, and a copy of these for plain PyTorch: at
most three times MHA's. Other attentions and the float64 reference come one by one, in parts."""


@dataclass(frozen=True)
class Projection:
    """One matrix of an attention layer, [out, in]. `shared_by` query heads read each of its heads' outputs."""

    name: str
    shape: tuple[int, int]
    shared_by: int = 1

    @property
    def parameters(self) -> int:
        return self.shape[0] * self.shape[1]


@dataclass(frozen=True)
class SchemeCosts:
    """One attention in the same model: what it costs. Modelled.

    `key` identifies it: '' for the chosen one, otherwise its title. `cache_bytes_per_token` counts every layer whole.
    """

    key: str
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


@dataclass(frozen=True, eq=False)
class Capacity:
    """What fits on the GPUs. `contexts` float64 [batches]: the longest context for each of `batches`; 0: none."""

    use: MemoryUse
    longest_context: int
    largest_batch: int
    batches: NDArray[np.int64]
    contexts: NDArray[np.float64]


@dataclass(frozen=True)
class CacheBytes:
    """The KV cache of all sequences: what attention needs, and what an engine allocates on all GPUs."""

    needed: int
    allocated: int
    per_token: int
    growth_per_token: int


@dataclass(frozen=True, eq=False)
class Plan:
    """What the attention of a model costs, computed from the parameters alone. Every number here is modelled.

    `original` is the model as its configuration describes it, `model` the one with the chosen attention, and
    `attention` that of most of its layers. `schemes` are the chosen attention first, then MHA, GQA, MQA and MLA.
    `problem` says why the parameters have no plan of their own, blaming the parameter `blames`; the plan is then that
    of the preset, so that there is something to see. `remarks` are what was assumed, and what does not fit.
    """

    params: AttentionHeadsParams
    original: ModelFacts
    model: ModelFacts
    attention: AttentionFacts
    gpu: Gpu
    projections: tuple[Projection, ...]
    schemes: tuple[SchemeCosts, ...]
    by_kv_heads: KvHeadCurve
    cache: CacheBytes
    capacity: Capacity
    points: tuple[RooflinePoint, ...]
    remarks: tuple[Text, ...] = ()
    problem: Text = EMPTY
    blames: str | None = None

    @property
    def chosen(self) -> SchemeCosts:
        """The chosen attention."""
        return self.schemes[0]

    @property
    def group_size(self) -> int:
        """Query heads per KV head. All heads of MLA share one latent vector."""
        return self.attention.heads if self.attention.latent else self.attention.heads // self.attention.kv_heads

    @property
    def possible_kv_heads(self) -> tuple[int, ...]:
        """From all heads down to one."""
        return divisors(self.attention.heads)


def plan(params: AttentionHeadsParams) -> Plan:
    """The plan of `params`. Does not raise: an error in them becomes `problem`."""
    problem, blames = EMPTY, None
    original = preset(params.model)
    try:
        if params.config.strip():
            original = read_model(params.config, "config")
        _attending(original)
        return _plan(params, original)
    except TilescopeError as error:
        problem, blames = error.text, getattr(error, "field", None)
    shown = AttentionHeadsParams().changed(gpu=params.gpu)
    return replace(_plan(shown, preset(shown.model)), params=params, problem=problem, blames=blames)


def check(params: AttentionHeadsParams) -> None:
    """Raises InvalidParams for parameters without a plan, for a model folder that cannot be converted, and for a run
    that does not fit into the memory of this host."""
    planned = plan(params)
    if planned.problem:
        raise InvalidParams(planned.problem, planned.blames)
    attention = planned.attention
    if params.convert and params.model_folder.strip():
        check_fits(inspect(params.model_folder, "model_folder"))
    token_bytes = attention.heads * (attention.head_dim + attention.v_head_dim)
    needed = _HEAD_COPIES * 2 * token_bytes * params.traced_context
    free = host_facts().available_memory_bytes
    if needed > _SHARE_OF_FREE_MEMORY * free:
        raise InvalidParams(
            tr(
                "The keys and values of {heads} heads and traced_context = {context:,} tokens need about {needed} of "
                "memory, but only {free} are free: lower traced_context.",
                heads=attention.heads,
                context=params.traced_context,
                needed=quantity(needed, "bytes"),
                free=quantity(free, "bytes"),
            ),
            "traced_context",
        )


def _attending(model: ModelFacts) -> AttentionFacts:
    if model.attention is None:
        raise InvalidParams(
            tr("The model {name} has no attention layers: choose a model with attention.", name=model.name), "config"
        )
    return model.attention


def _plan(params: AttentionHeadsParams, original: ModelFacts) -> Plan:
    model = with_attention(original, params)
    attention, gpu = _attending(model), find_gpu(params.gpu)
    cost = _coster(params, gpu)
    deployment = _deployment(params, gpu)
    chosen = cost(model, "")
    return Plan(
        params=params,
        original=original,
        model=model,
        attention=attention,
        gpu=gpu,
        projections=projections(attention, model.hidden),
        schemes=(chosen, *_alternatives(original, cost)),
        by_kv_heads=_by_kv_heads(params, original, gpu),
        cache=CacheBytes(
            needed_bytes(model, deployment.cache),
            allocated_bytes(model, deployment.cache),
            bytes_per_token(model, deployment.cache.dtype),
            growth_per_token(model, deployment.cache.dtype),
        ),
        capacity=_capacity(model, deployment, chosen),
        points=roofline_points(params, model, gpu),
        remarks=_remarks(params, model),
    )


def projections(attention: AttentionFacts, hidden: int) -> tuple[Projection, ...]:
    """The matrices of one layer by their usual names, in the order in which they are applied."""
    heads, facts = attention.heads, attention.latent
    output = Projection("o_proj", (hidden, heads * attention.v_head_dim))
    if facts is None:
        group = heads // attention.kv_heads
        gate = 2 if attention.gated else 1
        return (
            Projection("q_proj", (gate * heads * attention.head_dim, hidden)),
            Projection("k_proj", (attention.kv_heads * attention.head_dim, hidden), group),
            Projection("v_proj", (attention.kv_heads * attention.v_head_dim, hidden), group),
            output,
        )
    queries: tuple[Projection, ...] = (Projection("q_proj", (heads * attention.head_dim, hidden)),)
    if facts.query_rank:
        queries = (
            Projection("q_a_proj", (facts.query_rank, hidden)),
            Projection("q_b_proj", (heads * attention.head_dim, facts.query_rank)),
        )
    return (
        *queries,
        Projection("kv_a_proj", (facts.rank + facts.rotary, hidden), heads),
        Projection("kv_b_proj", (heads * (facts.content + attention.v_head_dim), facts.rank)),
        output,
    )


def _deployment(params: AttentionHeadsParams, gpu: Gpu) -> Deployment:
    setting = CacheSetting(
        context=params.context,
        batch=params.batch,
        dtype=params.cache_dtype,  # type: ignore[arg-type]  # a choice of the field
        tensor_parallel=params.tensor_parallel,
        page_size=params.page_size,
        keep_sliding_whole=params.keep_sliding_whole,
    )
    return Deployment(gpu, setting, params.weight_dtype)  # type: ignore[arg-type]


def _step(params: AttentionHeadsParams, model: ModelFacts, gpu: Gpu) -> Step:
    deployment = _deployment(params, gpu)
    return step(
        model, gpu, params.tensor_parallel, params.context, params.batch, deployment.cache.dtype, deployment.weights
    )


def _coster(params: AttentionHeadsParams, gpu: Gpu) -> Callable[[ModelFacts, str], SchemeCosts]:
    deployment = _deployment(params, gpu)

    def cost(model: ModelFacts, key: str) -> SchemeCosts:
        attention = _attending(model)
        return SchemeCosts(
            key=key,
            title=scheme_title(attention),
            kv_heads=None if attention.latent else attention.kv_heads,
            parameters=parameters(model),
            cache_bytes_per_token=bytes_per_token(model, deployment.cache.dtype),
            cache_bytes=needed_bytes(model, deployment.cache),
            step=_step(params, model, gpu),
            longest_context=longest_context(model, deployment),
            largest_batch=largest_batch(model, deployment),
        )

    return cost


def _alternatives(original: ModelFacts, cost: Callable[[ModelFacts, str], SchemeCosts]) -> tuple[SchemeCosts, ...]:
    """MHA, GQA with 8 KV heads where they divide the heads, MQA, MLA."""
    heads = _attending(original).heads
    numbers = [heads, *(number for number in (8,) if 1 < number < heads and heads % number == 0), 1]
    models = [_all_grouped(original, number) for number in dict.fromkeys(numbers)]
    return tuple(cost(model, scheme_title(_attending(model))) for model in (*models, changed(original, latent)))


@lru_cache(maxsize=256)
def _all_grouped(model: ModelFacts, kv_heads: int) -> ModelFacts:
    """Layers with another number of heads get the same number of query heads per KV head, or the nearest possible."""
    heads = _attending(model).heads

    def change(attention: AttentionFacts) -> AttentionFacts:
        share = attention.heads * kv_heads / heads
        return grouped(attention, min(divisors(attention.heads), key=lambda number: abs(number - share)))

    return changed(model, change)


def _by_kv_heads(params: AttentionHeadsParams, original: ModelFacts, gpu: Gpu) -> KvHeadCurve:
    numbers = divisors(_attending(original).heads)
    models = [_all_grouped(original, number) for number in numbers]
    steps = [_step(params, model, gpu) for model in models]
    dtype = _deployment(params, gpu).cache.dtype
    return KvHeadCurve(
        kv_heads=np.array(numbers, dtype=np.int64),
        parameters=np.array([parameters(model).total for model in models], dtype=np.float64),
        cache_bytes_per_token=np.array([bytes_per_token(model, dtype) for model in models], dtype=np.float64),
        read_bytes_per_token=np.array([each.bytes_per_token for each in steps], dtype=np.float64),
        intensity=np.array([each.attention.intensity for each in steps], dtype=np.float64),
        tokens_per_second=np.array([each.tokens_per_second for each in steps], dtype=np.float64),
    )


def _capacity(model: ModelFacts, deployment: Deployment, chosen: SchemeCosts) -> Capacity:
    return Capacity(
        use=memory_use(model, deployment),
        longest_context=chosen.longest_context,
        largest_batch=chosen.largest_batch,
        batches=np.array(BATCHES, dtype=np.int64),
        contexts=np.array(fitting_curve(model, deployment, BATCHES), dtype=np.float64),
    )


def _remarks(params: AttentionHeadsParams, model: ModelFacts) -> tuple[Text, ...]:
    remarks = list(model.assumed)
    if model.max_context is not None and params.context > model.max_context:
        remarks.append(
            tr(
                "The context of {context:,} tokens is longer than the {longest:,} that {name} was made for.",
                context=params.context,
                longest=model.max_context,
                name=model.name,
            )
        )
    unsharded = tensor_parallel_problem(model, params.tensor_parallel)
    return (*remarks, unsharded) if unsharded else tuple(remarks)
