"""The errors of a checkpoint as rows: per tensor, per layer, in total, and the worst tensors. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.checkpoint.errors import FormatErrors, WeightSums, snr_db
from core.checkpoint.header import StoredTensor
from core.checkpoint.names import NO_LAYER, layer_and_kind
from core.contracts.result import number_or_none
from core.contracts.text import Text


@dataclass(frozen=True)
class TensorErrors:
    """One tensor in one format. A number that does not exist (the SNR of zeros) is None, as JSON has no NaN.

    `layer` is -1 for a tensor outside of the layers. `bytes` is the stored size, `kurtosis` is 3 for a normal
    distribution. Powers are sums over the finite weights. `quantized_bytes` is the size of codes and scales; it is
    computed, nothing is stored.
    """

    tensor: str
    layer: int
    kind: str
    shape: str
    dtype: str
    elements: int
    bytes: int
    nonfinite: int
    std: float | None
    absmax: float
    kurtosis: float | None
    max_over_sigma: float | None
    format: str
    snr_db: float | None
    relative_rmse: float | None
    max_abs_error: float
    bits_per_parameter: float | None
    quantized_bytes: int
    signal_power: float
    error_power: float

    @property
    def is_matrix(self) -> bool:
        return " x " in self.shape


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Tensors added up in one format. `worst_tensor` has the lowest SNR; it is '' if no tensor has an SNR.

    `quantized_bytes` is an int if tensors were counted, in JSON too. Computed from a formula it can be a float.
    """

    format: str
    tensors: int
    elements: int
    bytes: int
    quantized_bytes: int | float
    bits_per_parameter: float
    snr_db: float | None
    relative_rmse: float | None
    max_abs_error: float
    absmax: float
    nonfinite: int = 0
    worst_tensor: str = ""


@dataclass(frozen=True, kw_only=True)
class LayerTotals(Totals):
    """The tensors of one layer, or those outside of the layers (-1)."""

    layer: int


@dataclass(frozen=True)
class SkippedTensor:
    """A tensor that was not measured, and why."""

    tensor: str
    dtype: str
    shape: str
    bytes: int
    why: Text


def tensor_rows(tensor: StoredTensor, weights: WeightSums, errors: Mapping[Any, FormatErrors]) -> list[TensorErrors]:
    """One row per format."""
    layer, kind = layer_and_kind(tensor.name)
    return [
        TensorErrors(
            tensor=tensor.name,
            layer=layer,
            kind=kind,
            shape=_shape(tensor),
            dtype=tensor.dtype,
            elements=tensor.elements,
            bytes=tensor.bytes,
            nonfinite=weights.nonfinite,
            std=number_or_none(weights.std),
            absmax=weights.absmax,
            kurtosis=number_or_none(weights.kurtosis),
            max_over_sigma=number_or_none(weights.max_over_sigma),
            format=str(name),
            snr_db=number_or_none(of_format.snr_db),
            relative_rmse=number_or_none(of_format.relative_rmse),
            max_abs_error=of_format.max_abs,
            bits_per_parameter=number_or_none(of_format.bits_per_parameter),
            quantized_bytes=math.ceil(of_format.stored_bits / 8),
            signal_power=float(of_format.power.sum()),
            error_power=float(of_format.error.sum()),
        )
        for name, of_format in errors.items()
    ]


def skipped_rows(tensors: Iterable[StoredTensor]) -> tuple[SkippedTensor, ...]:
    """The tensors that were not measured, and why."""
    return tuple(
        SkippedTensor(tensor.name, tensor.dtype, _shape(tensor), tensor.bytes, tensor.skipped) for tensor in tensors
    )


def layer_rows(rows: Sequence[TensorErrors]) -> tuple[LayerTotals, ...]:
    """Tensors added up per layer and format, in order of layers. Tensors outside of the layers come first, as -1."""
    groups: dict[tuple[int, str], list[TensorErrors]] = {}
    for row in rows:
        groups.setdefault((row.layer, row.format), []).append(row)
    order = {name: index for index, name in enumerate(dict.fromkeys(row.format for row in rows))}
    keys = sorted(groups, key=lambda key: (key[0], order[key[1]]))
    return tuple(LayerTotals(layer=layer, format=name, **_added(groups[layer, name])) for layer, name in keys)


def total_rows(rows: Sequence[TensorErrors]) -> tuple[Totals, ...]:
    """Tensors added up per format."""
    names = dict.fromkeys(row.format for row in rows)
    return tuple(Totals(format=name, **_added([row for row in rows if row.format == name])) for name in names)


def worst_rows(rows: Iterable[TensorErrors], format_name: str, count: int = 20) -> list[TensorErrors]:
    """The tensors with the lowest SNR in one format, worst first. Tensors without an SNR are left out."""
    measured = [row for row in rows if row.format == format_name and row.snr_db is not None]
    return sorted(measured, key=_snr)[:count]


def _added(rows: Sequence[TensorErrors]) -> dict[str, Any]:
    power, error = sum(row.signal_power for row in rows), sum(row.error_power for row in rows)
    elements = sum(row.elements for row in rows)
    stored = sum(row.quantized_bytes for row in rows)
    worst = min((row for row in rows if row.snr_db is not None), key=_snr, default=None)
    return {
        "tensors": len(rows),
        "elements": elements,
        "bytes": sum(row.bytes for row in rows),
        "quantized_bytes": stored,
        "bits_per_parameter": 8 * stored / elements,
        "snr_db": number_or_none(snr_db(power, error)),
        "relative_rmse": math.sqrt(error / power) if power else None,
        "max_abs_error": max(row.max_abs_error for row in rows),
        "absmax": max(row.absmax for row in rows),
        "nonfinite": sum(row.nonfinite for row in rows),
        "worst_tensor": worst.tensor if worst else "",
    }


def _snr(row: TensorErrors) -> float:
    return math.inf if row.snr_db is None else row.snr_db


def _shape(tensor: StoredTensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "scalar"


__all__ = [
    "NO_LAYER",
    "LayerTotals",
    "SkippedTensor",
    "TensorErrors",
    "Totals",
    "layer_rows",
    "skipped_rows",
    "tensor_rows",
    "total_rows",
    "worst_rows",
]
