"""What is known without a run, in the terms of the plots: parameters against rank of a public model."""

from __future__ import annotations

import numpy as np

from core.topics.lora.model.plan import Plan
from gui.charts.series import Series
from gui.charts.ticks import short_quantity

_LORA_INK, _WHOLE_INK = 0, 3


def size_curves(plan: Plan) -> list[Series]:
    """Trainable parameters by rank, and all of the model's for the distance between them."""
    ranks, trainable = (values.astype(float) for values in plan.parameters_by_rank)
    whole = np.full(ranks.size, float(plan.preset.parameters))
    return [
        Series(f"LoRA on {', '.join(plan.preset.kinds)}", ranks, trainable, _LORA_INK),
        Series("every parameter", ranks, whole, _WHOLE_INK),
    ]


def size_sentence(plan: Plan) -> str:
    """The chosen model and rank, and how many times fewer parameters are trained."""
    found = plan.preset
    return (
        f"{found.name}, rank {found.rank}: {short_quantity(found.trainable)} of {short_quantity(found.parameters)} "
        f"parameters, {found.reduction:,.0f} times fewer"
    )
