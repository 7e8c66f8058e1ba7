"""The metrics and messages of a report: the headline counts the weight matrices, and says what it leaves out."""

from __future__ import annotations

import numpy as np

from core.checkpoint.measuring import Quantization
from core.checkpoint.opening import Checkpoint
from core.checkpoint.quantized.storage import storage_label
from core.checkpoint.roles import ROLE_LABELS, Role, weight_rows
from core.checkpoint.survey import Survey
from core.contracts.result import Message, Metric, Provenance
from core.contracts.text import EMPTY, Text, listed, sentences, tr, tr_plural
from core.format import quantity
from core.topics.quantization.labels import FORMAT_LABELS
from core.topics.quantization.result import QuantizationResult


def error_metrics(result: QuantizationResult) -> dict[str, Metric]:
    """The errors of the totals, what they count, and the SNR of what they leave out."""
    metrics = {}
    for row in result.totals:
        of_what = ROLE_LABELS.get(row.role, EMPTY)
        median = tr("median over the blocks of a tensor, which no single weight can improve")
        measured = {
            "snr_db": (row.snr_db, "dB", of_what),
            "block_snr_db": (row.block_snr_db, "dB", median),
            "relative_rmse": (row.relative_rmse, "", of_what),
            "max_abs_error": (row.max_abs_error, "", of_what),
            "lost": (row.lost, "", tr("weights that come back as NaN or inf")),
        }
        for name, (value, unit, note) in measured.items():
            metrics[f"{row.format}.{name}"] = _measured(np.nan if value is None else value, unit, note)
        note = tr("codes and scales; the size is computed, nothing is stored")
        bits, size = float(row.bits_per_parameter), float(row.quantized_bytes)
        metrics[f"{row.format}.bits_per_parameter"] = Metric(bits, "bits", Provenance.MODELLED, note)
        metrics[f"{row.format}.bytes"] = Metric(size, "bytes", Provenance.MODELLED, note)
    for row in result.totals[:1]:
        of_all = [of_role for of_role in result.roles if of_role.format == row.format]
        apart = [of_role for of_role in of_all if row.role and of_role.role != row.role]
        metrics["weights.elements"] = _measured(row.elements, "elements")
        metrics["weights.bytes"] = _measured(row.bytes, "bytes", tr("as stored in the checkpoint"))
        note = tr("norms, biases, routers, embeddings: not in the totals")
        metrics["apart.elements"] = _measured(sum(of_role.elements for of_role in apart), "elements", note)
        metrics["apart.bytes"] = _measured(sum(of_role.bytes for of_role in apart), "bytes", note)
        nonfinite = sum(of_role.nonfinite for of_role in of_all)
        metrics["weights.nonfinite"] = _measured(nonfinite, "", tr("NaN or inf weights in tensors of any role"))
        counted = weight_rows(result.tensors.rows_in(row.format))
        kurtoses = [tensor.kurtosis for tensor in counted if tensor.kurtosis is not None]
        if kurtoses:
            note = tr("median over the tensors; a normal distribution has 3")
            metrics["weights.kurtosis"] = _measured(float(np.median(kurtoses)), "", note)
    for row in result.roles:
        if row.role != Role.MATRIX and row.snr_db is not None:
            note = tr("{role}, not in the totals", role=ROLE_LABELS[row.role])
            metrics[f"{row.format}.{row.role}.snr_db"] = _measured(row.snr_db, "dB", note)
    return metrics


def survey_metrics(surveyed: Survey, seconds: float) -> dict[str, Metric]:
    """What was read, and how fast."""
    metrics = {
        "report.tensors": _measured(len(surveyed.measured), "tensors"),
        "report.resumed_tensors": _measured(surveyed.resumed, "tensors", tr("measured by an earlier run")),
        "report.read_bytes": _measured(surveyed.read_bytes, "bytes", tr("of weights that this run quantized")),
    }
    if surveyed.read_bytes:
        note = tr("by wall time, including reading and all formats")
        metrics["report.bytes_per_s"] = _measured(surveyed.read_bytes / seconds, "B/s", note)
    return metrics


