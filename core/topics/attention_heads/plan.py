"""The whole model in one call: from the parameters to everything that the page draws before a run."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    Deployment,
    MemoryUse,
    ModelFacts,
    allocated_bytes,
    bytes_per_token,
    fitting_curve,
    growth_per_token,
    memory_use,
    needed_bytes,
    preset,
    read_model,
    tensor_parallel_problem,
)
from core.model_configs.projections import Projection, projections
from core.topics.attention_heads.params import MODEL, AttentionHeadsParams
from core.topics.attention_heads.roofline_points import RooflinePoint, roofline_points
from core.topics.attention_heads.scheme_costs import (
    KvHeadCurve,
    SchemeCosts,
    alternatives,
    by_kv_heads,
    cost,
    deployment_of,
)
from core.topics.attention_heads.schemes import attending, divisors, with_attention

BATCHES = tuple(1 << power for power in range(11))
"""The batch sizes of the curves: 1 to 1,024."""
_SHARE_OF_FREE_MEMORY = 0.6
_HEAD_COPIES = 3
"""The run holds K and V of MHA in 16 bits, those of the chosen attention, and a copy of these for plain PyTorch: at
most three times MHA's. Other attentions and the float64 reference come one by one, in parts."""


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
    of the preset with its own attention, served in the same way, and `params` say so. `remarks` are what does not fit,
    and what was assumed.
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
        attending(original)
        return _plan(params, original)
    except TilescopeError as error:
        problem, blames = error.text, getattr(error, "field", None)
    shown = params.changed(config="", attention=MODEL, kv_heads=0)
    return replace(_plan(shown, preset(shown.model)), problem=problem, blames=blames)


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


def _plan(params: AttentionHeadsParams, original: ModelFacts) -> Plan:
    model = with_attention(original, params)
    attention, gpu = attending(model), find_gpu(params.gpu)
    deployment = deployment_of(params, gpu)
    chosen = cost(model, deployment)
    return Plan(
        params=params,
        original=original,
        model=model,
        attention=attention,
        gpu=gpu,
        projections=projections(attention, model.hidden),
        schemes=(chosen, *alternatives(original, deployment)),
        by_kv_heads=by_kv_heads(original, deployment),
        cache=CacheBytes(
            needed_bytes(model, deployment.cache),
            allocated_bytes(model, deployment.cache),
            bytes_per_token(model, deployment.cache.dtype),
            growth_per_token(model, deployment.cache.dtype),
        ),
        capacity=_capacity(model, deployment, chosen),
        points=roofline_points(model, deployment),
        remarks=_remarks(params, model),
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
    remarks = []
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
    return (*remarks, *([unsharded] if unsharded else []), *model.assumed)
