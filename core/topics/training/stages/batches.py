"""Which examples a step learns from. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def epoch_batch(examples: Sequence[T], size: int, step: int, seed: int) -> list[T]:
    """The `size` examples of a step, which counts from 1. Every epoch reads each example once, in an order of its own.

    A batch at the end of an epoch is filled from the next one. It depends on nothing but the arguments, so a run that
    goes on from a checkpoint reads what it would have read.
    """
    count = len(examples)
    positions = range((step - 1) * size, step * size)
    epochs = {position // count for position in positions}
    orders = {epoch: np.random.default_rng((seed, 6, epoch)).permutation(count) for epoch in epochs}
    return [examples[orders[position // count][position % count]] for position in positions]
