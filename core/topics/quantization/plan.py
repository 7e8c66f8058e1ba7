"""The plan: what the page draws before a run, computed from the parameters alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np

from core.checkpoint.block_errors import median_db
from core.checkpoint.errors import FormatErrors
from core.checkpoint.measuring import Quantization, piece_of
from core.checkpoint.nested_scales import NestedScales, nested_scales
from core.checkpoint.opening import Checkpoint
from core.checkpoint.quantized.storage import StorageRow, storage_rows
from core.checkpoint.report import SkippedTensor, Totals, skipped_rows
from core.checkpoint.roles import weight_rows
from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.result import Message, number_or_none
from core.contracts.text import EMPTY, Text, tr
from core.files import open_regular, reason_of
from core.hardware.gpus import gpus
from core.language_model.folder_files import check_fits, inspect
from core.model_presets import PRESETS, Architecture
from core.paths import expanded
from core.topics.quantization.codebooks import Codebook, Histogram, codebooks, histogram, sort_weights
from core.topics.quantization.folder_time import remarks
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.sampling import (
    Weights,
    draw_weights,
    open_cached,
    open_version,
    representative_tensor,
    sample_of,
)
from core.topics.quantization.saving import check_report_path
from core.topics.quantization.sweep import Point, make_point, measure_sample, sweep
from kernels.quantization.formats import FORMATS, FormatId

SAMPLE_ELEMENTS = 1 << 15
_SWEPT_ELEMENTS = 1 << 14
_UNQUANTIZED_BITS = 16
"""Bits of embeddings, norms and the output head: bitsandbytes and QLoRA only quantize the linear layers of the
blocks."""


@dataclass(frozen=True)
class ModelMemory:
    """The weights of a public model with its linear layers in one format, the rest in 16 bits. Modelled.

    `format` is None if all weights are in 16 bits; `bits_per_parameter` is of the linear layers.
    """

    model: str
    format: FormatId | None
    bits_per_parameter: float
    linear_bytes: float
    other_bytes: float

    @property
    def bytes(self) -> float:
        return self.linear_bytes + self.other_bytes


@dataclass(frozen=True)
class GpuMemory:
    """The memory of a GPU, or of several of the same size."""

    label: str
    bytes: float


@dataclass(frozen=True)
class Plan:
    """The errors of quantizing a sample of the weights, computed from the parameters alone. Everything is modelled.

    `problem` says why nothing can run, blaming the parameter `blames`, and is empty if nothing is wrong. With a problem
    the sample is drawn from the distribution, so that there is something to see. `checkpoint` is None without one.
    `sampled` names the tensor or distribution of the sample; `sample_errors` are its errors in each format, with their
    map. `memory` is the model preset in 16 bits, then in each format. `measured_size` is the tensors, elements and
    bytes of the weight matrices that a run would measure, `skipped` what it would not, and why, and `storage` the
    formats that the bytes are stored in. `remarks` say how long a model folder takes.
    """

    params: QuantizationParams
    sample: Weights
    sampled: str
    histogram: Histogram
    codebooks: Mapping[str, Codebook]
    errors: tuple[Point, ...]
    scales: NestedScales
    memory: tuple[ModelMemory, ...]
    sample_errors: Mapping[FormatId, FormatErrors]
    measured_size: tuple[int, int, int]
    skipped: tuple[SkippedTensor, ...] = ()
    storage: tuple[StorageRow, ...] = ()
    checkpoint: Checkpoint | None = None
    remarks: tuple[Message, ...] = ()
    problem: Text = EMPTY
    blames: str | None = None

    @cached_property
    def sweep(self) -> tuple[Point, ...]:
        """Every format at every block size, on half of the sample. Computed on first use, in about 50 ms."""
        formats = tuple(name for name in FORMATS if name in self.params.formats)  # whichever format is chosen
        return _swept(self.sample[:_SWEPT_ELEMENTS].tobytes(), formats, self.params.nested)

    @property
    def preset(self) -> Architecture:
        return PRESETS[self.params.model_preset]

    @property
    def gpu_memories(self) -> tuple[GpuMemory, ...]:
        """The memory sizes of the known GPUs, smallest first; GPUs of one size are together."""
        return _gpu_memories()

    def errors_in(self, format_id: str) -> FormatErrors:
        """The errors of the sample in one of the formats of the params."""
        return self.sample_errors[FormatId(format_id)]

    def totals(self, format_id: str) -> Totals:
        """The errors of the sample, with the size of all weights that a run would measure."""
        errors = self.errors_in(format_id)
        bits = next(point.bits_per_parameter for point in self.errors if point.format == format_id)
        tensors, elements, stored_bytes = self.measured_size
        return Totals(
            format=format_id,
            tensors=tensors,
            elements=elements,
            bytes=stored_bytes,
            quantized_bytes=bits * elements / 8,
            bits_per_parameter=bits,
            snr_db=errors.snr_db,
            relative_rmse=errors.relative_rmse,
            max_abs_error=errors.max_abs,
            absmax=float(np.abs(self.sample).max(initial=0)),
            block_snr_db=number_or_none(median_db(errors.blocks)),
        )


def plan(params: QuantizationParams) -> Plan:
    """The plan of `params`. Does not raise: an error of the checkpoint becomes `problem`."""
    checkpoint, problem, blames = None, EMPTY, None
    sample, sampled = None, ""
    try:
        if params.checkpoint.strip():
            checkpoint = open_cached(params)
            tensor = representative_tensor(checkpoint)
            sample, sampled = sample_of(tensor, SAMPLE_ELEMENTS), tensor.name
        open_version(params)
    except TilescopeError as error:
        problem, blames = error.text, getattr(error, "field", None) or "checkpoint"
    if sample is None:
        sample, sampled = draw_weights(params, SAMPLE_ELEMENTS), params.distribution
    quantization = Quantization(params.formats, params.block_size, params.nested)
    piece = piece_of(sample[: len(sample) - len(sample) % params.block_size or len(sample)], params.block_size)
    ascending = sort_weights(piece.blocks, piece.absmax)
    errors = measure_sample(sample, quantization)
    return Plan(
        params=params,
        sample=sample,
        sampled=sampled,
        histogram=histogram(ascending),
        codebooks=codebooks(params.formats, ascending),
        errors=tuple(
            make_point(name, quantization, float(sums.power.sum()), float(sums.error.sum()))
            for name, sums in errors.items()
        ),
        scales=nested_scales(piece.absmax, sampled, params.block_size, params.nested_block),
        memory=_memory(params),
        sample_errors=errors,
        measured_size=_measured_size(params, checkpoint),
        skipped=() if checkpoint is None else skipped_rows(checkpoint.skipped),
        storage=() if checkpoint is None else storage_rows(checkpoint),
        checkpoint=checkpoint,
        remarks=remarks(params),
        problem=problem,
        blames=blames,
    )


def check(params: QuantizationParams) -> None:
    """Raises InvalidParams if a checkpoint, a quantized file, a model folder or a text cannot be read, or a report
    cannot be written."""
    if params.report.strip():
        check_report_path(params.report)
    if params.checkpoint.strip():
        representative_tensor(open_cached(params))
    open_version(params)
    if params.outputs and params.model.strip():
        check_fits(inspect(params.model, "model"))
        if not params.text_file.strip():
            text = tr("The perplexity of a model folder needs a text: give a UTF-8 file in text_file.")
            raise InvalidParams(text, "text_file")
        _check_text_file(expanded(params.text_file, "text_file"))


def _check_text_file(file: Path) -> None:
    try:
        open_regular(file).close()
    except FileNotFoundError as error:
        text = tr("There is no file {file}: give a UTF-8 text file.", file=str(file))
        raise InvalidParams(text, "text_file") from error
    except OSError as error:
        text = tr("{path} cannot be read ({reason}): choose another file.", path=str(file), reason=reason_of(error))
        raise InvalidParams(text, "text_file") from error


def _measured_size(params: QuantizationParams, checkpoint: Checkpoint | None) -> tuple[int, int, int]:
    if checkpoint is None:
        elements = params.blocks * params.block_size
        return 1, elements, 4 * elements
    measured = weight_rows(checkpoint.measured)
    return len(measured), sum(tensor.elements for tensor in measured), sum(tensor.bytes for tensor in measured)


def model_memory(preset: Architecture, format_id: FormatId | None, bits_per_parameter: float) -> ModelMemory:
    """The weights of a model with its linear layers at `bits_per_parameter`."""
    linear, other = preset.linear_parameters * bits_per_parameter / 8, preset.other_parameters * _UNQUANTIZED_BITS / 8
    return ModelMemory(preset.name, format_id, bits_per_parameter, linear, other)


def _memory(params: QuantizationParams) -> tuple[ModelMemory, ...]:
    preset = PRESETS[params.model_preset]
    bits = {name: FORMATS[name].bits_per_parameter(params.block_size, params.nested) for name in params.formats}
    in_formats = (model_memory(preset, name, bits_each) for name, bits_each in bits.items())
    return model_memory(preset, None, _UNQUANTIZED_BITS), *in_formats


@cache
def _gpu_memories() -> tuple[GpuMemory, ...]:
    by_size: dict[float, list[str]] = {}
    for gpu in sorted(gpus().values(), key=lambda gpu: gpu.memory_gb):
        by_size.setdefault(gpu.memory_gb, []).append(gpu.name)
    return tuple(GpuMemory(", ".join(names), size * 1e9) for size, names in by_size.items())


@lru_cache(maxsize=8)
def _swept(sample: bytes, formats: tuple[FormatId, ...], nested: int) -> tuple[Point, ...]:
    return sweep([np.frombuffer(sample, dtype=np.float32)], formats, nested)
