"""The key metrics at the top of the page: what a token costs in memory and traffic, how fast it comes, what fits."""

from __future__ import annotations

from collections.abc import Mapping

from core.contracts.text import Text, listed, sentences, tr, tr_in, tr_plural
from core.format import format_quantity, quantity
from core.model_configs import LayerKind
from core.topics.attention_heads.decode_step import BAND_ENDS
from core.topics.attention_heads.plan import Plan
from gui.charts.ticks import short_quantity
from gui.pages.attention_heads.wording import band, context
from gui.widgets.metric_bar import Number

_KINDS: Mapping[LayerKind, Text] = {
    "full": tr_in("layers", "full"),
    "sliding": tr_in("layers", "sliding"),
    "chunked": tr_in("layers", "chunked"),
    "latent": tr_in("layers", "latent"),
    "state": tr_in("layers", "with a state"),
    "hybrid": tr_in("layers", "hybrid"),
    "shared": tr_in("layers", "sharing a cache"),
    "none": tr_in("layers", "without attention"),
}


def numbers(plan: Plan) -> list[Number]:
    """All follow from the parameters: modelled."""
    params, step, capacity = plan.params, plan.chosen.step, plan.capacity
    low, high = step.tokens_per_second
    return [
        Number(
            str(tr("KV cache per token")),
            format_quantity(plan.cache.per_token, "bytes"),
            str(_cache_detail(plan)),
            short=str(tr("cache per token")),
        ),
        Number(
            str(tr("read per generated token")),
            format_quantity(step.bytes_per_token, "bytes"),
            str(
                tr(
                    "{cache} of KV cache, and {weights} as its share of the weights: a batch of {batch:,} reads each "
                    "matrix once per step.",
                    cache=quantity(step.attention.hbm_bytes / step.batch, "bytes"),
                    weights=quantity(step.linear.hbm_bytes / step.batch, "bytes"),
                    batch=step.batch,
                )
            ),
            short=str(tr("read per token")),
        ),
        Number(
            str(tr("decode attention, FLOP/B")),
            format_quantity(step.attention.intensity),
            str(
                tr(
                    "Arithmetic intensity of attention to the KV cache. It does not depend on the batch: every "
                    "sequence reads its own cache."
                )
            ),
            short="FLOP/B",
        ),
        Number(
            str(tr("tokens/s")),
            str(band(low, high)),
            str(
                tr(
                    "All sequences together, on {gpus} × {gpu}. From {low:.0%} to {high:.0%} of what bandwidth and "
                    "peak allow.",
                    low=BAND_ENDS[0],
                    high=BAND_ENDS[1],
                    gpus=params.tensor_parallel,
                    gpu=plan.gpu.name,
                )
            ),
        ),
        Number(
            str(tr("longest context")),
            str(context(capacity.longest_context)),
            str(_context_detail(plan)),
            "bad" if capacity.longest_context < params.context else "plain",
        ),
        Number(
            str(tr("largest batch")),
            f"{capacity.largest_batch:,}" if capacity.largest_batch else str(tr("does not fit")),
            str(tr("Sequences of {context:,} tokens that fit into the memory of each GPU.", context=params.context)),
            "bad" if capacity.largest_batch < params.batch else "plain",
        ),
    ]


def model_facts(plan: Plan) -> Text:
    """The model in one sentence: layers, parameters, and the context that it was made for."""
    model, counts = plan.model, plan.chosen.parameters
    kinds = listed(tr("{count} {kind}", count=count, kind=_KINDS[kind]) for kind, count in model.kinds.items())
    layers = tr_plural("{count} layer ({kinds})", "{count} layers ({kinds})", count=len(model.layers), kinds=kinds)
    size = tr("{parameters} parameters", parameters=short_quantity(counts.total))
    if counts.active != counts.total:
        size = tr(
            "{parameters} parameters, {active} active per token",
            parameters=short_quantity(counts.total),
            active=short_quantity(counts.active),
        )
    if model.max_context is None:
        return tr("{name}: {layers}, {size}", name=model.name, layers=layers, size=size)
    return tr(
        "{name}: {layers}, {size}, made for {tokens:,} tokens",
        name=model.name,
        layers=layers,
        size=size,
        tokens=model.max_context,
    )


def _cache_detail(plan: Plan) -> Text:
    per_token, growth = plan.cache.per_token, plan.cache.growth_per_token
    every = tr("K and V of all layers, {bytes:,} B, in {dtype}.", bytes=per_token, dtype=plan.params.cache_dtype)
    if plan.attention.latent is not None:
        every = tr(
            "Latent vectors of all layers, {bytes:,} B, in {dtype}.", bytes=per_token, dtype=plan.params.cache_dtype
        )
    if growth == per_token:
        return every
    beyond = tr(
        "Beyond the windows of the sliding layers, a token adds only {growth}.", growth=quantity(growth, "bytes")
    )
    return sentences(every, beyond)


def _context_detail(plan: Plan) -> Text:
    longest, made_for = plan.capacity.longest_context, plan.model.max_context
    fits = tr("Tokens per sequence that fit with a batch of {batch:,}.", batch=plan.params.batch)
    if not plan.capacity.use.weights_fit:
        fits = tr("Even the weights do not fit: use more GPUs or a lower precision.")
    if made_for is not None and longest > made_for:
        beyond = tr("{name} was made for {tokens:,}.", name=plan.model.name, tokens=made_for)
        return sentences(fits, beyond)
    return fits
