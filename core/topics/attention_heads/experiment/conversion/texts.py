"""A model to convert, with the text that tunes it and the text that measures it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.hardware.host import host_facts
from core.language_model.folder import open_folder
from core.language_model.memory_check import PARAMETER_BYTES, TRAINED_PARAMETER_BYTES
from core.language_model.model_config import STANDARD, ModelConfig
from core.language_model.pretrain import batches as pretraining_batches
from core.language_model.small_model import SmallModel, small_model
from core.language_model.text import TRAINING_TEXTS
from core.language_model.windows import document_windows, file_windows, held_out_windows
from core.language_model.world import build_world

_TRAINING_BATCHES = 64
_HELD_OUT_WINDOWS = 256
_HELD_OUT_DOCUMENTS = 600
_FOLDER_LENGTH = 256
_FOLDER_BATCH = 4
_MIN_TOKENS_PER_DOCUMENT = 16
_HELD_OUT_SHARE = 5
"""Of a file, the last of this many parts is held out."""


@dataclass(frozen=True)
class Source:
    """`held_out` and `training` are windows of token ids [length + 1]; they share no text. Tuning draws batches of
    `batch` windows."""

    model: SmallModel
    held_out: tuple[torch.Tensor, ...]
    training: tuple[torch.Tensor, ...]
    batch: int


def small_model_source(progress: ProgressCallback | None = None, config: ModelConfig = STANDARD) -> Source:
    """The small model, tuned on the text of its pretraining and measured on other paragraphs about the same facts."""
    trained = small_model(config, progress)
    assert trained.world is not None
    read = islice(pretraining_batches(config, trained.world, trained.tokenizer), _TRAINING_BATCHES)
    held_out = held_out_windows(trained.world, trained.tokenizer, _HELD_OUT_DOCUMENTS)
    return Source(
        model=trained,
        held_out=tuple(held_out[:_HELD_OUT_WINDOWS]),
        training=tuple(window for tokens in read for window in tokens),
        batch=config.batch,
    )


def folder_source(
    folder: str,
    text_file: str = "",
    max_tokens: int = 1 << 15,
    progress: ProgressCallback | None = None,
    *,
    tuned: bool = True,
    fields: tuple[str | None, str | None] = ("model", "text_file"),
) -> Source:
    """The user's model folder. The last fifth of the first `max_tokens` tokens of the text file measures it, the rest
    tunes it. Without a file, the small world's training texts tune it, and other paragraphs about it measure it.

    `fields` are the parameters that errors about the folder and about the text name. Raises InvalidParams if the folder
    cannot be opened, if the file cannot be read or is too short, or if a copy of the model does not fit into memory.
    """
    loaded = open_folder(folder, progress, fields[0])
    _check_memory(loaded.parameters * (TRAINED_PARAMETER_BYTES if tuned else PARAMETER_BYTES), fields[0])
    longest = int(getattr(loaded.model.config.get_text_config(), "max_position_embeddings", 0) or _FOLDER_LENGTH)
    length = min(_FOLDER_LENGTH, max(1, longest - 1))
    if text_file:
        read = file_windows(text_file, loaded.tokenizer, length, max_tokens, fields[1])
        windows = [window for window in read if len(window) == length + 1]
        split = len(windows) - max(1, len(windows) // _HELD_OUT_SHARE)
        training, held_out = windows[:split], windows[split:]
    else:
        world, count = build_world(), max_tokens // _MIN_TOKENS_PER_DOCUMENT
        total = max_tokens // length
        part = total // _HELD_OUT_SHARE
        held_out = held_out_windows(world, loaded.tokenizer, count, length)[:part]
        training = document_windows(world, loaded.tokenizer, TRAINING_TEXTS, count, length)[: total - part]
    if not training or not held_out:
        raise InvalidParams(
            tr(
                "{path} has too little text to tune and to measure the model: use a file with {tokens} tokens or more.",
                path=text_file,
                tokens=2 * length + 1,
            ),
            fields[1],
        )
    return Source(
        model=loaded,
        held_out=tuple(held_out),
        training=tuple(training),
        batch=_FOLDER_BATCH,
    )


def shuffled_batches(windows: Sequence[torch.Tensor], batch: int, seed: int) -> Iterator[torch.Tensor]:
    """Endless batches [batch, length + 1], shuffled anew in every epoch. The seed determines them."""
    rng = np.random.default_rng((seed, 12))
    order: list[int] = []
    while True:
        while len(order) < batch:
            order += rng.permutation(len(windows)).tolist()
        yield torch.stack([windows[index] for index in order[:batch]])
        order = order[batch:]


def in_batches(windows: Sequence[torch.Tensor], batch: int) -> list[torch.Tensor]:
    """The windows in order, as token ids [batch, length]: without the last token, which is only predicted."""
    return [torch.stack(list(windows[start : start + batch]))[:, :-1] for start in range(0, len(windows), batch)]


def _check_memory(needed: int, field: str | None) -> None:
    """Raises InvalidParams if the converted copy, with what tuning needs, does not fit into memory beside the model."""
    free = host_facts().available_memory_bytes
    if needed > free:
        raise InvalidParams(
            tr(
                "A converted copy of this model needs {needed:.1f} GiB without activations, but only {free:.1f} GiB of "
                "memory are free: use a smaller model.",
                needed=needed / 2**30,
                free=free / 2**30,
            ),
            field,
        )
