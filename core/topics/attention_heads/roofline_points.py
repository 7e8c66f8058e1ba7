"""Prefill and decode on the roofline of the chosen GPU: what each kind of work is bound by. Modelled, pure numbers."""

from __future__ import annotations

from dataclasses import dataclass

from core.hardware.gpus import Gpu
from core.hardware.roofline import Roofline
from core.model_configs import ModelFacts
from core.topics.attention_heads.decode_step import Work, attention_work, bound, linear_work, prefill_attention_work
from core.topics.attention_heads.params import AttentionHeadsParams


@dataclass(frozen=True)
class RooflinePoint:
    """One kind of work of all layers. `phase` is 'prefill' or 'decode', `part` 'attention' or 'linear'.

    `roof` bounds its speed by the peaks of the GPU, in the precision that it computes in.
    """

    phase: str
    part: str
    batch: int
    work: Work
    roof: Roofline


def roofline_points(params: AttentionHeadsParams, model: ModelFacts, gpu: Gpu) -> tuple[RooflinePoint, ...]:
    """Prefill of the whole context and decode of one token, at the batch of the params and, if larger, at 1 as well."""
    context, weights = params.context, params.weight_dtype

    def point(phase: str, part: str, batch: int, work: Work) -> RooflinePoint:
        return RooflinePoint(phase, part, batch, work, bound(work, gpu, "bf16" if part == "attention" else weights))

    points = []
    for batch in dict.fromkeys((1, params.batch)):
        read = attention_work(model, context, batch, params.cache_dtype)  # type: ignore[arg-type]  # a choice
        points.append(point("decode", "attention", batch, read))
        points.append(point("decode", "linear", batch, linear_work(model, batch, weights)))  # type: ignore[arg-type]
    points.append(point("prefill", "attention", 1, prefill_attention_work(model, context, 1)))
    points.append(point("prefill", "linear", 1, linear_work(model, context, weights)))  # type: ignore[arg-type]
    return tuple(points)
