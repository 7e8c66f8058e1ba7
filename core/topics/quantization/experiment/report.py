"""The errors of every tensor: a checkpoint's, streamed and kept as they are done, or those of one that is drawn."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

import numpy as np

from core.checkpoint.coding import absmax_of, restored_scales
from core.checkpoint.errors import MAP_COLUMNS, WeightSums
from core.checkpoint.header import Shard, StoredTensor
from core.checkpoint.measuring import Measured, Quantization, measure_piece, piece_of
from core.checkpoint.names import NO_LAYER, layer_and_kind
from core.checkpoint.opening import Checkpoint
from core.checkpoint.report import layer_rows, skipped_rows, tensor_rows, total_rows, worst_rows
from core.checkpoint.resume_cache import ResumeCache
from core.checkpoint.survey import Survey, survey
from core.contracts.events import Partial, Progress
from core.contracts.result import Metric, Provenance, Row
from core.contracts.result_builder import Draft, as_partial
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.language_model.cache import cache_folder
from core.topics.quantization.model.sampling import drawn
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.payload import MAP_PREFIX, SYNTHETIC

_PARTIAL_EVERY_S = 1.0
_PAUSE_FACTOR = 10
"""A Partial of many tensors takes time itself: at most a tenth of the run."""

Steps = Generator[Progress | Partial, None, None]
MeasuredTensors = dict[str, tuple[StoredTensor, Measured]]


def quantization_of(params: QuantizationParams) -> Quantization:
    return Quantization(params.formats, params.block_size, params.nested)


def report_folder() -> Path:
    """Where measured tensors are kept, in the user's cache."""
    return cache_folder() / "checkpoint-reports"


def survey_checkpoint(findings: Draft, params: QuantizationParams, checkpoint: Checkpoint, until: float) -> Steps:
    """Fill in the report of a checkpoint, with a Partial every second; `until` is its share of the whole run.

    A shard that goes away or changes ends the report early: what was measured stays, and 'messages' says so.
    """
    found, ticks, known, pause = Survey(), _Ticks(), _Rows(), _PARTIAL_EVERY_S
    cache = ResumeCache(report_folder())
    started = told = monotonic()
    findings.tables["skipped"] = skipped_rows(checkpoint.skipped)
    walk = survey(checkpoint.measured, quantization_of(params), cache, found, ticks)
    try:
        while (yield from phase(0.0, until, lambda progress: ticks.next_of(walk, progress))):
            if monotonic() - told > pause:
                begun = monotonic()
                _fill(findings, params, found.measured, known)
                yield Partial(as_partial(findings.result()))
                told = monotonic()
                pause = max(_PARTIAL_EVERY_S, _PAUSE_FACTOR * (told - begun))
    finally:
        walk.close()
    _fill(findings, params, found.measured, known)
    findings.metrics.update(_report_metrics(found, monotonic() - started))
    findings.tables["messages"] = _messages(found, checkpoint)


def measure_drawn(findings: Draft, params: QuantizationParams, progress: ProgressCallback) -> None:
    """Fill in the report of one tensor from the distribution. A cell of its error map is one block."""
    weights = drawn(params, params.blocks * params.block_size)
    blocks = weights.reshape(params.blocks, params.block_size)
    how = quantization_of(params)
    scales = restored_scales(absmax_of(blocks), how.nested_block) if how.nests else None
    whole, maps = Measured(WeightSums()), []
    for begin in range(0, params.blocks, MAP_COLUMNS):
        progress(begin, params.blocks, "quantizing the weights")
        rows = slice(begin, begin + MAP_COLUMNS)
        piece = piece_of(blocks[rows].ravel(), params.block_size)
        found = measure_piece(piece, how, MAP_COLUMNS, None if scales is None else scales[rows])
        whole += found
        maps.append(found)
    errors = {
        name: replace(sums, stored_bits=how.stored_bits(name, weights.size)) for name, sums in whole.errors.items()
    }
    shard = Shard(Path(SYNTHETIC), weights.nbytes, 0, "")
    tensor = StoredTensor(SYNTHETIC, "F32", blocks.shape, shard, 0, weights.nbytes)
    _fill(findings, params, {SYNTHETIC: (tensor, Measured(whole.weights, errors))}, _Rows())
    stretches = [(begin, min(begin + MAP_COLUMNS, params.blocks)) for begin in range(0, params.blocks, MAP_COLUMNS)]
    _fill_map(
        findings, params, [(SYNTHETIC, NO_LAYER, f"blocks {begin} to {end - 1}") for begin, end in stretches], maps
    )


class _Ticks:
    """The progress of a survey that is walked a tensor at a time, each by a phase with a progress of its own."""

    def __init__(self) -> None:
        self._tick: ProgressCallback | None = None

    def __call__(self, done: float, total: float, phase: str) -> None:
        if self._tick is not None:
            self._tick(done, total, phase)

    def next_of(self, walk: Generator[None, None, None], progress: ProgressCallback) -> bool:
        """Measure one more tensor; False when there was none left."""
        self._tick = progress
        return next(walk, self) is not self


