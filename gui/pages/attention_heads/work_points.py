"""The points of the roofline picture: decode and prefill as modelled, and what a run traced."""

from __future__ import annotations

from core.contracts.text import Text, tr
from core.format import quantity
from core.hardware.roofline import attainable_tflops
from core.topics.attention_heads.plan import Plan
from core.topics.attention_heads.result import AttentionHeadsResult, TracedDecode, TracedPrefill
from core.topics.attention_heads.roofline_points import RooflinePoint
from gui.charts.roofline_chart import Point, Roof, gpu_roof

ATTENTION, LINEAR = 0, 2
_INKS = {"attention": ATTENTION, "linear": LINEAR}


def roofs(plan: Plan) -> list[Roof]:
    """That of attention; and that of the linear layers if they compute in another precision."""
    attention = next(point for point in plan.points if point.part == "attention").roof
    linear = next(point for point in plan.points if point.part == "linear").roof
    first = gpu_roof(plan.gpu, "bf16")
    if linear.peak_flops_per_s == attention.peak_flops_per_s:
        return [first]
    dtype = plan.params.weight_dtype
    return [first, gpu_roof(plan.gpu, dtype, str(tr("peak in {dtype}", dtype=dtype)))]


def points(plan: Plan, fitting: AttentionHeadsResult | None) -> list[Point]:
    """One point per kind of work; a batch that changes nothing has no point of its own."""
    shown: list[Point] = []
    modelled = [point for point in plan.points if point.work.hbm_bytes > 0]
    batches = {point.batch for point in modelled if point.phase == "decode"}
    for point in modelled:
        is_repeated = point.phase == "decode" and point.part == "attention" and point.batch > 1
        if is_repeated:
            continue
        follows = None
        if point.phase == "decode" and point.part == "linear" and point.batch > 1:
            follows = next(i for i, other in enumerate(shown) if other.colour_index == LINEAR)
        label = _label(point, many=len(batches) > 1)
        shown.append(
            Point(
                str(label),
                _read_out(point, label, plan),
                point.work.intensity,
                point.roof.attainable_tflops,
                _INKS[point.part],
                follows=follows,
            )
        )
    if fitting is not None:
        shown += [
            _traced(plan, decode, chosen=index == 0) for index, decode in enumerate(fitting.decodes) if decode.bytes
        ]
        if fitting.prefill is not None and fitting.prefill.requested_bytes:
            shown.append(_traced_prefill(plan, fitting.prefill))
    return shown


def _label(point: RooflinePoint, *, many: bool) -> Text:
    if point.phase == "prefill":
        return tr("prefill attention") if point.part == "attention" else tr("prefill linear")
    if point.part == "attention":
        return tr("decode attention, any batch") if many else tr("decode attention")
    return tr("linear, batch {batch:,}", batch=point.batch)


def _read_out(point: RooflinePoint, label: Text, plan: Plan) -> str:
    roof = point.roof
    bound = tr("bandwidth is the limit") if roof.bound == "memory" else tr("arithmetic is the limit")
    lines = [
        label,
        tr("{intensity} FLOP per byte", intensity=quantity(point.work.intensity)),
        tr(
            "{flops} and {bytes} in all layers",
            flops=quantity(point.work.flops, "FLOPs"),
            bytes=quantity(point.work.hbm_bytes, "bytes"),
        ),
        tr("up to {speed}: {bound}", speed=quantity(roof.attainable_tflops * 1e12, "FLOP/s"), bound=bound),
        tr("at least {time} on {gpu}", time=quantity(roof.time_ms, "ms"), gpu=plan.gpu.name),
    ]
    return "\n".join(map(str, lines))


def _traced(plan: Plan, decode: TracedDecode, *, chosen: bool) -> Point:
    lines = [
        tr("{key}, traced: one token in one layer, {tokens:,} cached tokens", key=decode.key, tokens=decode.tokens),
        tr("{intensity} FLOP per byte", intensity=quantity(decode.intensity)),
        tr(
            "{flops} and {bytes}, of them {cache} of the cache",
            flops=quantity(decode.flops, "FLOPs"),
            bytes=quantity(decode.bytes, "bytes"),
            cache=quantity(decode.cache_bytes, "bytes"),
        ),
    ]
    reach = attainable_tflops(plan.gpu, "bf16", decode.intensity)
    label = "" if chosen else decode.key
    return Point(label, "\n".join(map(str, lines)), decode.intensity, reach, ATTENTION, traced=True)


def _traced_prefill(plan: Plan, prefill: TracedPrefill) -> Point:
    intensity = prefill.flops / prefill.requested_bytes
    lines = [
        tr("{key}, traced: prefill of {tokens:,} tokens in one layer", key=prefill.key, tokens=prefill.tokens),
        tr("{intensity} FLOP per byte that the kernel requests", intensity=quantity(intensity)),
        tr(
            "{requested} requested; {once} if caches serve every repeated read",
            requested=quantity(prefill.requested_bytes, "bytes"),
            once=quantity(prefill.once_bytes, "bytes"),
        ),
    ]
    reach = attainable_tflops(plan.gpu, "bf16", intensity)
    return Point("", "\n".join(map(str, lines)), intensity, reach, ATTENTION, traced=True)