def survey_messages(surveyed: Survey, checkpoint: Checkpoint, result: QuantizationResult) -> tuple[Message, ...]:
    """What the user should know about a report: what is missing, left out or lost."""
    messages = []
    if checkpoint.incomplete:
        messages.append(Message("warning", checkpoint.incomplete))
    if surveyed.stopped_by:
        missing = tr_plural(
            "{count} tensor is missing from this report.",
            "{count} tensors are missing from this report.",
            count=len(checkpoint.measured) - len(surveyed.measured),
        )
        messages.append(Message("warning", sentences(surveyed.stopped_by, missing)))
    if surveyed.resumed:
        resumed = tr_plural(
            "{count} tensor was measured by an earlier run and not read again.",
            "{count} tensors were measured by an earlier run and not read again.",
            count=surveyed.resumed,
        )
        messages.append(Message("notice", resumed))
    if surveyed.notice:
        messages.append(Message("warning", surveyed.notice))
    if checkpoint.skipped:
        skipped = tr_plural(
            "{count} tensor holds no weights to measure.",
            "{count} tensors hold no weights to measure.",
            count=len(checkpoint.skipped),
        )
        messages.append(Message("notice", skipped))
    messages += _stored_message(result, checkpoint)
    messages += _roles_message(result)
    messages += _lost_message(result)
    return tuple(messages)


def _stored_message(result: QuantizationResult, checkpoint: Checkpoint) -> list[Message]:
    """Which share of the bytes is quantized already, and what became of it."""
    if not checkpoint.quantized:
        return []
    shares = [
        tr("{format} {share}", format=storage_label(row.format), share=quantity(100 * row.share, "%"))
        for row in result.storage
    ]
    stored = tr("Stored, by bytes: {shares}.", shares=listed(shares))
    if result.params.requantize:
        what = tr("Quantized weights are restored and quantized again: errors are against the restored weights.")
    else:
        what = tr("Quantized weights are not measured; requantize=true restores them and quantizes them again.")
    return [Message("notice", sentences(stored, what))]


def _roles_message(result: QuantizationResult) -> list[Message]:
    """Which tensors the totals leave out."""
    totals = result.totals_in(result.params.format)
    if totals is None or not totals.role or totals.tensors == len(result.tensors):
        return []
    apart = [row for row in result.roles if row.format == totals.format and row.role != totals.role]
    elements = sum(row.elements for row in apart)
    text = tr(
        "The totals are of {matrices:,} weight matrices. {apart:,} other tensors ({share} of the weights: "
        "{roles}) are reported apart.",
        matrices=totals.tensors,
        apart=sum(row.tensors for row in apart),
        share=quantity(100 * elements / (elements + totals.elements), "%"),
        roles=listed(ROLE_LABELS[row.role] for row in apart),
    )
    return [Message("notice", text)]


def _lost_message(result: QuantizationResult) -> list[Message]:
    """What NaN and inf weights cost in the chosen format."""
    rows = [row for row in result.tensors.rows_in(result.params.format) if row.nonfinite]
    if not rows:
        return []
    nonfinite = tr_plural(
        "{count:,} weight is NaN or inf, in {tensor}.",
        "{count:,} weights are NaN or inf, the first in {tensor}.",
        count=sum(row.nonfinite for row in rows),
        tensor=rows[0].tensor,
    )
    values: dict[str, int | Text] = {
        "lost": sum(row.lost for row in rows),
        "format": FORMAT_LABELS[result.params.format],
    }
    quantization = Quantization(result.params.formats, result.params.block_size, result.params.nested)
    if quantization.nests_scales_of(result.params.formats[0]):
        lost = tr(
            "In {format} {lost:,} weights are lost: the scale of such a block is no number, with double quantization "
            "the mean of all scales isn't one either, and the whole tensor comes back as NaN.",
            **values,
        )
    else:
        lost = tr(
            "In {format} {lost:,} weights are lost: the scale of such a block is no number, and all its weights come "
            "back as NaN.",
            **values,
        )
    return [Message("warning", sentences(nonfinite, lost, tr("The errors are those of the other weights.")))]


def _measured(value: float, unit: str, note: Text = EMPTY) -> Metric:
    return Metric(float(value), unit, Provenance.MEASURED_CPU, note)
