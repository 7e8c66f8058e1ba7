"""A checkpoint's errors as rows: by tensor, by layer, in all, and the worst. Pure functions on plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.checkpoint.errors import FormatErrors, WeightSums, snr_db
from core.checkpoint.header import StoredTensor
from core.checkpoint.names import NO_LAYER, layer_and_kind

Row = dict[str, Any]


def tensor_rows(tensor: StoredTensor, weights: WeightSums, errors: Mapping[Any, FormatErrors]) -> list[Row]:
    """One row a format. Numbers that do not exist (the SNR of zeros) are None, as JSON has no NaN."""
    layer, kind = layer_and_kind(tensor.name)
    about: Row = {
        "tensor": tensor.name,
        "layer": layer,
        "kind": kind,
        "shape": " x ".join(map(str, tensor.shape)) or "scalar",
        "dtype": tensor.dtype,
        "elements": tensor.elements,
        "bytes": tensor.bytes,
        "nonfinite": weights.nonfinite,
        "std": _number(weights.std),
        "absmax": weights.absmax,
        "kurtosis": _number(weights.kurtosis),
        "max_over_sigma": _number(weights.max_over_sigma),
    }
    return [{**about, **_error_columns(str(name), of_format)} for name, of_format in errors.items()]


def skipped_rows(tensors: Iterable[StoredTensor]) -> list[Row]:
    """The tensors that were not measured, and why."""
    return [
        {
            "tensor": tensor.name,
            "dtype": tensor.dtype,
            "shape": " x ".join(map(str, tensor.shape)) or "scalar",
            "bytes": tensor.bytes,
            "why": tensor.skipped,
        }
        for tensor in tensors
    ]


def layer_rows(rows: Sequence[Row]) -> list[Row]:
    """Tensor rows added up by layer and format, in order of layers; what belongs to no layer comes first as -1."""
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["layer"], row["format"]), []).append(row)
    order = {name: index for index, name in enumerate(dict.fromkeys(row["format"] for row in rows))}
    keys = sorted(groups, key=lambda key: (key[0], order[key[1]]))
    return [{"layer": layer, "format": name, **_added(groups[layer, name])} for layer, name in keys]


def total_rows(rows: Sequence[Row]) -> list[Row]:
    """Tensor rows added up by format."""
    names = dict.fromkeys(row["format"] for row in rows)
    return [{"format": name, **_added([row for row in rows if row["format"] == name])} for name in names]


def worst_rows(rows: Sequence[Row], format_name: str, count: int = 20) -> list[Row]:
    """The tensors of the lowest SNR in one format, worst first; those without one are left out."""
    measured = [row for row in rows if row["format"] == format_name and row["snr_db"] is not None]
    return sorted(measured, key=lambda row: row["snr_db"])[:count]


def _error_columns(name: str, errors: FormatErrors) -> Row:
    return {
        "format": name,
        "snr_db": _number(errors.snr_db),
        "relative_rmse": _number(errors.relative_rmse),
        "max_abs_error": errors.max_abs,
        "bits_per_parameter": _number(errors.bits_per_parameter),
        "quantized_bytes": math.ceil(errors.stored_bits / 8),
        "signal_power": float(errors.power.sum()),
        "error_power": float(errors.error.sum()),
    }


def _added(rows: Sequence[Row]) -> Row:
    power, error = (sum(row[name] for row in rows) for name in ("signal_power", "error_power"))
    elements = sum(row["elements"] for row in rows)
    stored = sum(row["quantized_bytes"] for row in rows)
    worst = min((row for row in rows if row["snr_db"] is not None), key=lambda row: row["snr_db"], default=None)
    return {
        "tensors": len(rows),
        "elements": elements,
        "bytes": sum(row["bytes"] for row in rows),
        "quantized_bytes": stored,
        "bits_per_parameter": 8 * stored / elements,
        "snr_db": _number(snr_db(power, error)),
        "relative_rmse": math.sqrt(error / power) if power else None,
        "max_abs_error": max(row["max_abs_error"] for row in rows),
        "nonfinite": sum(row["nonfinite"] for row in rows),
        "worst_tensor": worst["tensor"] if worst else "",
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


__all__ = ["NO_LAYER", "Row", "layer_rows", "skipped_rows", "tensor_rows", "total_rows", "worst_rows"]
