"""Samples of weights: drawn from a distribution, or the first weights of a checkpoint's tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.checkpoint.header import StoredTensor
from core.checkpoint.measuring import as_float32
from core.checkpoint.names import NO_LAYER, layer_and_kind
from core.checkpoint.opening import Checkpoint, open_checkpoint
from core.checkpoint.quantized.reading import weight_slices, with_restored
from core.checkpoint.roles import weight_rows
from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.files import stamp
from core.paths import expanded
from core.topics.quantization.params import QuantizationParams

Weights = NDArray[np.float32]

SAMPLE_OF_TENSOR = 1 << 16
MAX_TENSORS = 64


def draw_weights(params: QuantizationParams, elements: int) -> Weights:
    """The first `elements` weights of the distribution, float32, standard deviation 1 before outliers. Read-only."""
    return _draw_cached(
        params.distribution, params.tail, params.outlier_share, params.outlier_scale, params.seed, elements
    )


def sample_of(tensor: StoredTensor, elements: int = SAMPLE_OF_TENSOR) -> Weights:
    """The first `elements` weights of a stored tensor as finite float32, 0 for NaN and inf. Raises FileChanged."""
    first = next(weight_slices(tensor, elements))
    values = as_float32(first)
    values[~np.isfinite(values)] = 0
    return values


def pick_evenly(tensors: Sequence[StoredTensor], count: int = MAX_TENSORS) -> list[StoredTensor]:
    """At most `count` of the weight matrices among the tensors, picked evenly; of all tensors if there is none."""
    matrices = list(weight_rows(tensors))
    if len(matrices) <= count:
        return matrices
    return [matrices[index * len(matrices) // count] for index in range(count)]


def draw_standardized(distribution: str, tail: int, count: int, rng: np.random.Generator) -> Weights:
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


def open_cached(params: QuantizationParams) -> Checkpoint:
    """The checkpoint of the parameters, with `requantize` with its quantized weights restored; headers are read again
    only if a file has changed. Raises InvalidParams, and FileChanged."""
    return _opened(params.checkpoint, "checkpoint", params.requantize)


def open_version(params: QuantizationParams) -> Checkpoint | None:
    """The quantized file of the parameters with its weights restored; None without one. Raises InvalidParams, also if
    there is no checkpoint that it could be compared with, and FileChanged."""
    if not params.quantized_file.strip():
        return None
    if not params.checkpoint.strip():
        text = tr("A quantized file is compared with the weights that it was made of: give these as checkpoint.")
        raise InvalidParams(text, "quantized_file")
    return _opened(params.quantized_file, "quantized_file", True)


def _opened(path: str, field: str, restore: bool) -> Checkpoint:
    location = expanded(path, field)
    checkpoint = _open_cached(location, stamp(location), field, restore)
    if any(stamp(shard.path) != (shard.mtime_ns, shard.size) for shard in checkpoint.shards):
        _open_cached.cache_clear()  # a shard has changed, but the index or folder has not
        checkpoint = _open_cached(location, stamp(location), field, restore)
    return checkpoint


def representative_tensor(checkpoint: Checkpoint) -> StoredTensor:
    """The tensor that represents the checkpoint before a run: the first of the largest weight matrices in the layers;
    without layers, of all weight matrices; without those, of all tensors. Raises InvalidParams if nothing can be
    measured."""
    measured = checkpoint.measured
    if not measured and any(weight.shape is not None for weight in checkpoint.quantized):
        text = tr(
            "All weights of {checkpoint} are quantized already. To restore them and quantize them again, turn on "
            "Requantize (requantize=true).",
            checkpoint=str(checkpoint.path),
        )
        raise InvalidParams(text, "requantize")
    if not measured:
        skipped = checkpoint.skipped[0]
        raise InvalidParams(
            tr(
                "{checkpoint} holds no weights that can be measured ({tensor} is skipped: {reason}). Open another "
                "checkpoint.",
                checkpoint=str(checkpoint.path),
                tensor=skipped.name,
                reason=skipped.skipped,
            ),
            "checkpoint",
        )
    # A layer's weights rather than the embedding or the head, which are larger but usually not quantized.
    return max(weight_rows(measured), key=lambda tensor: (_in_layer(tensor), tensor.elements))


def _in_layer(tensor: StoredTensor) -> bool:
    return layer_and_kind(tensor.name)[0] != NO_LAYER


@lru_cache(maxsize=4)
def _open_cached(path: Path, stamp: tuple[int, int], field: str, restore: bool) -> Checkpoint:
    checkpoint = open_checkpoint(path, field)
    return with_restored(checkpoint) if restore else checkpoint


@lru_cache(maxsize=4)
def _draw_cached(distribution: str, tail: int, share: float, scale: float, seed: int, elements: int) -> Weights:
    # Outliers have their own generator, so that moving their slider does not change the other weights.
    values = draw_standardized(distribution, tail, elements, np.random.default_rng((seed, 0)))
    rng = np.random.default_rng((seed, 1))
    chosen = rng.random(elements) < share
    values[chosen] = np.float32(scale) * np.where(rng.random(elements) < 0.5, -1, 1)[chosen]
    values.flags.writeable = False
    return values
