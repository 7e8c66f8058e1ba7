"""Measures the errors of every tensor: those of a checkpoint, streamed and cached, or of one drawn from a
distribution."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import numpy as np

from core.checkpoint.coding import absmax_of, restored_scales
from core.checkpoint.errors import MAP_COLUMNS, WeightSums
from core.checkpoint.header import Shard, StoredTensor
from core.checkpoint.measuring import Measured, Quantization, measure_piece, piece_of
from core.checkpoint.opening import Checkpoint
from core.checkpoint.quantized.storage import storage_rows
from core.checkpoint.report import TensorErrors, layer_rows, role_rows, skipped_rows, tensor_rows, total_rows
from core.checkpoint.resume_cache import ResumeCache
from core.checkpoint.survey import Survey, survey
from core.checkpoint.tensor_table import TensorTable
from core.contracts.events import Partial, Progress
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import Text, tr
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.language_model.cache import cache_folder
from core.topics.quantization.experiment.report_metrics import error_metrics, survey_messages, survey_metrics
from core.topics.quantization.labels import DRAWN_TENSOR
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import QuantizationResult
from core.topics.quantization.sampling import Weights, draw_weights

_PARTIAL_EVERY_S = 1.0
_PAUSE_FACTOR = 10
"""A Partial of many tensors takes time itself: partials may take at most a tenth of the run."""

Builder = ResultBuilder[QuantizationResult]
Steps = Generator[Progress | Partial, None, None]
MeasuredTensors = dict[str, tuple[StoredTensor, Measured]]


def quantization_of(params: QuantizationParams) -> Quantization:
    return Quantization(params.formats, params.block_size, params.nested)


def report_folder() -> Path:
    """The folder of cached tensors, in the user's cache."""
    return cache_folder() / "checkpoint-reports"


def survey_checkpoint(builder: Builder, checkpoint: Checkpoint, until: float) -> Steps:
    """Fill in the report of a checkpoint, with a Partial every second; `until` is its share of the whole run.

    If a shard is removed or changes, the report ends early: the measured tensors stay, and a message says so.
    """
    params, known = builder.result.params, _Rows()
    surveyed, survey_progress, pause = Survey(), _SurveyProgress(), _PARTIAL_EVERY_S
    cache = ResumeCache(report_folder())
    started = sent = monotonic()
    builder.add(skipped=skipped_rows(checkpoint.skipped), storage=storage_rows(checkpoint))
    walk = survey(checkpoint.measured, quantization_of(params), cache, surveyed, survey_progress)
    try:
        while (yield from phase(0.0, until, lambda progress: survey_progress.next_of(walk, progress))):
            if monotonic() - sent > pause:
                begun = monotonic()
                _add_tensors(builder, surveyed.measured, known)
                yield Partial(builder.result)
                sent = monotonic()
                pause = max(_PARTIAL_EVERY_S, _PAUSE_FACTOR * (sent - begun))
    finally:
        walk.close()
    _add_tensors(builder, surveyed.measured, known)
    metrics = survey_metrics(surveyed, monotonic() - started)
    builder.add(metrics, messages=survey_messages(surveyed, checkpoint, builder.result))


def measure_drawn(builder: Builder, progress: ProgressCallback) -> None:
    """Fill in the report of one tensor drawn from the distribution. Each cell of its error map is one block."""
    params = builder.result.params
    weights = draw_weights(params, params.blocks * params.block_size)
    blocks = weights.reshape(params.blocks, params.block_size)
    quantization = quantization_of(params)
    scales = restored_scales(absmax_of(blocks), quantization.nested_block) if quantization.has_nested_scales else None
    whole, stretches = Measured(WeightSums()), []
    for begin in range(0, params.blocks, MAP_COLUMNS):
        progress(begin, params.blocks, tr("quantizing the weights"))
        rows = slice(begin, begin + MAP_COLUMNS)
        piece = piece_of(blocks[rows].ravel(), params.block_size)
        measured = measure_piece(piece, quantization, MAP_COLUMNS, None if scales is None else scales[rows])
        whole += measured
        stretches.append(measured)
    errors = {
        name: sums.of_tensor(quantization.stored_bits(name, weights.size), sums.power)
        for name, sums in whole.errors.items()
    }
    tensor = drawn_tensor(params, weights)
    _add_tensors(builder, {DRAWN_TENSOR: (tensor, Measured(whole.weights, errors))}, _Rows())
    builder.add(error_maps=_error_maps(params, stretches))


def drawn_tensor(params: QuantizationParams, weights: Weights) -> StoredTensor:
    """The tensor that stands for drawn weights: a row per block."""
    shard = Shard(Path(DRAWN_TENSOR), weights.nbytes, 0, "")
    return StoredTensor(DRAWN_TENSOR, "F32", (params.blocks, params.block_size), shard, 0, weights.nbytes)


class _SurveyProgress:
    """Forwards the progress of a survey, which advances tensor by tensor, to the current phase's callback."""

    def __init__(self) -> None:
        self._progress: ProgressCallback | None = None

    def __call__(self, done: float, total: float, phase: Text) -> None:
        if self._progress is not None:
            self._progress(done, total, phase)

    def next_of(self, walk: Generator[None, None, None], progress: ProgressCallback) -> bool:
        """Measure one more tensor; False if none was left."""
        self._progress = progress
        return next(walk, self) is not self


@dataclass
class _Rows:
    """The rows of the tensors, each made once: a report of a thousand tensors fills its tables every second."""

    known: dict[str, list[TensorErrors]] = field(default_factory=dict)

    def of(self, measured: MeasuredTensors) -> list[TensorErrors]:
        for name, (tensor, sums) in measured.items():
            if name not in self.known:
                self.known[name] = tensor_rows(tensor, sums.weights, sums.errors)
        return [row for name in measured for row in self.known[name]]


def _add_tensors(builder: Builder, measured: MeasuredTensors, known: _Rows) -> None:
    rows = known.of(measured)
    builder.add(
        tensors=TensorTable.of(rows),
        layers=layer_rows(rows),
        totals=total_rows(rows),
        roles=role_rows(rows),
        error_maps=_error_maps(builder.result.params, [sums for _, sums in measured.values()]),
    )
    builder.add(error_metrics(builder.result))


def _error_maps(params: QuantizationParams, rows: Sequence[Measured]) -> dict[str, np.ndarray]:
    """The error map of each format, float32 [rows, MAP_COLUMNS]."""
    maps = {}
    for name in params.formats:
        columns = [measured.errors[name].map_row for measured in rows]
        stacked = np.stack(columns) if columns else np.empty((0, MAP_COLUMNS))
        maps[name.value] = stacked.astype(np.float32)
    return maps
