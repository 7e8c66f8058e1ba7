"""What quantized linear layers do to what a model says: its loss, with each format in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from core.checkpoint.coding import restored_weights
from core.engine.phases import in_parts
from core.engine.steps import Tick
from core.language_model.evaluation import TextLoss, windows_loss
from core.language_model.folder import open_folder
from core.language_model.model import linear_names
from core.language_model.quiet import torch_threads
from core.language_model.recipe import STANDARD
from core.language_model.small_model import SmallModel, small_model
from core.language_model.windows import file_windows, held_out_windows
from core.result import Metric, Provenance, Row
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.payload import REFERENCE
from kernels.quantization.formats import FORMATS, FormatId

SMALL_MODEL = "small model"
_MOST_WINDOWS = 128
_FOLDER_LENGTH = 256
_MOST_FOLDER_TOKENS = 16_384


def small_model_rows(params: QuantizationParams, tick: Tick) -> tuple[list[Row], str]:
    """'outputs' of the small trained model on paragraphs that it did not read; and its notice, '' without one."""
    trained = small_model(STANDARD, lambda done, total, what: tick(done, 2 * total, what))
    assert trained.world is not None
    windows = held_out_windows(trained.world, trained.tokenizer)[:_MOST_WINDOWS]
    rows = _rows(SMALL_MODEL, trained, lambda: windows, params, _second_half(tick))
    return rows, trained.notice


def folder_rows(params: QuantizationParams, tick: Tick) -> list[Row]:
    """'outputs' of the person's model folder on their text. Raises InvalidParams for what cannot be opened or read."""
    opened = open_folder(params.model.strip(), field="model")
    longest = int(getattr(opened.model.config, "max_position_embeddings", 0) or _FOLDER_LENGTH)
    length = min(_FOLDER_LENGTH, max(1, longest - 1))

    def windows() -> Iterator[torch.Tensor]:
        return file_windows(params.text_file.strip(), opened.tokenizer, length, _MOST_FOLDER_TOKENS, "text_file")

    return _rows(opened.name, opened, windows, params, tick)


def output_metrics(rows: Iterable[Row]) -> dict[str, Metric]:
    """'outputs.*' of the small model and 'folder.*' of the person's own."""
    metrics = {}
    for row in rows:
        name = row["format"] or "reference"
        note = f"{row['tokens']:,} tokens, {row['quantized_layers']} linear layers, computed in float32"
        if row["model"] == SMALL_MODEL:
            metrics[f"outputs.{name}.loss"] = Metric(row["loss"], "nats", Provenance.MEASURED_CPU, note)
        else:
            metrics[f"folder.{name}.perplexity"] = Metric(row["perplexity"], "", Provenance.MEASURED_CPU, note)
    return metrics


def _rows(
    name: str,
    opened: SmallModel,
    windows: Callable[[], Iterable[torch.Tensor]],
    params: QuantizationParams,
    tick: Tick,
) -> list[Row]:
    names = linear_names(opened.model)
    formats: tuple[FormatId | None, ...] = (None, *params.formats)
    in_turn = in_parts(tick, len(formats))
    rows: list[Row] = []
    with torch_threads():
        for format_id in formats:
            what = "as it is" if format_id is None else FORMATS[format_id].label

            def tell(done: float, total: float, _: str, what: str = what) -> None:
                in_turn(done, max(total, done), f"loss of the {name}, {what}")

            with quantized(opened.model, names, format_id, params.block_size, params.nested):
                found = windows_loss(opened.model, windows(), tell)
            rows.append(_row(name, format_id, found, len(names), params, rows[0] if rows else None))
    return rows


@contextmanager
def quantized(model: Any, names: Iterable[str], format_id: FormatId | None, block: int, nested: int) -> Iterator[None]:
    """Inside, the named linear layers have the weights that the format gives back; afterwards their own again."""
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    try:
        for name in names if format_id is not None else ():
            weight = model.get_submodule(name).weight.data
            kept.append((weight, weight.clone()))
            assert format_id is not None
            restored = restored_weights(weight.float().flatten().numpy(), format_id, block, nested)
            weight.copy_(torch.from_numpy(restored).view(weight.shape))
        yield
    finally:
        for weight, own in kept:
            weight.copy_(own)


def _row(
    model: str, format_id: FormatId | None, found: TextLoss, layers: int, params: QuantizationParams, first: Row | None
) -> Row:
    bits = 32.0 if format_id is None else FORMATS[format_id].bits_per_parameter(params.block_size, params.nested)
    return {
        "model": model,
        "format": REFERENCE if format_id is None else format_id.value,
        "loss": found.loss,
        "perplexity": found.perplexity,
        "loss_increase": 0.0 if first is None else found.loss - first["loss"],
        "tokens": found.tokens,
        "quantized_layers": 0 if format_id is None else layers,
        "bits_per_parameter": bits,
    }


def _second_half(tick: Tick) -> Tick:
    return lambda done, total, what: tick(total + done, 2 * total, what)


__all__ = ["SMALL_MODEL", "folder_rows", "output_metrics", "quantized", "small_model_rows"]
