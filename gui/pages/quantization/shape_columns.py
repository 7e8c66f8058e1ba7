"""The columns of shapes and of experts: straddling blocks, errors by row and by column, and errors by expert."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from core.checkpoint.shapes import SHAPE_LABELS
from core.contracts.text import Text, tr
from core.format import format_quantity
from gui.pages.quantization.report_columns import (
    ERRORS,
    LAYER_NUMBER,
    SHAPE,
    TENSOR,
    Column,
    Row,
    format_column,
    number_column,
    text_column,
    write_count,
)

_SNR, _, _RELATIVE, *_ = ERRORS


def _place(value: int) -> str:
    return "—" if value < 0 else f"{value:,}"


def _decibels(name: str, title: Text, help: Text) -> Column[Row]:
    return number_column(name, title, help, format_quantity, "-00.0", "dB")


def _ratio(name: str, title: Text, help: Text) -> Column[Row]:
    return number_column(name, title, help, format_quantity, "1.23e-04")


def _bits(name: str, title: Text, help: Text) -> Column[Row]:
    return number_column(name, title, help, format_quantity, "4.13", "bits")


def _sampled(name: str) -> Column[Row]:
    about = tr("Errors are of so many weights: the first rows of the tensor, or of each expert")
    return number_column(name, tr("Measured weights"), about, write_count, "0,000,000")


def shape_columns(labels: Mapping[str, Text]) -> tuple[Column[Row], ...]:
    """The columns for one row per tensor. `labels` are the names of the formats, by id."""
    return (
        TENSOR,
        format_column(labels),
        text_column("kind", tr("Kind"), tr("What the shape holds"), lambda kind: str(SHAPE_LABELS[kind])),
        SHAPE,
        number_column(
            "blocks_over_rows", tr("Over rows"), tr("Blocks that hold weights of two rows"), write_count, "0,000"
        ),
        number_column(
            "blocks_over_experts", tr("Over experts"), tr("Blocks that hold weights of two experts"), write_count, "000"
        ),
        _decibels("snr_db", tr("SNR (dB)"), tr("Signal-to-noise ratio with blocks as they are stored")),
        _decibels("aligned_snr_db", tr("Aligned (dB)"), tr("Signal-to-noise ratio if each row begins a block")),
        _decibels(
            "columns_snr_db", tr("Along columns (dB)"), tr("Signal-to-noise ratio with blocks along the columns")
        ),
        _bits("bits_per_parameter", tr("Bits/param"), tr("Bits of codes and scales per parameter")),
        _bits("aligned_bits_per_parameter", tr("Aligned bits"), tr("Bits per parameter if each row begins a block")),
        _ratio("median_row_rmse", tr("Median row"), tr("Relative RMSE of the median row")),
        _ratio("worst_row_rmse", tr("Worst row"), tr("Largest relative RMSE of a row")),
        _ratio(
            "aligned_worst_row_rmse",
            tr("Worst row, aligned"),
            tr("Largest relative RMSE of a row if each row begins a block"),
        ),
        _ratio("median_column_rmse", tr("Median column"), tr("Relative RMSE of the median column")),
        _ratio("worst_column_rmse", tr("Worst column"), tr("Largest relative RMSE of a column")),
        number_column(
            "outlier_power",
            tr("Outlier channel"),
            tr("Power of the column with the most over that of the median column"),
            format_quantity,
            "1,234",
        ),
        number_column("outlier_column", tr("Its column"), tr("The column with the most power"), _place, "0,000"),
        number_column("blocks", tr("Blocks"), tr("Blocks of the tensor"), write_count, "000,000"),
        _sampled("sampled"),
    )


def expert_columns(labels: Mapping[str, Text]) -> tuple[Column[Row], ...]:
    """The columns for one row per expert of a tensor that holds many."""
    return (
        TENSOR,
        format_column(labels),
        number_column("expert", tr("Expert"), tr("Number of the expert in its tensor"), str, "000"),
        _SNR,
        _RELATIVE,
        LAYER_NUMBER,
        _sampled("elements"),
    )


BY_EXPERT = attrgetter("tensor", "expert")
