"""The columns of a checkpoint's report: their titles, how values are written, and what they sort by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any

from core.checkpoint.quantized.storage import StorageRow, storage_label
from core.checkpoint.report import SkippedTensor, TensorErrors, Totals
from core.checkpoint.roles import ROLE_LABELS
from core.checkpoint.shape_errors import ExpertErrors, ShapeErrors
from core.checkpoint.versions import VersionErrors, VersionTotals
from core.contracts.text import Text, tr
from core.format import format_quantity
from core.topics.quantization.labels import DRAWN_TENSOR, source_label
from gui.widgets.record_model import Column, Filter

Row = TensorErrors | Totals | SkippedTensor | StorageRow | VersionErrors | VersionTotals | ShapeErrors | ExpertErrors

_DIGITS = re.compile(r"\d+")
_LAYER = re.compile(r"(?:layer|第)\s*(\d+)\s*层?")
_NAMES = ("tensor", "worst_tensor", "why", "other")


@lru_cache(maxsize=1 << 17)
def natural(text: str) -> str:
    """Sorts 'layers.2' before 'layers.10'."""
    return _DIGITS.sub(lambda digits: digits.group().zfill(8), text.lower())


def matching(text: str) -> Filter[Row] | None:
    """The filter of a text: 'layer 3' lets the rows of that layer through, other texts the rows whose names contain
    them."""
    needle = " ".join(text.lower().split())
    if not needle:
        return None
    layer = _LAYER.fullmatch(needle)
    if layer:
        number = int(layer.group(1))
        return lambda row: getattr(row, "layer", None) == number
    return lambda row: any(needle in str(getattr(row, name, "")).lower() for name in _NAMES)


def _bytes(value: float) -> str:
    return format_quantity(value, "bytes")


def _share(value: float) -> str:
    return format_quantity(100 * value, "%")


def _layer(value: int) -> str:
    return "—" if value < 0 else str(value)


def write_count(value: float) -> str:
    return f"{value:,}"


def _shape(value: str) -> str:
    return str(tr("scalar")) if value == "scalar" else value.replace(" x ", " × ")


def _source(value: str) -> str:
    # A report has thousands of tensor names, and only that of drawn weights is a word.
    return str(source_label(value)) if value == DRAWN_TENSOR else value


def number_column(
    name: str, title: Text, help: Text, write: Callable[[Any], str], sample: str, unit: str = "", **more: Any
) -> Column[Row]:
    return Column(name, title, help, attrgetter(name), write, unit, sample=sample, **more)


def text_column(name: str, title: Text, help: Text, write: Callable[[Any], str] = str, **more: Any) -> Column[Row]:
    return Column(name, title, help, attrgetter(name), write, number=False, mono=True, **more)


def name_column(name: str, title: Text, help: Text) -> Column[Row]:
    """The name of a tensor. Long names lose their beginning, since they differ at the end."""
    return text_column(name, title, help, _source, order=lambda row: natural(getattr(row, name)), elide_left=True)


def _nonfinite_tone(row: Any) -> str:
    return "bad" if row.nonfinite else ""


def _lost_tone(row: Any) -> str:
    return "bad" if row.lost else ""


def _role(value: str) -> str:
    return str(ROLE_LABELS[value]) if value else "—"


TENSOR = name_column("tensor", tr("Tensor"), tr("Name of the tensor"))
LAYER_NUMBER = number_column("layer", tr("Layer"), tr("Layer; — outside of the layers"), _layer, "000")
SHAPE = text_column("shape", tr("Shape"), tr("Shape of the tensor"), _shape)
_DTYPE = text_column("dtype", tr("Type"), tr("Data type in the checkpoint"))
_STORED = number_column("bytes", tr("Stored"), tr("Size in the checkpoint"), _bytes, "33.6 MB", "B")
_SIZES = (
    _STORED,
    number_column("quantized_bytes", tr("Quantized"), tr("Size of codes and scales"), _bytes, "33.6 MB", "B"),
)
_NONFINITE = number_column(
    "nonfinite", tr("NaN or inf"), tr("NaN or inf weights in the checkpoint"), write_count, "000", tone=_nonfinite_tone
)
LOST = number_column(
    "lost",
    tr("Lost"),
    tr("Weights that come back as NaN: the blocks of NaN and inf weights, or their tensor"),
    write_count,
    "0,000",
    tone=_lost_tone,
)
_quantity = partial(number_column, write=format_quantity)
ERRORS = (
    _quantity("snr_db", tr("SNR (dB)"), tr("Signal-to-noise ratio"), sample="-00.0", unit="dB", bar=True),
    _quantity(
        "block_snr_db",
        tr("Median block"),
        tr("SNR of the median block, which no single weight can improve: the worst tensors come first by it"),
        sample="-00.0",
        unit="dB",
    ),
    _quantity(
        "relative_rmse", tr("Rel. RMSE"), tr("Root mean square of errors over that of weights"), sample="1.23e-04"
    ),
    _quantity("max_abs_error", tr("Max |error|"), tr("Largest error of a weight"), sample="1.23e-04"),
    _quantity(
        "bits_per_parameter", tr("Bits/param"), tr("Bits of codes and scales per parameter"), sample="4.13", unit="bits"
    ),
)
_WEIGHTS = (
    _quantity("kurtosis", tr("Kurtosis"), tr("Kurtosis of the weights; 3 for a normal distribution"), sample="1,234"),
    _quantity(
        "max_over_sigma",
        tr("Max / σ"),
        tr("Largest weight over the standard deviation"),
        sample="12.3",
        unit="σ",
    ),
    _NONFINITE,
    LOST,
)
_ROLE = text_column("role", tr("Role"), tr("What the tensor does: only weight matrices count in the totals"), _role)

SKIPPED_COLUMNS: tuple[Column[Row], ...] = (
    TENSOR,
    text_column("why", tr("Reason"), tr("Why the tensor was not measured")),
    _DTYPE,
    replace(SHAPE, order=attrgetter("bytes")),
    _STORED,
)


STORAGE_COLUMNS: tuple[Column[Row], ...] = (
    text_column(
        "format", tr("Stored as"), tr("Format or data type in the checkpoint"), lambda name: str(storage_label(name))
    ),
    number_column("share", tr("Share"), tr("Share of the bytes of all tensors"), _share, "100%", bar=True),
    replace(_STORED, title=tr("Size")),
    number_column(
        "tensors", tr("Tensors"), tr("Number of weights, each with its codes and scales"), write_count, "0,000"
    ),
    number_column("elements", tr("Weights"), tr("Number of weights"), write_count, "00,000,000"),
    number_column(
        "bits_per_weight", tr("Bits/weight"), tr("Bits of codes and scales per weight"), format_quantity, "16.5", "bits"
    ),
    number_column(
        "restorable",
        tr("Restorable"),
        tr("How many can be restored, and measured with Requantize"),
        write_count,
        "0,000",
    ),
)


def format_column(labels: Mapping[str, Text]) -> Column[Row]:
    """The format of a row. `labels` are the names of the formats, by id."""
    return text_column("format", tr("Format"), tr("Format"), lambda name: str(labels.get(name) or name))


def tensor_columns(labels: Mapping[str, Text]) -> tuple[Column[Row], ...]:
    """The columns for one row per tensor and format. `labels` are the names of the formats, by id."""
    kind = text_column("kind", tr("Kind"), tr("Role of the tensor in its layer"), _source)
    shape = replace(SHAPE, order=attrgetter("elements"))
    return (TENSOR, format_column(labels), *ERRORS, *_SIZES, *_WEIGHTS, LAYER_NUMBER, kind, _ROLE, shape, _DTYPE)


def layer_columns(labels: Mapping[str, Text]) -> tuple[Column[Row], ...]:
    """The columns for one row per layer and format."""
    return _totals_columns(LAYER_NUMBER, labels)


def role_columns(labels: Mapping[str, Text]) -> tuple[Column[Row], ...]:
    """The columns for one row per role and format."""
    return _totals_columns(_ROLE, labels)


def _totals_columns(first: Column[Row], labels: Mapping[str, Text]) -> tuple[Column[Row], ...]:
    tensors = number_column("tensors", tr("Tensors"), tr("Number of tensors"), write_count, "0,000")
    worst = name_column("worst_tensor", tr("Worst tensor"), tr("Tensor with the worst median block"))
    return (first, format_column(labels), *ERRORS, tensors, *_SIZES, _NONFINITE, LOST, worst)