@dataclass
class _Rows:
    """Rows of 'tensors' by tensor, each made once: a report of a thousand tensors fills its tables every second."""

    known: dict[str, list[Row]] = field(default_factory=dict)

    def of(self, measured: MeasuredTensors) -> list[Row]:
        for name, (tensor, found) in measured.items():
            if name not in self.known:
                self.known[name] = tensor_rows(tensor, found.weights, found.errors)
        return [row for name in measured for row in self.known[name]]


def _fill(findings: Draft, params: QuantizationParams, measured: MeasuredTensors, known: _Rows) -> None:
    rows = known.of(measured)
    findings.tables["tensors"] = rows
    findings.tables["layers"] = layer_rows(rows)
    findings.tables["totals"] = total_rows(rows)
    findings.tables["worst"] = worst_rows(rows, params.format)
    names = [(name, *layer_and_kind(name)) for name in measured]
    _fill_map(findings, params, names, [found for _, found in measured.values()])
    findings.metrics.update(_error_metrics(findings))


def _fill_map(
    findings: Draft, params: QuantizationParams, names: Sequence[tuple[str, int, str]], found: Sequence[Measured]
) -> None:
    findings.tables["map_rows"] = [
        {"row": index, "tensor": tensor, "layer": layer, "kind": kind}
        for index, (tensor, layer, kind) in enumerate(names)
    ]
    for name in params.formats:
        maps = [measured.errors[name].map_row for measured in found]
        stacked = np.stack(maps) if maps else np.empty((0, MAP_COLUMNS))
        findings.arrays[f"{MAP_PREFIX}{name.value}"] = stacked.astype(np.float32)


def _error_metrics(findings: Draft) -> dict[str, Metric]:
    metrics = {}
    units = {"snr_db": "dB", "relative_rmse": "", "max_abs_error": ""}
    for row in findings.tables["totals"]:
        for name, unit in units.items():
            value = np.nan if row[name] is None else row[name]
            metrics[f"{row['format']}.{name}"] = _measured(value, unit)
        for name, value, unit in (
            ("bits_per_parameter", row["bits_per_parameter"], "bits"),
            ("bytes", row["quantized_bytes"], "bytes"),
        ):
            note = "codes and scales, counted and not stored"
            metrics[f"{row['format']}.{name}"] = Metric(float(value), unit, Provenance.MODELLED, note)
    for row in findings.tables["totals"][:1]:
        metrics["weights.elements"] = _measured(row["elements"], "elements")
        metrics["weights.bytes"] = _measured(row["bytes"], "bytes", "as they are stored")
        metrics["weights.nonfinite"] = _measured(row["nonfinite"], "", "NaN or infinite, left out of every error")
    kurtoses = [row["kurtosis"] for row in findings.tables["tensors"] if row["kurtosis"] is not None]
    if kurtoses:
        note = "the median of the tensors; a normal distribution has 3"
        metrics["weights.kurtosis"] = _measured(float(np.median(kurtoses)), "", note)
    return metrics


def _report_metrics(found: Survey, seconds: float) -> dict[str, Metric]:
    metrics = {
        "report.tensors": _measured(len(found.measured), "tensors"),
        "report.resumed_tensors": _measured(found.resumed, "tensors", "known from an earlier run"),
        "report.read_bytes": _measured(found.read_bytes, "bytes", "of weights that were quantized in this run"),
    }
    if found.read_bytes:
        note = "wall time, reading and all formats included"
        metrics["report.bytes_per_s"] = _measured(found.read_bytes / seconds, "B/s", note)
    return metrics


def _messages(found: Survey, checkpoint: Checkpoint) -> list[dict[str, str]]:
    messages = []
    if found.stopped_by:
        missing = len(checkpoint.measured) - len(found.measured)
        are = "tensor is" if missing == 1 else "tensors are"
        messages.append(("warning", f"{found.stopped_by} {missing} {are} missing from this report."))
    if found.resumed:
        were = "tensor was" if found.resumed == 1 else "tensors were"
        messages.append(("notice", f"{found.resumed} {were} measured by an earlier run and not read again."))
    if found.notice:
        messages.append(("warning", found.notice))
    if checkpoint.skipped:
        hold = "tensor holds" if len(checkpoint.skipped) == 1 else "tensors hold"
        messages.append(("notice", f"{len(checkpoint.skipped)} {hold} no weights to measure."))
    nonfinite = sum(measured.weights.nonfinite for _, measured in found.measured.values())
    if nonfinite:
        are = "weight is NaN or infinite and" if nonfinite == 1 else "weights are NaN or infinite and"
        messages.append(("warning", f"{nonfinite:,} {are} left out of every error."))
    return [{"severity": severity, "text": text} for severity, text in messages]


def _measured(value: float, unit: str, note: str = "") -> Metric:
    return Metric(float(value), unit, Provenance.MEASURED_CPU, note)
