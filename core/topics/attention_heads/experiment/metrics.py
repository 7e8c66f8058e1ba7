"""Metrics that need no run: the plan's numbers, and those that papers report."""

from __future__ import annotations

from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.hardware.roofline import ridge_point
from core.model_configs import ModelFacts, bytes_per_token, preset, state_bytes
from core.model_configs.parameters import parameters
from core.topics.attention_heads.decode_step import (
    LARGE_BATCH,
    Step,
    attention_flops_per_key,
    attention_work,
    causal_pairs,
    linear_work,
)
from core.topics.attention_heads.mla_cost import MlaForm, mla_cost
from core.topics.attention_heads.plan import Plan
from core.topics.attention_heads.scheme_costs import SchemeCosts, deployment_of
from core.topics.attention_heads.schemes import USUAL_KV_HEADS, attending, changed, grouped, latent

Metrics = dict[str, Metric]

GQA_PAPER = {"mha": (1.51, 47.2), "gqa-8": (0.28, 47.1), "mqa": (0.24, 46.6)}
"""Ainslie et al. 2023 (arXiv 2305.13245), table 1, T5-XXL: seconds per sample, and mean score on the dev sets."""


def modelled_metrics(planned: Plan) -> Metrics:
    """Cache, memory, what fits, parameters, steps of decoding, and the share of training that MQA saves."""
    return {
        **_cache(planned),
        **_memory(planned),
        **_model(planned),
        **_schemes(planned),
        **_work(planned),
        **_batching(planned),
        **_training(planned),
        **_mla_forms(planned),
        **_deepseek(),
    }


def recorded_metrics() -> Metrics:
    """The GQA paper's table."""
    source = tr("T5-XXL: Ainslie et al. 2023 (arXiv 2305.13245), table 1")
    found = {}
    for key, (seconds, score) in GQA_PAPER.items():
        found[f"paper.{key}.time_s"] = Metric(seconds, "s", Provenance.RECORDED, source)
        found[f"paper.{key}.score"] = Metric(score, "", Provenance.RECORDED, source)
    return found


def _cache(planned: Plan) -> Metrics:
    params, cache = planned.params, planned.cache
    served = tr(
        "batch {batch:,}, context {context:,}, {dtype}",
        batch=params.batch,
        context=params.context,
        dtype=params.cache_dtype,
    )
    allocated = tr(
        "{served}: pages of {page} tokens, tensor parallelism {gpus}",
        served=served,
        page=params.page_size,
        gpus=params.tensor_parallel,
    )
    return {
        "cache.per_token": _modelled(cache.per_token, "bytes", tr("every layer counted whole")),
        "cache.growth_per_token": _modelled(cache.growth_per_token, "bytes", tr("once all windows are full")),
        "cache.needed": _modelled(cache.needed, "bytes", served),
        "cache.allocated": _modelled(cache.allocated, "bytes", allocated),
        "cache.states": _modelled(state_bytes(planned.model), "bytes", tr("fixed size, per sequence")),
    }


def _memory(planned: Plan) -> Metrics:
    use, params = planned.capacity.use, planned.params
    gpu = verbatim(planned.gpu.name)
    return {
        "memory.weights": _modelled(use.weights, "bytes", tr("per GPU, {dtype}", dtype=params.weight_dtype)),
        "memory.cache": _modelled(use.cache, "bytes", tr("per GPU")),
        "memory.activations": _modelled(use.activations, "bytes", tr("per GPU")),
        "memory.capacity": _modelled(use.capacity, "bytes", gpu),
        "fit.context": _modelled(
            planned.capacity.longest_context, "tokens", tr("at batch {batch:,}", batch=params.batch)
        ),
        "fit.batch": _modelled(
            planned.capacity.largest_batch, "sequences", tr("at a context of {context:,}", context=params.context)
        ),
    }


def _model(planned: Plan) -> Metrics:
    counts = parameters(planned.model)
    attention = planned.attention
    return {
        "model.parameters": _modelled(counts.total, "parameters", verbatim(planned.model.name)),
        "model.active_parameters": _modelled(counts.active, "parameters", tr("that a token passes")),
        "model.attention_parameters": _modelled(counts.attention, "parameters"),
        "model.heads": _modelled(attention.heads, "heads"),
        "model.kv_heads": _modelled(
            1 if attention.latent else attention.kv_heads,
            "heads",
            tr("all heads share one latent vector") if attention.latent else EMPTY,
        ),
    }


def _schemes(planned: Plan) -> Metrics:
    found = {**_step("step", planned.chosen.step)}
    for scheme in planned.schemes[1:]:
        found |= _scheme(scheme)
    return found


