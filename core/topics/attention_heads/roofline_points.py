"""Prefill and decode on the roofline of the chosen GPU: what each kind of work is bound by. Modelled, pure numbers."""

from __future__ import annotations

from dataclasses import dataclass

from core.hardware.roofline import Roofline
from core.model_configs import Deployment, ModelFacts
from core.topics.attention_heads.decode_step import Work, attention_work, bound, linear_work, prefill_attention_work


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


def roofline_points(model: ModelFacts, deployment: Deployment) -> tuple[RooflinePoint, ...]:
    """Prefill of the whole context and decode of one token, at the batch served and, if larger, at 1 as well."""
    gpu, cache, weights = deployment.gpu, deployment.cache, deployment.weights
    context = cache.context

    def point(phase: str, part: str, batch: int, work: Work) -> RooflinePoint:
        return RooflinePoint(phase, part, batch, work, bound(work, gpu, "bf16" if part == "attention" else weights))

    points = []
    for batch in dict.fromkeys((1, cache.batch)):
        points.append(point("decode", "attention", batch, attention_work(model, context, batch, cache.dtype)))
        points.append(point("decode", "linear", batch, linear_work(model, batch, weights)))
    points.append(point("prefill", "attention", 1, prefill_attention_work(model, context, 1)))
    points.append(point("prefill", "linear", 1, linear_work(model, context, weights)))
    return tuple(points)
