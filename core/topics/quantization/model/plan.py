"""The whole model in one call: what is drawn before, and beside, any run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from core.checkpoint.errors import FormatErrors
from core.checkpoint.header import StoredTensor
from core.checkpoint.measuring import Quantization, piece_of
from core.checkpoint.names import NO_LAYER, layer_and_kind
from core.checkpoint.opening import Checkpoint, open_checkpoint
from core.contracts.errors import InvalidParams, TilescopeError
from core.model_presets import PRESETS, Architecture
from core.paths import expanded
from core.topics.quantization.model.codebooks import Codebook, Histogram, codebooks, histogram, sort
from core.topics.quantization.model.presets import weight_bytes
from core.topics.quantization.model.sampling import Weights, drawn, sample_of
from core.topics.quantization.model.scales import NestedScales, nested_scales
from core.topics.quantization.model.sweep import Point, measured, point, sweep
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.saving import check_report_path
from kernels.quantization.formats import FORMATS, FormatId

SAMPLE_ELEMENTS = 1 << 15
_SWEPT_ELEMENTS = 1 << 14


@dataclass(frozen=True)
class MemoryOfModel:
    """A public model's weights in one format, linear layers quantized, the rest in 16 bits. Modelled."""

    model: str
    format: FormatId | None
    bits_per_parameter: float
    bytes: float


@dataclass(frozen=True)
class Plan:
    """What quantizing does to a sample of the weights, computed from the parameters alone. Everything is modelled.

    `problem` is '' or why nothing can run, blaming the parameter `blames`; then `sample` is of the distribution, so
    that there is something to see. `checkpoint` is None without one. `sampled` names where the sample is from;
    `sample_errors` are the sample's in each format, with their map.
    """

    params: QuantizationParams
    sample: Weights
    sampled: str
    histogram: Histogram
    codebooks: tuple[Codebook, ...]
    errors: tuple[Point, ...]
    scales: NestedScales
    memory: tuple[MemoryOfModel, ...]
    sample_errors: Mapping[FormatId, FormatErrors]
    checkpoint: Checkpoint | None = None
    problem: str = ""
    blames: str | None = None

    @cached_property
    def sweep(self) -> tuple[Point, ...]:
        """Every format at every block size, on half of the sample. Computed when first asked: some 50 ms."""
        formats = tuple(name for name in FORMATS if name in self.params.formats)  # whichever is the chosen one
        return _swept(self.sample[:_SWEPT_ELEMENTS].tobytes(), formats, self.params.nested)

    @property
    def preset(self) -> Architecture:
        return PRESETS[self.params.model_preset]

    def codebook(self, format_id: str) -> Codebook:
        """The codebook of one of the formats of the params."""
        return next(found for found in self.codebooks if found.format == format_id)


def plan(params: QuantizationParams) -> Plan:
    """The plan of `params`. Does not raise: what is wrong with the checkpoint is `problem`."""
    checkpoint, problem, blames = None, "", None
    sample, sampled = None, ""
    try:
        if params.checkpoint.strip():
            checkpoint = opened(params.checkpoint)
            tensor = shown_tensor(checkpoint)
            sample, sampled = sample_of(tensor, SAMPLE_ELEMENTS), tensor.name
    except TilescopeError as error:
        problem, blames = error.sentence, "checkpoint"
    if sample is None:
        sample, sampled = drawn(params, SAMPLE_ELEMENTS), params.distribution
    how = Quantization(params.formats, params.block_size, params.nested)
    piece = piece_of(sample[: len(sample) - len(sample) % params.block_size or len(sample)], params.block_size)
    ascending = sort(piece.blocks, piece.absmax)
    errors = measured(sample, how)
    return Plan(
        params=params,
        sample=sample,
        sampled=sampled,
        histogram=histogram(ascending),
        codebooks=codebooks(params.formats, ascending),
        errors=tuple(
            point(name, how, float(found.power.sum()), float(found.error.sum())) for name, found in errors.items()
        ),
        scales=nested_scales(piece.absmax, params.block_size, params.nested_block),
        memory=memory(params),
        sample_errors=errors,
        checkpoint=checkpoint,
        problem=problem,
        blames=blames,
    )


def check(params: QuantizationParams) -> None:
    """Raises InvalidParams for a checkpoint, a model folder or a text that cannot be read, and for a report that cannot
    be written."""
    if params.report.strip():
        check_report_path(params.report)
    if params.checkpoint.strip():
        shown_tensor(opened(params.checkpoint))
    if params.outputs and params.model.strip():
        folder = expanded(params.model, "model")
        if not os.path.isdir(folder):  # Path's own raises for a name that is too long
            raise InvalidParams(f"There is no folder {folder}: give a local Hugging Face model folder.", "model")
        if not params.text_file.strip():
            raise InvalidParams(
                "The perplexity of a model folder needs a text: name a UTF-8 file in text_file.", "text_file"
            )
        text = expanded(params.text_file, "text_file")
        if not os.path.isfile(text):
            raise InvalidParams(f"There is no file {text}: give a UTF-8 text file.", "text_file")


def opened(path: str) -> Checkpoint:
    """The checkpoint at `path`; headers are read again only when a file has changed. Raises InvalidParams."""
    given = expanded(path, "checkpoint")
    found = _opened(given, _stamp(given))
    if any(_stamp(shard.path) != (shard.mtime_ns, shard.size) for shard in found.shards):
        _opened.cache_clear()  # the index or folder is as it was, and a shard is not
        found = _opened(given, _stamp(given))
    return found


def shown_tensor(checkpoint: Checkpoint) -> StoredTensor:
    """The tensor whose weights stand for all before a run: the first of the largest matrices of the layers; without
    one of the largest matrices, or of all. Raises InvalidParams where nothing can be measured."""
    measured = checkpoint.measured
    if not measured:
        raise InvalidParams(
            f"{checkpoint.path} holds no weights that can be measured: {checkpoint.skipped[0].name} is "
            f"left out, as {checkpoint.skipped[0].skipped}.",
            "checkpoint",
        )
    # A layer's weights rather than the embedding or the head, which are larger and not what is quantized.
    return max(
        measured, key=lambda tensor: (_is_matrix(tensor) and _in_layer(tensor), _is_matrix(tensor), tensor.elements)
    )


def memory(params: QuantizationParams) -> tuple[MemoryOfModel, ...]:
    """The preset in bf16 (format None) and in each format of the params."""
    preset = PRESETS[params.model_preset]
    found = [MemoryOfModel(preset.name, None, 16.0, weight_bytes(preset, 16))]
    for name in params.formats:
        bits = FORMATS[name].bits_per_parameter(params.block_size, params.nested)
        found.append(MemoryOfModel(preset.name, name, bits, weight_bytes(preset, bits)))
    return tuple(found)


def _is_matrix(tensor: StoredTensor) -> bool:
    return len(tensor.shape) == 2


def _in_layer(tensor: StoredTensor) -> bool:
    return layer_and_kind(tensor.name)[0] != NO_LAYER


def _stamp(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=4)
def _opened(path: Path, stamp: tuple[int, int]) -> Checkpoint:
    return open_checkpoint(path, "checkpoint")


@lru_cache(maxsize=8)
def _swept(sample: bytes, formats: tuple[FormatId, ...], nested: int) -> tuple[Point, ...]:
    return sweep([np.frombuffer(sample, dtype=np.float32)], formats, nested)