def _scheme(scheme: SchemeCosts) -> Metrics:
    name, counts = scheme.title.lower(), scheme.parameters
    found = {
        f"{name}.parameters": _modelled(counts.total, "parameters"),
        f"{name}.query_parameters": _modelled(counts.query, "parameters"),
        f"{name}.key_parameters": _modelled(counts.key, "parameters"),
        f"{name}.value_parameters": _modelled(counts.value, "parameters"),
        f"{name}.output_parameters": _modelled(counts.output, "parameters"),
        f"{name}.cache_per_token": _modelled(scheme.cache_bytes_per_token, "bytes"),
    }
    return found | _step(name, scheme.step)


def _step(name: str, step: Step) -> Metrics:
    low, high = step.tokens_per_second
    note = tr("from 0.6 to 1 times the roofline's bound, all sequences together")
    return {
        f"{name}.read_bytes_per_token": _modelled(step.bytes_per_token, "bytes", tr("cache and share of the weights")),
        f"{name}.tokens_per_second_low": _modelled(low, "tokens/s", note),
        f"{name}.tokens_per_second_high": _modelled(high, "tokens/s", note),
    }


def _work(planned: Plan) -> Metrics:
    """Prefill of one sequence, and decode at the batch of the params."""
    found, gpu = {}, verbatim(planned.gpu.name)
    for point in planned.points:
        if point.phase == "decode" and point.batch != planned.params.batch:
            continue
        name, note = f"{point.phase}.{point.part}", tr("batch {batch:,}", batch=point.batch)
        found[f"{name}.flops"] = _modelled(point.work.flops, "FLOP", note)
        found[f"{name}.intensity"] = _modelled(point.work.intensity, "FLOP/B", note)
        found[f"{name}.bound_ms"] = _modelled(point.roof.time_ms, "ms", tr("{gpu}, a lower limit", gpu=gpu))
    return found | {"gpu.ridge": _modelled(ridge_point(planned.gpu, "bf16"), "FLOP/B", gpu)}


def _batching(planned: Plan) -> Metrics:
    model, deployment = planned.model, deployment_of(planned.params, planned.gpu)
    cache, found = deployment.cache, {}
    for name, batch in (("one", 1), ("large", LARGE_BATCH)):
        note = tr("batch {batch:,}", batch=batch)
        attention = attention_work(model, cache.context, batch, cache.dtype)
        linear = linear_work(model, batch, deployment.weights)
        found[f"batch.{name}.attention_intensity"] = _modelled(attention.intensity, "FLOP/B", note)
        found[f"batch.{name}.linear_intensity"] = _modelled(linear.intensity, "FLOP/B", note)
    return found


def _training(planned: Plan) -> Metrics:
    """Per token of a training sequence as long as the context: 6 FLOPs per active parameter that multiplies it (Kaplan
    et al. 2020, arXiv 2001.08361, table 1), and causal attention forward and backward."""
    mha, mqa = (_training_flops(planned, shared=shared) for shared in (False, True))
    note = tr("of MHA's, at sequences of {context:,} tokens", context=planned.params.context)
    return {"training.mqa_flops_share": _modelled(100 * (1 - mqa / mha), "%", note)}


def _training_flops(planned: Plan, *, shared: bool) -> float:
    model = changed(planned.original, lambda attention: grouped(attention, 1 if shared else attention.heads))
    counts, context = parameters(model), planned.params.context
    matrices = counts.attention + counts.active_mlp + counts.state + model.vocabulary * model.embedding_width
    flops = 6.0 * matrices
    for layer, count in model.groups:
        if layer.attention is not None:
            keys = causal_pairs(layer.attention, context) / context
            flops += 3 * count * keys * attention_flops_per_key(layer.attention, absorbed=False)
    return flops


def _mla_forms(planned: Plan) -> Metrics:
    """One decoding step of one layer and one sequence with MLA: absorbed, with K and V of all tokens built anew, and
    with K and V of every head in the cache."""
    attention, hidden = latent(attending(planned.original)), planned.original.hidden
    context = planned.params.context
    note = tr("one layer, one sequence, a context of {context:,}", context=context)
    found = {}
    for form in MlaForm:
        cost, name = mla_cost(attention, hidden, form, tokens=1, context=context), form.value.replace(" ", "-")
        found[f"mla.{name}.flops"] = _modelled(cost.flops, "FLOP", note)
        found[f"mla.{name}.cache_read_bytes"] = _modelled(cost.cache_read_bytes, "bytes", note)
    return found


def _deepseek() -> Metrics:
    """DeepSeek-V3's cache per token with its MLA, and with GQA of 8 KV heads of the same widths instead."""
    model = preset("deepseek-v3")
    note = verbatim(model.name)
    return {
        "deepseek-v3.mla.cache_per_token": _modelled(bytes_per_token(model), "bytes", note),
        "deepseek-v3.gqa-8.cache_per_token": _modelled(bytes_per_token(_as_gqa(model)), "bytes", note),
    }


def _as_gqa(model: ModelFacts) -> ModelFacts:
    return changed(model, lambda attention: grouped(attention, USUAL_KV_HEADS))


def _modelled(value: float, unit: str, note: Text = EMPTY) -> Metric:
    return Metric(float(value), unit, Provenance.MODELLED, note)
