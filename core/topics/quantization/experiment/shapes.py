"""What the shapes of a checkpoint's tensors cost in the chosen format: straddling blocks, outlier channels, experts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.checkpoint.errors import snr_db
from core.checkpoint.header import StoredTensor
from core.checkpoint.opening import Checkpoint
from core.checkpoint.roles import Role, weight_rows
from core.checkpoint.shape_errors import ExpertErrors, ShapeErrors, shape_errors
from core.checkpoint.slices import FileChanged
from core.contracts.result import Message, Metric, Provenance
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import EMPTY, Text, listed, tr, tr_plural
from core.engine.steps import ProgressCallback
from core.format import quantity
from core.topics.quantization.experiment.report import quantization_of
from core.topics.quantization.labels import FORMAT_LABELS
from core.topics.quantization.result import QuantizationResult

Builder = ResultBuilder[QuantizationResult]

_OUTLIER_POWER = 25.0
"""From here on a channel is called an outlier: five times the usual magnitude."""


def measure_shapes(builder: Builder, checkpoint: Checkpoint, progress: ProgressCallback) -> None:
    """Fill in the shapes of the tensors that the report measures. If a file changes, what was measured stays, and a
    message says so."""
    shapes, experts = list[ShapeErrors](), list[ExpertErrors]()
    total = len(checkpoint.measured)

    def on_tensor(tensor: StoredTensor) -> None:
        progress(len(shapes), total, tr("rows, columns and experts of {tensor}", tensor=tensor.name))

    try:
        for measured in shape_errors(checkpoint.measured, quantization_of(builder.result.params), on_tensor):
            shapes.append(measured.shape)
            experts += measured.experts
    except FileChanged as error:
        if not any(message.severity == "warning" for message in builder.result.messages):
            builder.add(messages=(*builder.result.messages, Message("warning", error.text)))
    counted = weight_rows(shapes)
    metrics = {**_straddling_metrics(counted), **_direction_metrics(counted), **_expert_metrics(experts)}
    builder.add(metrics, shapes=tuple(shapes), experts=tuple(experts))
    texts = (*_straddling(builder.result), *_outlier(counted), *_expert(experts), *_tied(builder.result, checkpoint))
    builder.add(messages=(*builder.result.messages, *(Message("notice", text) for text in texts)))


def _straddling_metrics(rows: Sequence[ShapeErrors]) -> dict[str, Metric]:
    over = [row for row in rows if row.blocks_over_rows]
    metrics = {
        "shapes.straddling_tensors": Metric(len(over), "tensors", Provenance.MODELLED, tr("with blocks of two rows")),
        "shapes.straddling_blocks": Metric(
            sum(row.blocks_over_rows for row in over),
            "blocks",
            Provenance.MODELLED,
            tr("that hold weights of two rows"),
        ),
        "shapes.straddling_expert_blocks": Metric(
            sum(row.blocks_over_experts for row in over),
            "blocks",
            Provenance.MODELLED,
            tr("that hold weights of two experts"),
        ),
    }
    if not over:
        return metrics
    power = sum(row.signal_power for row in over)
    note = tr_plural("over {count:,} tensor", "over {count:,} tensors", count=len(over))
    for name, error in (
        ("straddling", sum(row.error_power for row in over)),
        ("aligned", sum(row.aligned_error_power for row in over)),
    ):
        metrics[f"shapes.{name}_snr_db"] = Metric(snr_db(power, error), "dB", Provenance.MEASURED_CPU, note)
    worst = max(over, key=lambda row: row.worst_row_rmse or 0)
    of_worst = tr("of the worst row, row {row:,} of {tensor}", row=worst.worst_row, tensor=worst.tensor)
    of_aligned = tr("of the worst row of {tensor}, if each row begins a block", tensor=worst.tensor)
    for name, rmse, of_row in (
        ("straddling", worst.worst_row_rmse, of_worst),
        ("aligned", worst.aligned_worst_row_rmse, of_aligned),
    ):
        if rmse is not None:
            metrics[f"shapes.{name}_worst_row_rmse"] = Metric(rmse, "", Provenance.MEASURED_CPU, of_row)
    extra = [(row.aligned_bits_per_parameter - row.bits_per_parameter, row.sampled) for row in over]
    mean = sum(bits * weights for bits, weights in extra) / sum(weights for _, weights in extra)
    of_rows = tr("per parameter, if each row begins a block")
    metrics["shapes.aligned_extra_bits"] = Metric(mean, "bits", Provenance.MODELLED, of_rows)
    return metrics


def _direction_metrics(rows: Sequence[ShapeErrors]) -> dict[str, Metric]:
    both = [row for row in rows if row.columns_error_power is not None]
    if not both:
        return {}
    power = sum(row.signal_power for row in both)
    note = tr_plural("over {count:,} tensor", "over {count:,} tensors", count=len(both))
    errors = {
        "rows": sum(row.aligned_error_power for row in both),
        "columns": sum(row.columns_error_power or 0 for row in both),
    }
    metrics = {
        f"shapes.{name}_snr_db": Metric(snr_db(power, error), "dB", Provenance.MEASURED_CPU, note)
        for name, error in errors.items()
    }
    outlier = _largest_outlier(rows)
    if outlier is not None:
        note = tr("of the median column: column {column:,} of {tensor}", **_place(outlier))
        metrics["shapes.outlier_power"] = Metric(outlier.outlier_power or 0, "x", Provenance.MEASURED_CPU, note)
    return metrics


def _expert_metrics(experts: Sequence[ExpertErrors]) -> dict[str, Metric]:
    known = [expert for expert in experts if expert.snr_db is not None]
    if not known:
        return {}
    worst = min(known, key=_snr)
    named = tr("expert {expert} of {tensor}", expert=worst.expert, tensor=worst.tensor)
    values = {
        "experts.count": (len(experts), "", tr("in tensors that hold many")),
        "experts.median_snr_db": (float(np.median([_snr(expert) for expert in known])), "dB", EMPTY),
        "experts.worst_snr_db": (_snr(worst), "dB", named),
    }
    return {name: Metric(value, unit, Provenance.MEASURED_CPU, note) for name, (value, unit, note) in values.items()}


def _straddling(result: QuantizationResult) -> list[Text]:
    metrics = result.metrics
    if not metrics["shapes.straddling_blocks"].value:
        return []
    over = [row for row in weight_rows(result.shapes) if row.blocks_over_rows]
    worst = max(over, key=lambda row: row.worst_row_rmse or 0)
    return [
        tr(
            "{blocks:,} blocks hold weights of two rows, {experts:,} of them of two experts ({tensor} and {others:,} "
            "others). In {format} their SNR is {straddling}; if each row began a block it would be "
            "{aligned}, for {bits} more bits per parameter. The relative RMSE of the worst row, in {worst}, is {row} "
            "against {aligned_row}.",
            worst=worst.tensor,
            row=_percent(worst.worst_row_rmse),
            aligned_row=_percent(worst.aligned_worst_row_rmse),
            blocks=int(metrics["shapes.straddling_blocks"].value),
            tensor=over[0].tensor,
            others=len(over) - 1,
            experts=int(metrics["shapes.straddling_expert_blocks"].value),
            format=FORMAT_LABELS[result.params.format],
            straddling=quantity(metrics["shapes.straddling_snr_db"].value, "dB", 4),
            aligned=quantity(metrics["shapes.aligned_snr_db"].value, "dB", 4),
            bits=quantity(metrics["shapes.aligned_extra_bits"].value, ""),
        )
    ]


def _outlier(rows: Sequence[ShapeErrors]) -> list[Text]:
    row = _largest_outlier(rows)
    if row is None or row.outlier_power is None or row.outlier_power < _OUTLIER_POWER:
        return []
    text = tr(
        "Column {column:,} of {tensor} is an outlier channel: it has {power} times the power of the median column. "
        "Blocks along the rows hold it beside others: in {format} the relative RMSE is {worst} in the worst column "
        "against {median} in the median one.",
        format=FORMAT_LABELS[row.format],
        **_place(row),
        power=quantity(row.outlier_power, ""),
        worst=_percent(row.worst_column_rmse),
        median=_percent(row.median_column_rmse),
    )
    if row.columns_snr_db is None or row.aligned_snr_db is None:
        return [text]
    along = tr(
        "The SNR is {rows} with blocks along its rows and {columns} along its columns.",
        rows=quantity(row.aligned_snr_db, "dB"),
        columns=quantity(row.columns_snr_db, "dB"),
    )
    return [text, along]


def _expert(experts: Sequence[ExpertErrors]) -> list[Text]:
    known = [expert for expert in experts if expert.snr_db is not None]
    if not known:
        return []
    worst = min(known, key=_snr)
    return [
        tr(
            "Of {count:,} experts in tensors that hold many, expert {expert} of {tensor} is the worst in {format}: "
            "{worst} against {median} in the median.",
            format=FORMAT_LABELS[worst.format],
            count=len(experts),
            expert=worst.expert,
            tensor=worst.tensor,
            worst=quantity(_snr(worst), "dB"),
            median=quantity(float(np.median([_snr(expert) for expert in known])), "dB"),
        )
    ]


def _tied(result: QuantizationResult, checkpoint: Checkpoint) -> list[Text]:
    """Whether the output head is the embedding: stored once, or twice with the same weights."""
    formats = result.tensors.formats[:1]
    rows = [row for name in formats for row in result.tensors.rows_in(name) if row.role == Role.EMBEDDING]
    same: dict[tuple[object, ...], list[str]] = {}
    for row in rows:
        facts = (row.shape, row.dtype, row.std, row.absmax, row.kurtosis, row.signal_power)
        same.setdefault(facts, []).append(row.tensor)
    if twice := [names for names in same.values() if len(names) > 1]:
        text = tr(
            "{tensors} have the same weights: they are tied and stored twice, and the report counts both.",
            tensors=listed(twice[0]),
        )
        return [text]
    is_part = bool(checkpoint.incomplete) or not any(row.layer >= 0 for row in result.shapes)
    if len(rows) != 1 or is_part:
        return []
    text = tr(
        "{tensor} is the only embedding: if the model has an output head, it is tied to it, and quantizing one "
        "quantizes both.",
        tensor=rows[0].tensor,
    )
    return [text]


def _largest_outlier(rows: Sequence[ShapeErrors]) -> ShapeErrors | None:
    known = [row for row in rows if row.outlier_power is not None]
    return max(known, key=lambda row: row.outlier_power or 0, default=None)


def _place(row: ShapeErrors) -> dict[str, int | str]:
    return {"column": row.outlier_column, "tensor": row.tensor}


def _snr(expert: ExpertErrors) -> float:
    return math.inf if expert.snr_db is None else expert.snr_db


def _percent(share: float | None) -> Text:
    return quantity(math.nan if share is None else 100 * share, "%")
