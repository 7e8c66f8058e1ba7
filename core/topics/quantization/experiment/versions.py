"""Compares the weights with other versions of them: a quantized file, and types of GGUF."""

from __future__ import annotations

from collections.abc import Sequence

from core.checkpoint.opening import Checkpoint
from core.checkpoint.quantized.storage import storage_label
from core.checkpoint.slices import FileChanged
from core.checkpoint.versions import (
    FILE,
    VersionErrors,
    VersionTotals,
    compared,
    compared_weights,
    version_totals,
)
from core.contracts.result import Message, Metric, Provenance
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import EMPTY, Text, listed, sentences, tr, tr_plural, verbatim
from core.engine.steps import ProgressCallback
from core.format import quantity
from core.topics.quantization.experiment.report import drawn_tensor
from core.topics.quantization.result import QuantizationResult
from core.topics.quantization.sampling import draw_weights, open_version

Builder = ResultBuilder[QuantizationResult]


def compare_versions(builder: Builder, checkpoint: Checkpoint | None, progress: ProgressCallback) -> None:
    """Fill in the versions of a checkpoint's tensors, or of drawn weights. If a file is removed or changes, what was
    compared stays, and a message says so."""
    params, rows, stopped = builder.result.params, list[VersionErrors](), EMPTY
    if checkpoint is None:
        if params.gguf_types:
            weights = draw_weights(params, params.blocks * params.block_size)
            rows += compared_weights(weights, params.gguf_types, drawn_tensor(params, weights))
    else:
        file = open_version(params)
        total = sum(tensor.elements for tensor in checkpoint.measured) * (bool(file) + bool(params.gguf_types))
        done = 0

        def on_part(elements: int) -> None:
            nonlocal done
            done += elements
            progress(done, total, tr("comparing {tensor}", tensor=rows[-1].tensor if rows else checkpoint.path.name))

        if total:
            try:
                for row in compared(checkpoint, file, params.gguf_types, on_part):
                    rows.append(row)
            except FileChanged as error:
                stopped = error.text
    totals = version_totals(rows)
    builder.add(version_metrics(rows, totals), versions=tuple(rows), version_totals=totals)
    warned = [Message("warning", stopped)] if stopped else []
    builder.add(messages=(*builder.result.messages, *warned, *_messages(rows, totals)))


def version_metrics(rows: Sequence[VersionErrors], totals: Sequence[VersionTotals]) -> dict[str, Metric]:
    """'file.*' of a quantized file and 'gguf.{type}.*' of types of GGUF."""
    metrics = {}
    for row in totals:
        name = f"{row.source}.{row.format}" if row.format else row.source
        note = tr_plural("over {count:,} tensor", "over {count:,} tensors", count=row.tensors)
        errors = {"snr_db": (row.snr_db, "dB"), "relative_rmse": (row.relative_rmse, "")}
        for figure, (value, unit) in errors.items():
            if value is not None:
                metrics[f"{name}.{figure}"] = Metric(value, unit, Provenance.MEASURED_CPU, note)
        of_bits = tr("scales and codes") if row.source == FILE else tr("scales and codes; nothing is stored")
        metrics[f"{name}.bits_per_weight"] = Metric(row.bits_per_weight, "bits", Provenance.MODELLED, of_bits)
    of_file = [row for row in rows if row.source == FILE]
    if of_file:
        compared_rows = sum(not row.why for row in of_file)
        metrics["file.tensors"] = Metric(compared_rows, "tensors", Provenance.MEASURED_CPU, tr("compared"))
        apart = len(of_file) - compared_rows
        metrics["file.apart"] = Metric(apart, "tensors", Provenance.MEASURED_CPU, tr("could not be compared"))
    return metrics


def _messages(rows: Sequence[VersionErrors], totals: Sequence[VersionTotals]) -> list[Message]:
    """What the file lost, and what could not be compared."""
    of_file = [row for row in rows if row.source == FILE]
    if not of_file:
        return []
    texts: list[Text] = []
    for row in totals:
        if row.source == FILE and not row.format:
            formats = listed(storage_label(each.format) for each in totals if each.source == FILE and each.format)
            texts.append(
                tr(
                    "The quantized file ({formats}) restores {tensors:,} weight matrices with an SNR of {snr} at "
                    "{bits} bits per weight.",
                    formats=formats,
                    tensors=row.tensors,
                    snr=verbatim("∞") if row.snr_db is None else quantity(row.snr_db, "dB"),
                    bits=quantity(row.bits_per_weight, ""),
                )
            )
    apart = [row for row in of_file if row.why]
    if apart:
        texts.append(
            tr_plural(
                "{count:,} tensor could not be compared: {tensor} ({why}).",
                "{count:,} tensors could not be compared, the first is {tensor} ({why}).",
                count=len(apart),
                tensor=apart[0].tensor,
                why=apart[0].why,
            )
        )
    nothing = len(apart) == len(of_file)
    return [Message("warning" if nothing else "notice", sentences(*texts))]
