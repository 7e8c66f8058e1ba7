"""What is shown of a sample: histograms, levels won, block sizes, outliers, distributions, scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.checkpoint.coding import absmax_of, restored_weights
from core.checkpoint.measuring import Quantization, piece_of
from core.checkpoint.opening import Checkpoint
from core.contracts.result import Metric, Provenance, Row
from core.contracts.result_builder import Draft
from core.engine.steps import ProgressCallback
from core.topics.quantization.model.codebooks import EDGES, ERROR_EDGES, codebooks, histogram, sort
from core.topics.quantization.model.plan import shown_tensor
from core.topics.quantization.model.sampling import Weights, drawn, sample_of, spread, standard
from core.topics.quantization.model.scales import SHOWN, nested_scales
from core.topics.quantization.model.sweep import Point, errors_of, point, sweep
from core.topics.quantization.params import DISTRIBUTIONS, QuantizationParams
from core.topics.quantization.payload import CODES_PREFIX, ERROR_PREFIX
from kernels.quantization.formats import FORMATS, FormatId

_SWEPT_ELEMENTS = 1 << 19
_CONTROL_ELEMENTS = 1 << 18
_CONTROL_BLOCKS = (16, 32, 64, 128, 256, 1024, 4096)
_OUTLIER_SCALES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_OUTLIER_SHARE = 0.001


def sampled(params: QuantizationParams, checkpoint: Checkpoint | None, progress: ProgressCallback) -> list[Weights]:
    """The beginnings of some tensors, or of what is drawn. Raises FileChanged."""
    if checkpoint is None:
        return [drawn(params, params.blocks * params.block_size)[: 1 << 20]]
    tensors = spread(checkpoint.measured)
    found = []
    for index, tensor in enumerate(tensors):
        progress(index, len(tensors), f"sampling {tensor.name}")
        found.append(sample_of(tensor))
    return found


def add_histograms(
    findings: Draft, params: QuantizationParams, samples: Sequence[Weights], progress: ProgressCallback
) -> None:
    """'weights.*', 'codes.*' and 'error.*'."""
    arrays = findings.arrays
    arrays["weights.edges"], arrays["error.edges"] = EDGES, ERROR_EDGES
    sums: dict[str, np.ndarray] = {}

    def add(name: str, counts: np.ndarray) -> None:
        sums[name] = sums.get(name, np.zeros_like(counts)) + counts

    for index, weights in enumerate(samples):
        progress(index, len(samples), "counting weights and levels")
        whole = len(weights) - len(weights) % params.block_size or len(weights)
        piece = piece_of(weights[:whole], params.block_size)
        ascending = sort(piece.blocks, piece.absmax)
        counted = histogram(ascending)
        add("weights.counts", counted.counts)
        add("weights.affine_counts", counted.affine_counts)
        for book in codebooks(params.formats, ascending):
            add(f"{CODES_PREFIX}{book.format.value}", book.won)
            add(f"{ERROR_PREFIX}{book.format.value}", book.errors)
    arrays.update(sums)


def add_sweep(
    findings: Draft, params: QuantizationParams, samples: Sequence[Weights], progress: ProgressCallback
) -> None:
    """'sweep': as many of the samples as make half a million weights."""
    progress(0, 1, "sweeping block sizes")
    share = max(1, _SWEPT_ELEMENTS // len(samples)) if samples else 0
    points = sweep([weights[:share] for weights in samples], params.formats, params.nested)
    findings.tables["sweep"] = [_point_row(found) for found in points]


def add_outliers(findings: Draft, params: QuantizationParams, progress: ProgressCallback) -> None:
    """'outliers': what one in a thousand does as it grows, to all weights and to those beside it."""
    rows: list[Row] = []
    how = Quantization(params.formats, params.block_size, params.nested)
    for index, scale in enumerate(_OUTLIER_SCALES):
        progress(index, len(_OUTLIER_SCALES), "growing outliers")
        with_some = params.changed(outlier_share=_OUTLIER_SHARE, outlier_scale=scale)
        weights = drawn(with_some, _CONTROL_ELEMENTS)
        others = weights == drawn(params.changed(outlier_share=0.0), _CONTROL_ELEMENTS)
        power = float(np.square(weights[others], dtype=np.float64).sum())
        for name, sums in errors_of([weights], how).items():
            found = point(name, how, *sums)
            error = restored_weights(weights, name, params.block_size, params.nested)[others] - weights[others]
            rows.append(
                {
                    "format": name.value,
                    "outlier_scale": scale,
                    "relative_rmse": found.relative_rmse,
                    "snr_db": found.snr_db,
                    "others_relative_rmse": float(np.sqrt(np.square(error, dtype=np.float64).sum() / power)),
                }
            )
    findings.tables["outliers"] = rows


def add_distributions(findings: Draft, params: QuantizationParams, progress: ProgressCallback) -> None:
    """'distributions': every format on every distribution, whatever the parameters are."""
    rows: list[Row] = []
    for index, distribution in enumerate(DISTRIBUTIONS):
        weights = standard(distribution, 5, _CONTROL_ELEMENTS, np.random.default_rng((params.seed, 2, index)))
        for block_size in _CONTROL_BLOCKS:
            progress(index, len(DISTRIBUTIONS), f"quantizing {distribution} weights")
            how = Quantization(tuple(FORMATS), block_size)
            for name, sums in errors_of([weights], how).items():
                found = point(name, how, *sums)
                rows.append(
                    {
                        "distribution": distribution,
                        "format": name.value,
                        "block_size": block_size,
                        "relative_rmse": found.relative_rmse,
                        "snr_db": found.snr_db,
                    }
                )
    findings.tables["distributions"] = rows


def add_scales(findings: Draft, params: QuantizationParams, checkpoint: Checkpoint | None) -> None:
    """'scales.*', 'scale_levels' and what double quantization saves, from the scales of one tensor."""
    if checkpoint is None:
        weights = drawn(params, params.blocks * params.block_size)
    else:
        weights = sample_of(shown_tensor(checkpoint), SHOWN * params.block_size)
    whole = len(weights) - len(weights) % params.block_size or len(weights)
    absmax = absmax_of(weights[:whole].reshape(-1, min(params.block_size, whole)))[:SHOWN]
    found = nested_scales(absmax, params.block_size, params.nested_block)
    findings.arrays["scales.absmax"] = found.absmax
    findings.arrays["scales.codes"] = found.codes
    findings.arrays["scales.restored"] = found.restored
    findings.tables["scale_levels"] = _scale_levels(params, len(absmax))
    findings.metrics["scales.plain_bits"] = _modelled(found.plain_bits, f"32 / {params.block_size}")
    formula = f"8 / {params.block_size} + 32 / ({params.block_size} * {params.nested_block})"
    findings.metrics["scales.nested_bits"] = _modelled(found.nested_bits, formula)
    findings.metrics["scales.saved_bits"] = _modelled(found.saved_bits, "a parameter")
    findings.metrics["scales.relative_rmse"] = Metric(
        found.relative_rmse, "", Provenance.MEASURED_CPU, f"of {len(absmax):,} scales, against float32"
    )


def _scale_levels(params: QuantizationParams, scales: int) -> list[Row]:
    bits, block, group = FORMATS[FormatId(params.format)].bits, params.block_size, params.nested_block
    weights, groups = scales * block, -(-scales // group)
    codes = ("codes", weights, weights * bits // 8, float(bits))
    plain = (codes, ("scales in float32", scales, 4 * scales, 32 / block))
    nested = (
        codes,
        ("scales in 8 bits", scales, scales, 8 / block),
        ("scales of the scales in float32", groups, 4 * groups, 32 * groups / weights),
        ("mean of the scales in float32", 1, 4, 32 / weights),
    )
    return [
        {"what": what, "scheme": scheme, "count": count, "bytes": size, "bits_per_parameter": bits_each}
        for scheme, parts in (("plain", plain), ("nested", nested))
        for what, count, size, bits_each in parts
    ]


def _point_row(found: Point) -> Row:
    return {
        "format": found.format.value,
        "block_size": found.block_size,
        "nested": found.nested,
        "bits_per_parameter": found.bits_per_parameter,
        "relative_rmse": None if np.isnan(found.relative_rmse) else found.relative_rmse,
        "snr_db": found.snr_db if np.isfinite(found.snr_db) else None,
        "pareto": found.pareto,
    }


def _modelled(bits: float, note: str) -> Metric:
    return Metric(bits, "bits", Provenance.MODELLED, note)
