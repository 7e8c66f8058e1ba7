"""What a run of the quantization page returns, for a few tensors with errors that are easy to tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.contracts.result import Environment, Metric, Provenance, Result, Row
from core.topics.quantization.model.plan import plan
from core.topics.quantization.params import DISTRIBUTIONS, QuantizationParams

LAYERS, KINDS = 3, ("self_attn.q_proj", "mlp.down_proj")
WORST = "model.layers.1.mlp.down_proj.weight"


def tensors() -> list[tuple[str, int, str]]:
    """(name, layer, kind): an embedding, then two kinds in each layer."""
    found = [("model.embed_tokens.weight", -1, "model.embed_tokens")]
    found += [(f"model.layers.{layer}.{kind}.weight", layer, kind) for layer in range(LAYERS) for kind in KINDS]
    return found


def error_of(tensor: str, format_id: str) -> float:
    """Relative RMSE: larger for the worst tensor, smaller for INT8."""
    return (0.3 if tensor == WORST else 0.1) * (0.05 if format_id == "int8" else 1.0)


def checkpoint_result(params: QuantizationParams, count: int | None = None, *, samples: bool = True) -> Result:
    """The report of the first `count` tensors (all by default), with the rest of a run where `samples`."""
    names = tensors()[:count]
    formats = [name.value for name in params.formats]
    rows = [_row(*name, format_id) for name in names for format_id in formats]
    arrays = {
        f"error_map.{format_id}": np.array(
            [np.full(64, error_of(name, format_id)) for name, _, _ in names], dtype=np.float32
        ).reshape(len(names), 64)
        for format_id in formats
    }
    tables: dict[str, list[Row]] = {
        "tensors": rows,
        "layers": [],
        "totals": [_total(rows, format_id) for format_id in formats] if names else [],
        "worst": [],
        "skipped": [],
        "map_rows": [
            {"row": row, "tensor": name, "layer": layer, "kind": kind} for row, (name, layer, kind) in enumerate(names)
        ],
    }
    metrics = {
        f"{row['format']}.{name}": Metric(row[name], unit, Provenance.MEASURED_CPU)
        for row in tables["totals"]
        for name, unit in (("snr_db", "dB"), ("relative_rmse", ""), ("bits_per_parameter", "bits"))
    }
    if samples:
        _add_samples(params, arrays, tables)
    json = params.model_dump(mode="json")
    return Result("quantization", json, Environment("cpu", "numpy", {}), metrics, arrays, tables)


def _row(tensor: str, layer: int, kind: str, format_id: str) -> dict[str, Any]:
    error = error_of(tensor, format_id)
    bits = 8.127 if format_id == "int8" else 4.127
    return {
        "tensor": tensor, "layer": layer, "kind": kind, "shape": "128 x 64", "dtype": "BF16", "elements": 8192,
        "bytes": 16384, "nonfinite": 0, "std": 0.02, "absmax": 0.1, "kurtosis": 3.0, "max_over_sigma": 5.0,
        "format": format_id, "snr_db": float(-20 * np.log10(error)), "relative_rmse": error, "max_abs_error": 0.01,
        "bits_per_parameter": bits, "quantized_bytes": int(8192 * bits / 8), "signal_power": 1.0,
        "error_power": error**2,
    }  # fmt: skip


def _total(rows: list[Row], format_id: str) -> Row:
    own = [row for row in rows if row["format"] == format_id]
    error = float(np.sqrt(np.mean([row["error_power"] for row in own])))
    return {
        "format": format_id, "tensors": len(own), "elements": 8192 * len(own), "bytes": 16384 * len(own),
        "quantized_bytes": sum(row["quantized_bytes"] for row in own),
        "bits_per_parameter": own[0]["bits_per_parameter"],
        "snr_db": float(-20 * np.log10(error)), "relative_rmse": error, "max_abs_error": 0.01, "nonfinite": 0,
        "worst_tensor": own[0]["tensor"],
    }  # fmt: skip


def _add_samples(params: QuantizationParams, arrays: dict[str, np.ndarray], tables: dict[str, list[Row]]) -> None:
    """The histograms of the plan, twice as many weights; curves; and a sweep of two settings a format."""
    found = plan(params.changed(checkpoint=""))
    arrays["weights.edges"] = np.linspace(-1, 1, 257)
    arrays["weights.counts"] = 2 * found.histogram.counts
    arrays["weights.affine_counts"] = 2 * found.histogram.affine_counts
    arrays["error.edges"] = np.linspace(-0.3, 0.3, 121)
    for book in found.codebooks:
        arrays[f"codes.{book.format.value}"] = 2 * book.won
        arrays[f"error.{book.format.value}"] = 2 * book.errors
    for format_id in (name.value for name in params.formats):
        error = error_of("", format_id)
        tables.setdefault("sweep", []).extend(
            {"format": format_id, "block_size": block, "nested": format_id != "int4-affine",
             "bits_per_parameter": 4.0 + 8 / block, "relative_rmse": error * block**0.1, "snr_db": 20.0, "pareto": True}
            for block in (64, 128)
        )  # fmt: skip
        tables.setdefault("outliers", []).extend(
            {"format": format_id, "outlier_scale": scale, "relative_rmse": error * scale,
             "others_relative_rmse": error * scale**0.5, "snr_db": 20.0}
            for scale in (1.0, 8.0, 64.0)
        )  # fmt: skip
        tables.setdefault("distributions", []).extend(
            {"distribution": name, "format": format_id, "block_size": block, "relative_rmse": error, "snr_db": 20.0}
            for name in DISTRIBUTIONS
            for block in (16, 64, 4096)
        )
