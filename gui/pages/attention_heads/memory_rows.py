"""Rows about memory: the KV cache as it is needed and as an engine allocates it, and what fills the memory of a GPU."""

from __future__ import annotations

from core.contracts.text import Text, tr, tr_plural
from core.format import format_quantity, quantity
from core.model_configs import MemoryUse
from core.topics.attention_heads.plan import Plan
from gui.charts.row_chart_spec import Band, Cell, Column, Headline, Ink, LegendKey, Row, RowSpec, Segment

EMPTY = tr("The memory appears here once the parameters are valid.")
_NEEDED, _WASTE = Ink("series.2", 0.85), Ink("series.1", 0.85)
_WEIGHTS, _CACHE, _ACTIVATIONS = Ink("series.0", 0.85), Ink("series.2", 0.85), Ink("series.3", 0.85)
_RESERVE, _FREE = Ink("series.6", 0.45), Ink("series.6", 0.14)


def memory_rows(plan: Plan) -> RowSpec:
    """A band for the cache of all sequences, and one for the memory of each GPU, on axes of their own."""
    legend = (
        LegendKey(str(tr("weights")), _WEIGHTS),
        LegendKey(str(tr("KV cache")), _CACHE),
        LegendKey(str(tr("activations")), _ACTIVATIONS),
        LegendKey(str(tr("reserve")), _RESERVE),
        LegendKey(str(tr("free")), _FREE),
        LegendKey(str(tr("capacity")), Ink("warn"), "tick"),
    )
    return RowSpec(
        columns=(Column(unit="bytes"),),
        bands=(_cache_band(plan), _gpu_band(plan)),
        legends=(legend,),
        headline=headline(plan),
    )


def headline(plan: Plan) -> Headline:
    """Whether it fits, and by how much."""
    use, gpus = plan.capacity.use, plan.params.tensor_parallel
    missing = format_quantity(abs(use.free), "bytes")
    if use.fits:
        rest = tr_plural("{free} free on the GPU", "{free} free on each GPU", count=gpus, free=missing)
        return Headline(str(tr("Fits")), Ink("good"), str(rest))
    rest = tr_plural("{missing} missing on the GPU", "{missing} missing on each GPU", count=gpus, missing=missing)
    verdict = tr("Does not fit") if use.weights_fit else tr("Weights do not fit")
    return Headline(str(verdict), Ink("bad"), str(rest))


def _cache_band(plan: Plan) -> Band:
    cache, params = plan.cache, plan.params
    title = tr("KV cache, all sequences")
    heads = (
        tr(
            "batch {batch:,} × {context:,} tokens, {dtype}",
            batch=params.batch,
            context=params.context,
            dtype=params.cache_dtype,
        ),
        tr("{batch:,} × {context:,} tokens", batch=params.batch, context=params.context),
    )
    extra = cache.allocated - cache.needed
    allocated = (Segment(min(cache.needed, cache.allocated), _NEEDED), Segment(max(0, extra), _WASTE))
    rows = (
        Row(str(tr("needed")), (_cell((Segment(cache.needed, _NEEDED),), cache.needed),), _describe_needed(plan)),
        Row(
            str(tr("allocated")),
            (_cell(allocated, cache.allocated, share=extra / cache.needed if cache.needed else 0.0),),
            _describe_allocated(plan),
        ),
    )
    return Band(rows, str(title), tuple(map(str, heads)))


def _cell(bar: tuple[Segment, ...], total: float, share: float = 0.0) -> Cell:
    amount = format_quantity(total, "bytes")
    return Cell((bar,), texts=(f"{amount} (+{share:.1%})", amount) if share >= 0.0005 else (amount,))


def _describe_needed(plan: Plan) -> str:
    cache, params = plan.cache, plan.params
    lines = [
        tr("What attention needs: {bytes:,} B", bytes=cache.needed),
        tr("{per_token:,} B per token, all layers counted whole", per_token=cache.per_token),
    ]
    if cache.growth_per_token != cache.per_token:
        lines.append(tr("{growth:,} B per token beyond the windows of sliding layers", growth=cache.growth_per_token))
    lines.append(tr("{batch:,} sequences of {context:,} tokens", batch=params.batch, context=params.context))
    return "\n".join(map(str, lines))


def _describe_allocated(plan: Plan) -> str:
    cache, params = plan.cache, plan.params
    lines = [
        tr("What an engine allocates on all GPUs: {bytes:,} B", bytes=cache.allocated),
        tr("whole pages of {page} tokens", page=params.page_size),
    ]
    kv_heads = plan.attention.kv_heads
    if plan.attention.latent is not None and params.tensor_parallel > 1:
        lines.append(tr("the latent vectors are copied to each of {gpus} GPUs", gpus=params.tensor_parallel))
    elif params.tensor_parallel > kv_heads:
        lines.append(
            tr("{kv_heads} KV heads are replicated on {gpus} GPUs", kv_heads=kv_heads, gpus=params.tensor_parallel)
        )
    if params.keep_sliding_whole and "sliding" in plan.model.kinds:
        lines.append(tr("layers with a sliding window keep all tokens"))
    return "\n".join(map(str, lines))


def _gpu_band(plan: Plan) -> Band:
    use, gpus = plan.capacity.use, plan.params.tensor_parallel
    bar = tuple(
        Segment(max(0.0, value), ink, read_out=_describe_part(name, value, use))
        for name, value, ink in (
            (tr("weights in {dtype}", dtype=plan.params.weight_dtype), use.weights, _WEIGHTS),
            (tr("KV cache, as allocated"), use.cache, _CACHE),
            (tr("activations of one step"), use.activations, _ACTIVATIONS),
            (tr("reserve for driver and CUDA context"), use.reserve, _RESERVE),
            (tr("free"), use.free, _FREE),
        )
    )
    needed = use.capacity - use.free
    texts = (
        tr("{needed} of {capacity}", needed=quantity(needed, "bytes"), capacity=quantity(use.capacity, "bytes")),
        quantity(needed, "bytes"),
    )
    cell = Cell((bar,), limit=use.capacity, texts=tuple(map(str, texts)), text_ink=Ink("text" if use.fits else "bad"))
    title = tr("Memory of the GPU") if gpus == 1 else tr("Memory of each of {gpus} GPUs", gpus=gpus)
    row = Row(str(tr("in use")), (cell,), _describe_use(plan))
    return Band((row,), str(title), (plan.gpu.name, ""))


def _describe_part(name: Text, value: float, use: MemoryUse) -> str:
    share = tr("{share:.1%} of {capacity}", share=value / use.capacity, capacity=quantity(use.capacity, "bytes"))
    return f"{name}: {quantity(value, 'bytes')}\n{share}"


def _describe_use(plan: Plan) -> str:
    use = plan.capacity.use
    parts = (
        (tr("weights"), use.weights),
        (tr("KV cache"), use.cache),
        (tr("activations"), use.activations),
        (tr("reserve"), use.reserve),
        (tr("free") if use.fits else tr("missing"), abs(use.free)),
    )
    return "\n".join([plan.gpu.name, *(f"{name}: {quantity(value, 'bytes')}" for name, value in parts)])
