"""The columns of a checkpoint's report: what each is called, how its values are written and what they sort by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

from core.checkpoint.report import LayerTotals, SkippedTensor, TensorErrors
from core.format import format_quantity
from gui.widgets.record_model import Column, Filter

Row = TensorErrors | LayerTotals | SkippedTensor

_DIGITS = re.compile(r"\d+")
_LAYER = re.compile(r"layer\s*(\d+)")
_NAMES = ("tensor", "worst_tensor", "why")


@lru_cache(maxsize=1 << 17)
def natural(text: str) -> str:
    """Sorts 'layers.2' before 'layers.10'."""
    return _DIGITS.sub(lambda digits: digits.group().zfill(8), text.lower())


def matching(text: str) -> Filter[Row] | None:
    """The rows that `text` asks for: 'layer 3' that layer's, anything else those whose names contain it."""
    wanted = " ".join(text.lower().split())
    if not wanted:
        return None
    layer = _LAYER.fullmatch(wanted)
    if layer:
        number = int(layer.group(1))
        return lambda row: getattr(row, "layer", None) == number
    return lambda row: any(wanted in getattr(row, name, "").lower() for name in _NAMES)


def _bytes(value: float) -> str:
    return format_quantity(value, "bytes")


def _layer(value: int) -> str:
    return "—" if value < 0 else str(value)


def _count(value: float) -> str:
    return f"{value:,}"


def _shape(value: str) -> str:
    return value.replace(" x ", " × ")


def _number(
    name: str, title: str, help: str, write: Callable[[Any], str], sample: str, unit: str = "", **more: Any
) -> Column[Row]:
    return Column(name, title, help, attrgetter(name), write, unit, sample=sample, **more)


def _text(name: str, title: str, help: str, write: Callable[[Any], str] = str, **more: Any) -> Column[Row]:
    return Column(name, title, help, attrgetter(name), write, number=False, mono=True, **more)


def _name(name: str, title: str, help: str) -> Column[Row]:
    """A tensor's name: what tells names apart is at their end."""
    return _text(name, title, help, order=lambda row: natural(getattr(row, name)), elide_left=True)


def _nonfinite_tone(row: Any) -> str:
    return "bad" if row.nonfinite else ""


_TENSOR = _name("tensor", "Tensor", "Name")
_LAYER_NUMBER = _number("layer", "Layer", "Layer, — for what is in none", _layer, "000")
_SHAPE = _text("shape", "Shape", "Shape", _shape)
_DTYPE = _text("dtype", "Type", "Type in the file")
_STORED = _number("bytes", "Stored", "Bytes in the checkpoint", _bytes, "33.6 MB", "B")
_SIZES = (_STORED, _number("quantized_bytes", "Quantized", "Bytes of codes and scales", _bytes, "33.6 MB", "B"))
_NONFINITE = _number("nonfinite", "NaN or inf", "Weights left out of every error", _count, "000", tone=_nonfinite_tone)
_quantity = partial(_number, write=format_quantity)
_ERRORS = (
    _quantity("snr_db", "SNR (dB)", "Signal over quantization noise", sample="-00.0", unit="dB", bar=True),
    _quantity("relative_rmse", "Rel. RMSE", "Error over weights, root mean square", sample="1.23e-04"),
    _quantity("max_abs_error", "Max |error|", "Largest error of a weight", sample="1.23e-04"),
    _quantity("bits_per_parameter", "Bits/param", "Codes and scales per parameter", sample="4.13", unit="bits"),
)
_WEIGHTS = (
    _quantity("kurtosis", "Kurtosis", "3 for a normal distribution", sample="1,234"),
    _quantity("max_over_sigma", "Max / σ", "The largest weight over the standard deviation", sample="12.3", unit="σ"),
    _NONFINITE,
)

SKIPPED_COLUMNS: tuple[Column[Row], ...] = (
    _TENSOR,
    _text("why", "Why", "Why it was not measured"),
    _DTYPE,
    replace(_SHAPE, order=attrgetter("bytes")),
    _STORED,
)


def _format(labels: Mapping[str, str]) -> Column[Row]:
    return _text("format", "Format", "Format", lambda name: labels.get(name, name))


def tensor_columns(labels: Mapping[str, str]) -> tuple[Column[Row], ...]:
    """One row per tensor and format. `labels`: formats by id."""
    kind, shape = (
        _text("kind", "Kind", "What the tensor does in its layer"),
        replace(_SHAPE, order=attrgetter("elements")),
    )
    return (_TENSOR, _format(labels), *_ERRORS, *_SIZES, *_WEIGHTS, _LAYER_NUMBER, kind, shape, _DTYPE)


def layer_columns(labels: Mapping[str, str]) -> tuple[Column[Row], ...]:
    """One row per layer and format."""
    tensors = _number("tensors", "Tensors", "Tensors of the layer", _count, "0,000")
    worst = _name("worst_tensor", "Worst tensor", "The one of the lowest SNR")
    return (_LAYER_NUMBER, _format(labels), *_ERRORS, tensors, *_SIZES, _NONFINITE, worst)
