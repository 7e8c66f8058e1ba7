"""The errors of a checkpoint as rows: per tensor, per layer, in total, and the worst tensors. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.checkpoint.errors import FormatErrors, WeightSums, snr_db
from core.checkpoint.header import StoredTensor
from core.checkpoint.names import NO_LAYER, layer_and_kind
from core.checkpoint.roles import Role, weight_rows
from core.contracts.result import number_or_none
from core.contracts.text import Text


@dataclass(frozen=True)
class TensorErrors:
    """One tensor in one format. A number that does not exist (the SNR of zeros) is None, as JSON has no NaN.

    `layer` is -1 for a tensor outside of the layers. `bytes` is the stored size, `kurtosis` is 3 for a normal
    distribution. Powers are sums over the weights that come back as numbers, and `lost` counts the others: NaN and inf
    weights with their blocks, under double quantization with their tensor. `quantized_bytes` is the size of codes and
    scales; it is computed, nothing is stored. `block_snr_db` is the median over the blocks, which no single weight can
    improve. `role` is a Role, or '' in a report of an earlier version.
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
    max_abs_error: float | None
    bits_per_parameter: float | None
    quantized_bytes: int
    signal_power: float
    error_power: float
    block_snr_db: float | None = None
    lost: int = 0
    role: str = ""

    @property
    def is_matrix(self) -> bool:
        return " x " in self.shape

    @property
    def rank_key(self) -> tuple[float, float]:
        """Sorts the worst tensor first: by the share of lost weights, then by the median error of the blocks."""
        figure = self.snr_db if self.block_snr_db is None else self.block_snr_db
        return -self.lost / max(1, self.elements), math.inf if figure is None else figure

    @property
    def is_ranked(self) -> bool:
        """Whether the tensor lost anything that can be compared."""
        return bool(self.lost) or self.snr_db is not None


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Tensors added up in one format. `worst_tensor` is the first by `TensorErrors.rank_key`; it is '' if no tensor has
    an error.

    `role` says what is added up: weight matrices, another role, or '' for tensors of any role. `block_snr_db` is the
    median of the tensors' median block errors, each tensor counting by its weights. `quantized_bytes` is an int if
    tensors were counted, in JSON too. Computed from a formula it can be a float.
    """

    format: str
    tensors: int
    elements: int
    bytes: int
    quantized_bytes: int | float
    bits_per_parameter: float
    snr_db: float | None
    relative_rmse: float | None
    max_abs_error: float | None
    absmax: float
    nonfinite: int = 0
    worst_tensor: str = ""
    role: str = ""
    block_snr_db: float | None = None
    lost: int = 0


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
            shape=shape_text(tensor),
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
            max_abs_error=number_or_none(of_format.max_abs),
            bits_per_parameter=number_or_none(of_format.bits_per_parameter),
            quantized_bytes=math.ceil(of_format.stored_bits / 8),
            signal_power=float(of_format.power.sum()),
            error_power=float(of_format.error.sum()),
            block_snr_db=number_or_none(of_format.block_snr_db),
            lost=of_format.lost,
            role=tensor.role.value,
        )
        for name, of_format in errors.items()
    ]


def skipped_rows(tensors: Iterable[StoredTensor]) -> tuple[SkippedTensor, ...]:
    """The tensors that were not measured, and why."""
    return tuple(
        SkippedTensor(tensor.name, tensor.dtype, shape_text(tensor), tensor.bytes, tensor.skipped) for tensor in tensors
    )


def layer_rows(rows: Sequence[TensorErrors]) -> tuple[LayerTotals, ...]:
    """Weight matrices added up per layer and format, in order of layers. Tensors outside of the layers come first, as
    -1. Where there is no weight matrix, whatever is there is added up."""
    groups: dict[tuple[int, str], list[TensorErrors]] = {}
    for row in rows:
        groups.setdefault((row.layer, row.format), []).append(row)
    order = {name: index for index, name in enumerate(dict.fromkeys(row.format for row in rows))}
    keys = sorted(groups, key=lambda key: (key[0], order[key[1]]))
    return tuple(LayerTotals(layer=layer, format=name, **_counted(groups[layer, name])) for layer, name in keys)


def total_rows(rows: Sequence[TensorErrors]) -> tuple[Totals, ...]:
    """Weight matrices added up per format; all tensors if none is a weight matrix."""
    names = dict.fromkeys(row.format for row in rows)
    return tuple(Totals(format=name, **_counted([row for row in rows if row.format == name])) for name in names)


def role_rows(rows: Sequence[TensorErrors]) -> tuple[Totals, ...]:
    """Tensors added up per role and format, in the order of Role."""
    groups: dict[tuple[str, str], list[TensorErrors]] = {}
    for row in rows:
        groups.setdefault((row.role, row.format), []).append(row)
    order = [*Role, ""]
    keys = sorted(groups, key=lambda key: order.index(key[0]))  # stable: formats stay in their order
    return tuple(Totals(format=name, role=role, **_added(groups[role, name])) for role, name in keys)


def worst_rows(rows: Iterable[TensorErrors], format_name: str, count: int = 20) -> list[TensorErrors]:
    """The worst weight matrices in one format, worst first; of all tensors if none is a weight matrix. Tensors without
    an error are left out."""
    of_format = weight_rows([row for row in rows if row.format == format_name])
    return sorted((row for row in of_format if row.is_ranked), key=_rank)[:count]


def _counted(rows: Sequence[TensorErrors]) -> dict[str, Any]:
    """The totals of the weight matrices, or of all rows, with the role that says which."""
    counted = weight_rows(rows)
    roles = {row.role for row in counted}
    return {"role": roles.pop() if len(roles) == 1 else "", **_added(counted)}


def _added(rows: Sequence[TensorErrors]) -> dict[str, Any]:
    power, error = sum(row.signal_power for row in rows), sum(row.error_power for row in rows)
    elements = sum(row.elements for row in rows)
    stored = sum(row.quantized_bytes for row in rows)
    worst = min((row for row in rows if row.is_ranked), key=_rank, default=None)
    largest_errors = [row.max_abs_error for row in rows if row.max_abs_error is not None]
    return {
        "tensors": len(rows),
        "elements": elements,
        "bytes": sum(row.bytes for row in rows),
        "quantized_bytes": stored,
        "bits_per_parameter": 8 * stored / elements,
        "snr_db": number_or_none(snr_db(power, error)),
        "relative_rmse": math.sqrt(error / power) if power else None,
        "max_abs_error": max(largest_errors, default=None),
        "absmax": max(row.absmax for row in rows),
        "nonfinite": sum(row.nonfinite for row in rows),
        "worst_tensor": worst.tensor if worst else "",
        "block_snr_db": _median(rows),
        "lost": sum(row.lost for row in rows),
    }


def _median(rows: Sequence[TensorErrors]) -> float | None:
    """The median of the tensors' block errors by weights; None without any."""
    known = sorted((row.block_snr_db, row.elements) for row in rows if row.block_snr_db is not None)
    half, below = sum(elements for _, elements in known) / 2, 0
    for figure, elements in known:
        below += elements
        if below >= half:
            return figure
    return None


def _rank(row: TensorErrors) -> tuple[float, float]:
    return row.rank_key


def shape_text(tensor: StoredTensor) -> str:
    """Its sizes for reading, such as '4096 x 4096'."""
    return " x ".join(map(str, tensor.shape)) or "scalar"


__all__ = [
    "NO_LAYER",
    "LayerTotals",
    "SkippedTensor",
    "TensorErrors",
    "Totals",
    "layer_rows",
    "role_rows",
    "shape_text",
    "skipped_rows",
    "tensor_rows",
    "total_rows",
    "worst_rows",
]
