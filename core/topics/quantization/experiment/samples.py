"""Measures samples of the weights: histograms, counts per level, block sizes, outliers, distributions, scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.checkpoint.coding import absmax_of, restored_weights
from core.checkpoint.measuring import Quantization, piece_of
from core.checkpoint.nested_scales import SHOWN, NestedScales, nested_scales
from core.checkpoint.opening import Checkpoint
from core.contracts.result import Metric, Provenance
from core.contracts.text import Text, tr, verbatim
from core.engine.steps import ProgressCallback
from core.topics.quantization.codebooks import Codebook, Histogram, codebooks, histogram, sort_weights
from core.topics.quantization.labels import DISTRIBUTION_LABELS
from core.topics.quantization.params import DISTRIBUTIONS, QuantizationParams
from core.topics.quantization.result import DistributionErrors, OutlierErrors, ScaleLevel
from core.topics.quantization.sampling import (
    Weights,
    draw_standardized,
    draw_weights,
    pick_evenly,
    representative_tensor,
    sample_of,
)
from core.topics.quantization.sweep import Point, make_point, sum_error_powers, sweep
from kernels.quantization.formats import FORMATS, FormatId

_SWEPT_ELEMENTS = 1 << 19
_CONTROL_ELEMENTS = 1 << 18
_CONTROL_BLOCKS = (16, 32, 64, 128, 256, 1024, 4096)
_OUTLIER_SCALES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_OUTLIER_SHARE = 0.001


def sampled(params: QuantizationParams, checkpoint: Checkpoint | None, progress: ProgressCallback) -> list[Weights]:
    """The first weights of some tensors, or of the drawn weights. Raises FileChanged."""
    if checkpoint is None:
        return [draw_weights(params, params.blocks * params.block_size)[: 1 << 20]]
    tensors = pick_evenly(checkpoint.measured)
    samples = []
    for index, tensor in enumerate(tensors):
        progress(index, len(tensors), tr("sampling {tensor}", tensor=tensor.name))
        samples.append(sample_of(tensor))
    return samples


def histograms(
    params: QuantizationParams, samples: Sequence[Weights], progress: ProgressCallback
) -> tuple[Histogram | None, dict[str, Codebook]]:
    """The histogram of all samples, and how many weights go to each level of each format. Without a sample, None and an
    empty dict."""
    total: Histogram | None = None
    books: dict[str, Codebook] = {}
    for index, weights in enumerate(samples):
        progress(index, len(samples), tr("counting weights and levels"))
        whole = len(weights) - len(weights) % params.block_size or len(weights)
        piece = piece_of(weights[:whole], params.block_size)
        ascending = sort_weights(piece.blocks, piece.absmax)
        counted = histogram(ascending)
        total = counted if total is None else total + counted
        for name, book in codebooks(params.formats, ascending).items():
            books[name] = books[name] + book if name in books else book
    return total, books


def swept(params: QuantizationParams, samples: Sequence[Weights], progress: ProgressCallback) -> tuple[Point, ...]:
    """Every block size, on half a million weights of the samples."""
    progress(0, 1, tr("sweeping block sizes"))
    share = max(1, _SWEPT_ELEMENTS // len(samples)) if samples else 0
    return sweep([weights[:share] for weights in samples], params.formats, params.nested)


def outliers(params: QuantizationParams, progress: ProgressCallback) -> tuple[OutlierErrors, ...]:
    """The errors as one weight in a thousand grows: of all weights, and of the other weights."""
    rows = []
    quantization = Quantization(params.formats, params.block_size, params.nested)
    for index, scale in enumerate(_OUTLIER_SCALES):
        progress(index, len(_OUTLIER_SCALES), tr("growing outliers"))
        with_outliers = params.changed(outlier_share=_OUTLIER_SHARE, outlier_scale=scale)
        weights = draw_weights(with_outliers, _CONTROL_ELEMENTS)
        others = weights == draw_weights(params.changed(outlier_share=0.0), _CONTROL_ELEMENTS)
        power = float(np.square(weights[others], dtype=np.float64).sum())
        for name, sums in sum_error_powers([weights], quantization).items():
            total = make_point(name, quantization, *sums)
            error = restored_weights(weights, name, params.block_size, params.nested)[others] - weights[others]
            of_others = float(np.sqrt(np.square(error, dtype=np.float64).sum() / power))
            rows.append(OutlierErrors(name.value, scale, total.relative_rmse, total.snr_db, of_others))
    return tuple(rows)


def distributions(params: QuantizationParams, progress: ProgressCallback) -> tuple[DistributionErrors, ...]:
    """Every format on every distribution. No parameter but the seed matters."""
    rows = []
    for index, distribution in enumerate(DISTRIBUTIONS):
        weights = draw_standardized(distribution, 5, _CONTROL_ELEMENTS, np.random.default_rng((params.seed, 2, index)))
        for block_size in _CONTROL_BLOCKS:
            progress(
                index,
                len(DISTRIBUTIONS),
                tr(
                    "quantizing weights of the {distribution} distribution",
                    distribution=DISTRIBUTION_LABELS[distribution],
                ),
            )
            quantization = Quantization(tuple(FORMATS), block_size)
            for name, sums in sum_error_powers([weights], quantization).items():
                total = make_point(name, quantization, *sums)
                rows.append(DistributionErrors(distribution, name.value, block_size, total.relative_rmse, total.snr_db))
    return tuple(rows)


def scales(params: QuantizationParams, checkpoint: Checkpoint | None) -> NestedScales:
    """The first scales of one tensor, with double quantization. Raises FileChanged."""
    if checkpoint is None:
        tensor, weights = params.distribution, draw_weights(params, params.blocks * params.block_size)
    else:
        stored = representative_tensor(checkpoint)
        tensor, weights = stored.name, sample_of(stored, SHOWN * params.block_size)
    whole = len(weights) - len(weights) % params.block_size or len(weights)
    absmax = absmax_of(weights[:whole].reshape(-1, min(params.block_size, whole)))[:SHOWN]
    return nested_scales(absmax, tensor, params.block_size, params.nested_block)


def scale_metrics(scales: NestedScales) -> dict[str, Metric]:
    block, group = scales.block_size, scales.nested_block
    note = tr("of {scales:,} scales, against float32", scales=len(scales.absmax))
    return {
        "scales.plain_bits": _modelled(scales.plain_bits, verbatim(f"32 / {block}")),
        "scales.nested_bits": _modelled(scales.nested_bits, verbatim(f"8 / {block} + 32 / ({block} * {group})")),
        "scales.saved_bits": _modelled(scales.saved_bits, tr("per parameter")),
        "scales.relative_rmse": Metric(scales.relative_rmse, "", Provenance.MEASURED_CPU, note),
    }


def scale_levels(params: QuantizationParams, scales: NestedScales) -> tuple[ScaleLevel, ...]:
    """The bits per parameter of codes and scales in the chosen format, with scales in float32 and in 8 bits."""
    bits, block, count = FORMATS[FormatId(params.format)].bits, scales.block_size, len(scales.absmax)
    weights, groups = count * block, -(-count // scales.nested_block)
    codes = ("codes", weights, weights * bits // 8, float(bits))
    plain = (codes, ("scales in float32", count, 4 * count, 32 / block))
    nested = (
        codes,
        ("scales in 8 bits", count, count, 8 / block),
        ("scales of the scales in float32", groups, 4 * groups, 32 * groups / weights),
        ("mean of the scales in float32", 1, 4, 32 / weights),
    )
    return tuple(
        ScaleLevel(what, scheme, number, size, bits_each)
        for scheme, parts in (("plain", plain), ("nested", nested))
        for what, number, size, bits_each in parts
    )


def _modelled(bits: float, note: Text) -> Metric:
    return Metric(bits, "bits", Provenance.MODELLED, note)
