"""Weights to look at: drawn from a distribution, or the beginning of a checkpoint's tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.header import StoredTensor
from core.checkpoint.measuring import as_float32
from core.checkpoint.slices import slices
from core.topics.quantization.params import QuantizationParams

Weights = NDArray[np.float32]

SAMPLE_OF_TENSOR = 1 << 16
MOST_TENSORS = 64


def drawn(params: QuantizationParams, elements: int) -> Weights:
    """The first `elements` weights of the distribution, float32, standard deviation 1 before outliers. Read-only."""
    return _drawn(params.distribution, params.tail, params.outlier_share, params.outlier_scale, params.seed, elements)


def sample_of(tensor: StoredTensor, elements: int = SAMPLE_OF_TENSOR) -> Weights:
    """The first `elements` weights of a stored tensor as finite float32: what is no number is 0. Raises FileChanged."""
    first = next(iter(slices(tensor, elements)))
    values = as_float32(first)
    values[~np.isfinite(values)] = 0
    return values


def spread(tensors: Sequence[StoredTensor], count: int = MOST_TENSORS) -> list[StoredTensor]:
    """At most `count` of the matrices among the tensors, spread evenly; of all of them where there is no matrix."""
    matrices = [tensor for tensor in tensors if len(tensor.shape) >= 2] or list(tensors)
    if len(matrices) <= count:
        return matrices
    return [matrices[index * len(matrices) // count] for index in range(count)]


def standard(distribution: str, tail: int, count: int, rng: np.random.Generator) -> Weights:
    """`count` values of a distribution with mean 0 and standard deviation 1; `tail` is for Student's t."""
    match distribution:
        case "normal":
            values = rng.standard_normal(count)
        case "student-t":
            values = rng.standard_t(tail, count) * np.sqrt((tail - 2) / tail)
        case "laplace":
            values = rng.laplace(0, np.sqrt(0.5), count)
        case "uniform":
            values = rng.uniform(-np.sqrt(3), np.sqrt(3), count)
        case _:
            raise ValueError(f"there is no distribution {distribution!r}")
    return values.astype(np.float32)


@lru_cache(maxsize=4)
def _drawn(distribution: str, tail: int, share: float, scale: float, seed: int, elements: int) -> Weights:
    # Outliers have a generator of their own, so that moving their slider leaves the other weights where they are.
    values = standard(distribution, tail, elements, np.random.default_rng((seed, 0)))
    rng = np.random.default_rng((seed, 1))
    chosen = rng.random(elements) < share
    values[chosen] = np.float32(scale) * np.where(rng.random(elements) < 0.5, -1, 1)[chosen]
    values.flags.writeable = False
    return values
