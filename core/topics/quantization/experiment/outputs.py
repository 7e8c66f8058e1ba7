"""Measures what quantized linear layers do to a model's outputs: its loss, with each format in turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import torch

from core.contracts.errors import InvalidParams
from core.contracts.result import Metric, Provenance, number_or_none
from core.contracts.text import Text, as_text, listed, tr
from core.engine.phases import in_parts
from core.engine.steps import ProgressCallback
from core.hardware.host import host_facts
from core.language_model.evaluation import TextLoss, windows_loss
from core.language_model.folder import open_folder
from core.language_model.model_config import STANDARD
from core.language_model.small_model import SmallModel, small_model
from core.language_model.torch_state import torch_threads
from core.language_model.windows import LENGTH, file_windows, held_out_windows
from core.topics.quantization.experiment.restoring import quantizable_weights, quantized
from core.topics.quantization.folder_time import folder_time
from core.topics.quantization.labels import FORMAT_LABELS, SMALL_MODEL, model_label
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import REFERENCE, LossDifference, OutputLoss
from kernels.quantization.formats import FORMATS, FormatId

_FOLDER_LENGTH = 256
_SMALL_PARAMETERS = 1 << 25
_BATCH_WINDOWS = 16
SMALL_TOKENS = 1 << 16
"""How many tokens the small model reads: enough to tell NF4 from INT4."""

_MIN_TOKENS_PER_DOCUMENT = 24
_BACKUP_BYTES = 4  # of a weight that is restored later, if no smaller type holds it exactly


@dataclass(frozen=True)
class Losses:
    """The losses of one model: unquantized and in each format, and the difference of every two on the same windows."""

    outputs: tuple[OutputLoss, ...]
    pairs: tuple[LossDifference, ...]


def small_model_losses(params: QuantizationParams, progress: ProgressCallback) -> tuple[Losses, Text]:
    """The losses of the small trained model on held-out paragraphs; and its notice, empty if there is none."""
    trained = small_model(STANDARD, lambda done, total, what: progress(done, 2 * total, what))
    assert trained.world is not None
    documents = SMALL_TOKENS // _MIN_TOKENS_PER_DOCUMENT + 1
    windows = held_out_windows(trained.world, trained.tokenizer, documents)[: SMALL_TOKENS // LENGTH]
    losses = _losses(SMALL_MODEL, trained, lambda: windows, params, _second_half(progress))
    return losses, as_text(trained.notice)


def folder_losses(params: QuantizationParams, progress: ProgressCallback) -> Losses:
    """The losses of the user's model folder on their text. Raises InvalidParams if either cannot be read."""
    progress(0, 1, folder_time(params))  # before the weights are read
    loaded = open_folder(params.model.strip(), field="model")
    _check_memory(loaded)
    longest = int(getattr(loaded.model.config, "max_position_embeddings", 0) or _FOLDER_LENGTH)
    length = min(_FOLDER_LENGTH, max(1, longest - 1))

    def windows() -> Iterator[torch.Tensor]:
        return file_windows(params.text_file.strip(), loaded.tokenizer, length, params.text_tokens, "text_file")

    return _losses(loaded.name, loaded, windows, params, progress)


def output_metrics(rows: Iterable[OutputLoss]) -> dict[str, Metric]:
    """'outputs.*' of the small model and 'folder.*' of the user's folder."""
    metrics = {}
    for row in rows:
        name = row.format or "reference"
        notes = [
            tr(
                "{tokens:,} tokens, {layers} linear layers and {experts:,} matrices of experts quantized, computed in "
                "float32",
                tokens=row.tokens,
                layers=row.quantized_layers,
                experts=row.quantized_experts,
            )
            if row.quantized_experts
            else tr(
                "{tokens:,} tokens, {layers} linear layers quantized, computed in float32",
                tokens=row.tokens,
                layers=row.quantized_layers,
            )
        ]
        if row.loss_stderr is not None:
            notes.append(tr("standard error of the loss {stderr:.2g} nats", stderr=row.loss_stderr))
        if row.increase_stderr is not None:
            notes.append(tr("standard error of its increase {stderr:.2g} nats", stderr=row.increase_stderr))
        note = listed(notes)
        if row.model == SMALL_MODEL:
            metrics[f"outputs.{name}.loss"] = Metric(_or_nan(row.loss), "nats", Provenance.MEASURED_CPU, note)
        else:
            value = _or_nan(row.perplexity)
            metrics[f"folder.{name}.perplexity"] = Metric(value, "", Provenance.MEASURED_CPU, note)
    return metrics


