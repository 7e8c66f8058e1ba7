"""How much the loss drops where an epoch begins, compared with how much it falls within one. No torch."""

from __future__ import annotations

import numpy as np

from core.topics.training.curves import Curves
from core.topics.training.result import Epochs

_PARTS = 4


def epochs_of(curves: Curves, examples: int, batch: int) -> Epochs:
    """The boundaries between epochs of a training on `examples` with `batch` per step, and the drops there.

    A quarter of an epoch is compared with the next one. A boundary needs one after it and two before it.
    """
    per_epoch = max(1, examples // batch)
    steps, losses = curves.points("loss")
    width = max(1, per_epoch // _PARTS)
    boundaries, drops, slopes = [], [], []
    for last in range(per_epoch, len(steps), per_epoch):
        boundaries.append(int(steps[last - 1]))
        if last >= 2 * width and last + width <= len(losses):
            before = float(losses[last - width : last].mean())
            drops.append(before - float(losses[last : last + width].mean()))
            slopes.append(float(losses[last - 2 * width : last - width].mean()) - before)
    first, final = losses[per_epoch - width : per_epoch], losses[-per_epoch:]
    return Epochs(
        examples=examples,
        curves=curves,
        boundaries=tuple(boundaries),
        drops=tuple(drops),
        slopes=tuple(slopes),
        first_seen=float(np.mean(first)) if len(losses) >= per_epoch else None,
        seen_before=float(np.mean(final)) if len(losses) >= 2 * per_epoch else None,
    )
