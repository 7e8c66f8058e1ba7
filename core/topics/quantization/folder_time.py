"""About how long the perplexity of a model folder takes, before it is measured. Modelled; no torch.

A token costs two floating-point operations per parameter that it passes (of experts only those that it visits), and
each format quantizes the weights once. The rates are those of a matrix product and of NF4 in numpy, measured on this
machine. Attention over earlier tokens and the gathering of tokens for experts come on top.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from core.checkpoint.coding import restored_weights
from core.contracts.errors import TilescopeError
from core.contracts.result import Message
from core.contracts.text import EMPTY, Text, tr
from core.files import stamp
from core.format import quantity
from core.language_model.folder_files import inspect
from core.model_configs.parameters import parameters
from core.model_configs.reading import read_model
from core.paths import expanded
from core.topics.quantization.params import QuantizationParams
from kernels.quantization.formats import FormatId

_SIDE, _WEIGHTS, _REPEATS = 512, 1 << 18, 3


def remarks(params: QuantizationParams) -> tuple[Message, ...]:
    """The time of the model folder, if one is measured."""
    text = folder_time(params)
    return (Message("notice", text),) if text else ()


@lru_cache(maxsize=4)
def _sizes(folder: Path, stamp: tuple[int, int]) -> tuple[int, int]:
    """The parameters stored in a folder, and those that a token passes. Raises InvalidParams."""
    stored = inspect(folder, "model").parameters
    return stored, _active(folder, stored)


def folder_time(params: QuantizationParams) -> Text:
    """A sentence with the time; empty without a model folder, or for one that cannot be read."""
    if not (params.outputs and params.model.strip()):
        return EMPTY
    try:
        folder = expanded(params.model, "model")
        stored, active = _sizes(folder, stamp(folder))
    except TilescopeError:
        return EMPTY  # a run refuses it, with the reason
    formats = len(params.formats)
    reading = 2 * active * params.text_tokens * (formats + 1) / _flops_per_s()
    quantizing = stored * formats / _weights_per_s()
    return tr(
        "The model folder has {stored:,} parameters, of which a token passes {active:,}. To quantize them in {formats} "
        "formats and read {tokens:,} tokens {passes} times takes about {time} here, longer where few tokens meet an "
        "expert (modelled).",
        stored=stored,
        active=active,
        formats=formats,
        tokens=params.text_tokens,
        passes=formats + 1,
        time=quantity(reading + quantizing, "s", 2),
    )


def _active(folder: Path, stored: int) -> int:
    """The parameters that a token passes; all of them for an architecture that is not known."""
    try:
        return min(stored, parameters(read_model(folder, "model")).active)
    except TilescopeError:
        return stored


@cache
def _flops_per_s() -> float:
    matrix = np.ones((_SIDE, _SIDE), np.float32)
    return 2 * _SIDE**3 / _fastest(lambda: matrix @ matrix)


@cache
def _weights_per_s() -> float:
    weights = np.linspace(-1, 1, _WEIGHTS, dtype=np.float32)
    return _WEIGHTS / _fastest(lambda: restored_weights(weights, FormatId.NF4, 64, 0))


def _fastest(work: Callable[[], object]) -> float:
    """The least seconds of a few calls: whatever else runs here only adds to them."""
    seconds = []
    for _ in range(_REPEATS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)