def _losses(
    name: str,
    loaded: SmallModel,
    windows: Callable[[], Iterable[torch.Tensor]],
    params: QuantizationParams,
    progress: ProgressCallback,
) -> Losses:
    weights = quantizable_weights(loaded.model)
    formats: tuple[FormatId | None, ...] = (None, *params.formats)
    in_turn = in_parts(progress, len(formats))
    losses: dict[str, TextLoss] = {}
    # In a small model threads wait for each other longer than they compute, on a busy machine twenty times as long.
    with torch_threads(1 if loaded.parameters < _SMALL_PARAMETERS else None):
        for format_id in formats:
            report = partial(_report, in_turn, _phase(name, format_id))
            losses[REFERENCE if format_id is None else format_id.value] = _loss(
                loaded, weights, format_id, windows(), params, report
            )
    vocabulary = int(loaded.model.config.vocab_size)
    return Losses(
        tuple(_row(name, format_name, losses, weights, vocabulary, params) for format_name in losses),
        tuple(_pair(name, first, second, losses) for first, second in combinations(losses, 2)),
    )


def _phase(model: str, format_id: FormatId | None) -> Text:
    if format_id is None:
        return tr("loss of {model}, unquantized", model=model_label(model))
    return tr("loss of {model} in {format}", model=model_label(model), format=FORMAT_LABELS[format_id])


def _report(progress: ProgressCallback, phase: Text, done: float, total: float) -> None:
    progress(done, total, phase)


def _loss(
    loaded: SmallModel,
    weights: Mapping[str, torch.Tensor],
    format_id: FormatId | None,
    windows: Iterable[torch.Tensor],
    params: QuantizationParams,
    report: Callable[[float, float], None],
) -> TextLoss:
    """A fifth of the progress is for quantizing, the rest for windows, whose number is not known beforehand."""
    changed = (
        nullcontext()
        if format_id is None
        else quantized(
            weights,
            format_id,
            params.block_size,
            params.nested,
            lambda done, total: report(0.2 * done / total, 1),
        )
    )
    batch_windows = _BATCH_WINDOWS if loaded.parameters < _SMALL_PARAMETERS else 1
    with changed:
        return windows_loss(
            loaded.model, windows, lambda done, total, _: report(1 - 0.8 / (1 + done / 32), 1), batch_size=batch_windows
        )


def _check_memory(loaded: SmallModel) -> None:
    """Raises InvalidParams if a copy of what is quantized does not fit into memory beside the model."""
    quantized_elements = sum(weight.numel() for weight in quantizable_weights(loaded.model).values())
    if not quantized_elements:
        text = tr(
            "The model in {folder} has no linear layers to quantize: give another model.", folder=str(loaded.folder)
        )
        raise InvalidParams(text, "model")
    needed, free = quantized_elements * _BACKUP_BYTES, host_facts().available_memory_bytes
    if needed > free:
        raise InvalidParams(
            tr(
                "To restore the weights of the model in {folder} after each format, {needed:.1f} GiB of memory are "
                "needed, and {free:.1f} GiB are free: use a smaller model.",
                folder=str(loaded.folder),
                needed=needed / 2**30,
                free=free / 2**30,
            ),
            "model",
        )


def _row(
    model: str,
    name: str,
    losses: Mapping[str, TextLoss],
    weights: Mapping[str, torch.Tensor],
    vocabulary: int,
    params: QuantizationParams,
) -> OutputLoss:
    experts = [weight for weight in weights.values() if weight.ndim > 2]
    loss, format_ = losses[name], FORMATS[FormatId(name)] if name else None
    increase, error = loss.minus(losses[REFERENCE])
    return OutputLoss(
        model=model,
        format=name,
        loss=number_or_none(loss.loss),
        loss_stderr=number_or_none(loss.standard_error),
        perplexity=number_or_none(loss.perplexity),
        loss_increase=number_or_none(increase),
        increase_stderr=number_or_none(error),
        tokens=loss.tokens,
        quantized_layers=len(weights) - len(experts) if format_ else 0,
        quantized_experts=sum(map(len, experts)) if format_ else 0,
        bits_per_parameter=format_.bits_per_parameter(params.block_size, params.nested) if format_ else 32.0,
        vocabulary=vocabulary,
    )


def _pair(model: str, first: str, second: str, losses: Mapping[str, TextLoss]) -> LossDifference:
    difference, error = losses[first].minus(losses[second])
    return LossDifference(model, first, second, number_or_none(difference), number_or_none(error))


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _second_half(progress: ProgressCallback) -> ProgressCallback:
    return lambda done, total, what: progress(total + done, 2 * total, what)
