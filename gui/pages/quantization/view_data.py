"""The plan and the result of quantization as the pictures need them. Renames and regroups; computes nothing.

`fitting` is the run of the plan's parameters, if there is one. Its measured numbers take precedence; numbers that it
does not have (yet) come from the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from core.comparison import ImplResult
from core.contracts.result import Provenance
from core.contracts.text import tr
from core.format import format_quantity
from core.topics.quantization.codebooks import Codebook, Histogram
from core.topics.quantization.labels import FORMAT_LABELS, operation_label
from core.topics.quantization.params import FORMATS, QuantizationParams
from core.topics.quantization.plan import Plan
from core.topics.quantization.result import QuantizationResult
from core.topics.quantization.saving import save_report
from core.topics.quantization.sweep import Point
from gui.charts.series import Series
from gui.page.state import PageState
from gui.pages.quantization.codebook_rows import LevelRow
from gui.pages.quantization.pareto import Setting
from gui.pages.quantization.report_views import ReportRows

T = TypeVar("T")
State = PageState[Plan, QuantizationResult]

COLOURS = {name.value: index for index, name in enumerate(FORMATS)}
"""The index of each format's colour in the theme's series: the same in every picture."""


def label(format_id: str) -> str:
    """The name of a format in the current language."""
    return str(FORMAT_LABELS[format_id])


def measured(by_run: bool) -> Provenance:
    """The provenance of numbers of a run on the CPU, or of the plan."""
    return Provenance.MEASURED_CPU if by_run else Provenance.MODELLED


def has_report(result: QuantizationResult | None) -> bool:
    """Whether a run, which may still be under way, has measured a tensor."""
    return result is not None and bool(result.totals)


def has_samples(result: QuantizationResult | None) -> bool:
    """Whether a run, which may still be under way, has its histograms."""
    return result is not None and result.histogram is not None


def formats(plan: Plan) -> list[str]:
    """The measured formats, always in the same order."""
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
        rows.append(LevelRow(name, label(name), levels, boundaries, book.won, COLOURS[name], value, affine=affine))
    return rows


def histogram(plan: Plan, fitting: QuantizationResult | None) -> Histogram:
    return plan.histogram if fitting is None or fitting.histogram is None else fitting.histogram


def quality_of(plan: Plan, fitting: QuantizationResult | None, format_id: str) -> float:
    """The SNR in dB, of the run or of the plan's sample."""
    name = f"{format_id}.snr_db"
    return fitting.value(name) if fitting is not None and name in fitting.metrics else plan.errors_in(format_id).snr_db


def bits_of(plan: Plan, fitting: QuantizationResult | None, format_id: str) -> float:
    """Bits per parameter, counted by the run (short blocks included) or from the formula."""
    name = f"{format_id}.bits_per_parameter"
    if fitting is not None and name in fitting.metrics:
        return fitting.value(name)
    return next(point.bits_per_parameter for point in plan.errors if point.format == format_id)


def settings(points: Iterable[Point]) -> list[Setting]:
    """The sweep, with one line per format and kind of scales. Settings without an error are left out."""
    shown = []
    for point in sorted(points, key=lambda point: (COLOURS[point.format], point.nested, point.block_size)):
        if not point.relative_rmse:
            continue
        name, block, nested = point.format.value, point.block_size, point.nested
        plain = not nested and not FORMATS[name].affine
        if nested:
            setting = tr("{format}, blocks of {block:,} with scales in 8 bits", format=label(name), block=block)
        else:
            setting = tr("{format}, blocks of {block:,} with scales in float32", format=label(name), block=block)
        shown.append(
            Setting(
                line=f"{name} {'plain' if plain else 'nested'}",
                name=label(name),
                label=str(setting),
                size=point.bits_per_parameter,
                error=100 * point.relative_rmse,
                colour_index=COLOURS[name],
                key=(name, block, nested),
                hollow=plain,
                on_front=point.pareto,
            )
        )
    return shown


def current_setting(params: QuantizationParams) -> tuple[str, int, bool]:
    """The key of the setting of these params."""
    nested = params.double_quantization and not FORMATS[params.formats[0]].affine
    return params.format, params.block_size, nested


def outlier_curves(result: QuantizationResult | None) -> list[Series]:
    """The error of the other weights in each format against the size of one outlier in a thousand."""
    rows = () if result is None else result.outliers
    return _curves(rows, lambda row: (row.format, row.outlier_scale, row.others_relative_rmse))


def distribution_curves(result: QuantizationResult | None, distribution: str) -> list[Series]:
    """The error of each format against the block size, for one of DISTRIBUTIONS."""
    rows = () if result is None else [row for row in result.distributions if row.distribution == distribution]
    return _curves(rows, lambda row: (row.format, float(row.block_size), row.relative_rmse))


def implementations(result: QuantizationResult | None) -> list[ImplResult]:
    """The compared implementations, operation by operation."""
    rows = () if result is None else result.comparison
    return [
        replace(
            row,
            label=tr(
                "{operation} · {implementation}", operation=operation_label(row.operation), implementation=row.label
            ),
        )
        for row in rows
    ]


def is_of_one_tensor(result: QuantizationResult | None) -> bool:
    return result is None or len(result.tensors) <= 1


def first_tensor(plan: Plan, fitting: QuantizationResult | None) -> str:
    """The tensor that is shown if none is selected."""
    return fitting.map_rows[0].tensor if fitting is not None and fitting.map_rows else plan.sampled


def report_rows(plan: Plan, result: QuantizationResult | None) -> ReportRows:
    """The report, complete or so far. Before a run only the skipped tensors are known, from the headers."""
    if result is not None:
        return ReportRows(
            result.tensors,
            result.layers,
            result.skipped,
            result.roles,
            result.storage,
            result.version_totals,
            result.versions,
            result.shapes,
            result.experts,
        )
    return ReportRows(skipped=plan.skipped, storage=plan.storage)


def saver(result: QuantizationResult | None) -> Callable[[Path], None] | None:
    """A function that saves the report of a run in the file type of a path; None without a run. It raises
    TilescopeError."""
    return None if result is None else lambda path: save_report(str(path), result)


def short_name(layer: int, kind: str) -> str:
    """'L12 mlp.down_proj'; without a layer only the kind."""
    return kind if layer < 0 else f"L{layer} {kind}"


def _curves(rows: Iterable[T], place: Callable[[T], tuple[str, float, float | None]]) -> list[Series]:
    """One line per format through its (x, error); points without an error are left out."""
    by_format: dict[str, list[tuple[float, float]]] = {}
    for name, x, error in map(place, rows):
        if error:
            by_format.setdefault(name, []).append((x, 100 * error))
    return [
        Series(label(name), *np.array(by_format[name]).T, colour)
        for name, colour in COLOURS.items()
        if name in by_format
    ]
