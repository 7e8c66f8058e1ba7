"""What a run of the quantization page returns, for a few tensors with errors that are easy to tell apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from core.checkpoint.report import TensorErrors, Totals
from core.checkpoint.tensor_table import TensorTable
from core.contracts.result import Environment, Metric, Provenance
from core.topics.quantization.params import DISTRIBUTIONS, QuantizationParams
from core.topics.quantization.plan import plan
from core.topics.quantization.result import DistributionErrors, OutlierErrors, QuantizationResult
from core.topics.quantization.sweep import Point

LAYERS, KINDS = 3, ("self_attn.q_proj", "mlp.down_proj")
WORST = "model.layers.1.mlp.down_proj.weight"


def tensors() -> list[tuple[str, int, str]]:
    """(name, layer, kind): an embedding, then two kinds in each layer."""
    names = [("model.embed_tokens.weight", -1, "model.embed_tokens")]
    names += [(f"model.layers.{layer}.{kind}.weight", layer, kind) for layer in range(LAYERS) for kind in KINDS]
    return names


def error_of(tensor: str, format_id: str) -> float:
    """Relative RMSE: larger for the worst tensor, smaller for INT8."""
    return (0.3 if tensor == WORST else 0.1) * (0.05 if format_id == "int8" else 1.0)


def checkpoint_result(
    params: QuantizationParams, count: int | None = None, *, samples: bool = True
) -> QuantizationResult:
    """The report of the first `count` tensors (all by default), with the rest of a run where `samples`."""
    names = tensors()[:count]
    formats = [name.value for name in params.formats]
    rows = [_row(*name, format_id) for name in names for format_id in formats]
    totals = tuple(_total(rows, format_id) for format_id in formats if names)
    metrics = {
        f"{row.format}.{name}": Metric(getattr(row, name), unit, Provenance.MEASURED_CPU)
        for row in totals
        for name, unit in (("snr_db", "dB"), ("relative_rmse", ""), ("bits_per_parameter", "bits"))
    }
    report = QuantizationResult(
        params=params,
        environment=Environment("cpu", "numpy"),
        metrics=metrics,
        tensors=TensorTable.of(rows),
        totals=totals,
        error_maps={
            format_id: np.array([np.full(64, error_of(name, format_id)) for name, _, _ in names], dtype=np.float32)
            .reshape(len(names), 64)
            for format_id in formats
        },
    )  # fmt: skip
    return replace(report, **_samples(params)) if samples else report


def with_tensors(result: QuantizationResult, change: Callable[[TensorErrors], TensorErrors]) -> QuantizationResult:
    """The result with every row of its tensors changed."""
    return replace(result, tensors=TensorTable.of([change(row) for row in result.tensors.rows]))


def _row(tensor: str, layer: int, kind: str, format_id: str) -> TensorErrors:
    error = error_of(tensor, format_id)
    bits = 8.127 if format_id == "int8" else 4.127
    return TensorErrors(
        tensor=tensor, layer=layer, kind=kind, shape="128 x 64", dtype="BF16", elements=8192, bytes=16384, nonfinite=0,
        std=0.02, absmax=0.1, kurtosis=3.0, max_over_sigma=5.0, format=format_id,
        snr_db=float(-20 * np.log10(error)), relative_rmse=error, max_abs_error=0.01, bits_per_parameter=bits,
        quantized_bytes=int(8192 * bits / 8), signal_power=1.0, error_power=error**2,
    )  # fmt: skip


def _total(rows: list[TensorErrors], format_id: str) -> Totals:
    of_format = [row for row in rows if row.format == format_id]
    error = float(np.sqrt(np.mean([row.error_power for row in of_format])))
    return Totals(
        format=format_id, tensors=len(of_format), elements=8192 * len(of_format), bytes=16384 * len(of_format),
        quantized_bytes=sum(row.quantized_bytes for row in of_format),
        bits_per_parameter=8.127 if format_id == "int8" else 4.127, snr_db=float(-20 * np.log10(error)),
        relative_rmse=error, max_abs_error=0.01, absmax=0.1, worst_tensor=of_format[0].tensor,
    )  # fmt: skip


def _samples(params: QuantizationParams) -> dict[str, Any]:
    """The histograms of the plan, twice as many weights; curves; and a sweep of two settings per format."""
    planned = plan(params.changed(checkpoint=""))
    formats = [(name, error_of("", name)) for name in params.formats]
    return {
        "histogram": planned.histogram + planned.histogram,
        "codebooks": {name: book + book for name, book in planned.codebooks.items()},
        "sweep": tuple(
            Point(name, block, name != "int4-affine", 4.0 + 8 / block, error * block**0.1, 20.0, True)
            for name, error in formats
            for block in (64, 128)
        ),
        "outliers": tuple(
            OutlierErrors(name.value, scale, error * scale, 20.0, error * scale**0.5)
            for name, error in formats
            for scale in (1.0, 8.0, 64.0)
        ),
        "distributions": tuple(
            DistributionErrors(distribution, name.value, block, error, 20.0)
            for name, error in formats
            for distribution in DISTRIBUTIONS
            for block in (16, 64, 4096)
        ),
    }
