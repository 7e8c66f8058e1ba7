"""The columns of a quantized file and of types of GGUF beside the original weights."""

from __future__ import annotations

from dataclasses import replace

from core.checkpoint.quantized.storage import storage_label
from core.checkpoint.versions import FILE
from core.contracts.text import tr
from core.format import format_quantity
from gui.pages.quantization.report_columns import (
    ERRORS,
    LOST,
    TENSOR,
    Column,
    Row,
    name_column,
    number_column,
    text_column,
    write_count,
)


def _source(value: str) -> str:
    return str(tr("the file") if value == FILE else tr("made here"))


def _format(value: str) -> str:
    return str(storage_label(value)) if value else str(tr("all of the file"))


def _is_rearranged(value: bool) -> str:
    return str(tr("yes") if value else tr("no"))


_SNR, _, _RELATIVE, _LARGEST, _ = ERRORS
_FORMAT = text_column("format", tr("Format"), tr("Format of the file, or type of GGUF"), _format)
_SOURCE = text_column(
    "source", tr("From"), tr("Read from the quantized file, or made here from the weights by the package gguf"), _source
)
_BITS = number_column(
    "bits_per_weight", tr("Bits/weight"), tr("Bits of codes and scales per weight"), format_quantity, "16.5", "bits"
)
_FIGURES = (_SNR, _BITS, _RELATIVE, _LARGEST)
_LOST = replace(LOST, help=tr("Weights that are NaN or inf in the checkpoint or come back as such"))

VERSION_TOTAL_COLUMNS: tuple[Column[Row], ...] = (
    _FORMAT,
    _SOURCE,
    *_FIGURES,
    number_column("tensors", tr("Tensors"), tr("Number of weight matrices"), write_count, "0,000"),
    number_column("elements", tr("Weights"), tr("Number of weights"), write_count, "00,000,000"),
    _LOST,
    name_column("worst_tensor", tr("Worst tensor"), tr("Tensor with the lowest SNR")),
)

VERSION_COLUMNS: tuple[Column[Row], ...] = (
    TENSOR,
    _FORMAT,
    _SOURCE,
    *_FIGURES,
    text_column("why", tr("Reason"), tr("Why the tensor was not compared")),
    name_column("other", tr("In the file"), tr("Name of the tensor in the quantized file")),
    _LOST,
    text_column(
        "rearranged",
        tr("Reordered"),
        tr("Whether the rows of a head were brought back into the order of the original"),
        _is_rearranged,
    ),
)
