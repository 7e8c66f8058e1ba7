"""A plan or a result of quantization in the terms of the plots. Renames and regroups; computes nothing.

Where a function takes `fitting`, that is the run of the plan's parameters: what it measured comes first, and what it
has not (yet) is the plan's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from core.checkpoint.report import skipped_rows
from core.comparison import ImplResult
from core.contracts.result import Provenance
from core.format import format_quantity
from core.topics.quantization.codebooks import Codebook, Histogram
from core.topics.quantization.params import FORMATS, QuantizationParams
from core.topics.quantization.plan import Plan
from core.topics.quantization.result import QuantizationResult
from core.topics.quantization.saving import save_report
from core.topics.quantization.sweep import Point
from gui.charts.series import Series
from gui.page.state import PageState
from gui.pages.quantization.codebook_rows import LevelRow
from gui.pages.quantization.pareto import Setting
from gui.pages.quantization.report_table import ReportRows

T = TypeVar("T")
State = PageState[Plan, QuantizationResult]

LABELS: dict[str, str] = {name.value: format_.label for name, format_ in FORMATS.items()}
"""What each format is called, by id."""

COLOURS = {name.value: index for index, name in enumerate(FORMATS)}
"""The place of each format among the theme's series: the same in every picture."""


def measured(by_run: bool) -> Provenance:
    """Where numbers come from: a run on the CPU, or the plan."""
    return Provenance.MEASURED_CPU if by_run else Provenance.MODELLED


def has_report(result: QuantizationResult | None) -> bool:
    """Whether a run, which may be under way, has measured a tensor."""
    return result is not None and bool(result.totals)


def has_samples(result: QuantizationResult | None) -> bool:
    """Whether a run, which may be under way, has come to its histograms."""
    return result is not None and result.histogram is not None


def formats(plan: Plan) -> list[str]:
    """Those measured, always in the same order."""
    return sorted((name.value for name in plan.params.formats), key=COLOURS.__getitem__)


def codebook(plan: Plan, fitting: QuantizationResult | None, format_id: str) -> Codebook:
    books = plan.codebooks if fitting is None or not fitting.codebooks else fitting.codebooks
    return books[format_id]


def codebooks(plan: Plan, fitting: QuantizationResult | None) -> list[LevelRow]:
    """Every format with its SNR and its bits."""
    rows = []
    for name in formats(plan):
        book, affine = codebook(plan, fitting, name), FORMATS[name].affine
        value = f"{format_quantity(quality_of(plan, fitting, name), 'dB')} · {bits_of(plan, fitting, name):.2f}"
        levels, boundaries = book.levels, book.boundaries
        rows.append(LevelRow(name, LABELS[name], levels, boundaries, book.won, COLOURS[name], value, affine=affine))
    return rows


def histogram(plan: Plan, fitting: QuantizationResult | None) -> Histogram:
    return plan.histogram if fitting is None or fitting.histogram is None else fitting.histogram


def quality_of(plan: Plan, fitting: QuantizationResult | None, format_id: str) -> float:
    """SNR in dB, of the run or of the plan's sample."""
    name = f"{format_id}.snr_db"
    return fitting.value(name) if fitting is not None and name in fitting.metrics else plan.errors_in(format_id).snr_db


def bits_of(plan: Plan, fitting: QuantizationResult | None, format_id: str) -> float:
    """Bits per parameter, of the run (which counts blocks that are not full) or by the formula."""
    name = f"{format_id}.bits_per_parameter"
    if fitting is not None and name in fitting.metrics:
        return fitting.value(name)
    return next(point.bits_per_parameter for point in plan.errors if point.format == format_id)


def settings(points: Iterable[Point]) -> list[Setting]:
    """The sweep, a line per format and way to keep scales; settings without an error are left out."""
    shown = []
    for point in sorted(points, key=lambda point: (COLOURS[point.format], point.nested, point.block_size)):
        if not point.relative_rmse:
            continue
        name, block, nested = point.format.value, point.block_size, point.nested
        plain = not nested and not FORMATS[name].affine
        scales = " with scales in 8 bits" if nested else " with scales in float32"
        shown.append(
            Setting(
                line=f"{name} {'plain' if plain else 'nested'}",
                name=LABELS[name],
                label=f"{LABELS[name]}, blocks of {block:,}{scales}",
                size=point.bits_per_parameter,
                error=100 * point.relative_rmse,
                ink=COLOURS[name],
                key=(name, block, nested),
                hollow=plain,
                best=point.pareto,
            )
        )
    return shown


def setting_in_force(params: QuantizationParams) -> tuple[str, int, bool]:
    nested = params.double_quantization and not FORMATS[params.formats[0]].affine
    return params.format, params.block_size, nested


def outlier_curves(result: QuantizationResult | None) -> list[Series]:
    """Error of the other weights in each format against the size of one outlier in a thousand."""
    rows = () if result is None else result.outliers
    return _curves(rows, lambda row: (row.format, row.outlier_scale, row.others_relative_rmse))


def distribution_curves(result: QuantizationResult | None, distribution: str) -> list[Series]:
    """Error of each format against the block size, for one of DISTRIBUTIONS."""
    rows = () if result is None else [row for row in result.distributions if row.distribution == distribution]
    return _curves(rows, lambda row: (row.format, float(row.block_size), row.relative_rmse))


def implementations(result: QuantizationResult | None) -> list[ImplResult]:
    """Those that were timed, operation by operation."""
    rows = () if result is None else result.comparison
    return [replace(row, label=f"{row.operation} · {row.label}") for row in rows]


def is_of_one_tensor(result: QuantizationResult | None) -> bool:
    return result is None or len(result.tensors) <= 1


def first_tensor(plan: Plan, fitting: QuantizationResult | None) -> str:
    """The tensor that is shown where none is selected."""
    return fitting.map_rows[0].tensor if fitting is not None and fitting.map_rows else plan.sampled


def report_rows(plan: Plan, result: QuantizationResult | None) -> ReportRows:
    """A report, whole or so far; before a run what the headers of a checkpoint say, if anything."""
    if result is not None:
        return ReportRows(result.tensors, result.layers, result.skipped)
    return ReportRows(skipped=() if plan.checkpoint is None else skipped_rows(plan.checkpoint.skipped))


def saver(result: QuantizationResult | None) -> Callable[[Path], None] | None:
    """Writes the report of a run as the ending of a path says; None before one. Raises TilescopeError."""
    return None if result is None else lambda path: save_report(str(path), result)


def short_name(layer: int, kind: str) -> str:
    """'L12 mlp.down_proj'; without a layer the kind alone."""
    return kind if layer < 0 else f"L{layer} {kind}"


def _curves(rows: Iterable[T], place: Callable[[T], tuple[str, float, float | None]]) -> list[Series]:
    """A line per format through (x, error); an error of nothing is left out."""
    by_format: dict[str, list[tuple[float, float]]] = {}
    for name, x, error in map(place, rows):
        if error:
            by_format.setdefault(name, []).append((x, 100 * error))
    return [
        Series(LABELS[name], *np.array(by_format[name]).T, colour)
        for name, colour in COLOURS.items()
        if name in by_format
    ]
