"""A plan or a result of quantization in the terms of the plots. Renames and regroups; computes nothing.

Each function takes the plan and, where a run fits its parameters, the result: what the run measured comes first, and
what it has not (yet) is the plan's.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from core.checkpoint.errors import FormatErrors
from core.comparison import ImplResult, impl_results
from core.contracts.result import Provenance, Result, Row
from core.format import format_quantity
from core.topics.quantization.model.codebooks import EDGES, ERROR_EDGES
from core.topics.quantization.model.plan import Plan
from core.topics.quantization.params import FORMATS, QuantizationParams
from core.topics.quantization.payload import CODES_PREFIX, ERROR_PREFIX
from gui.charts.series import Series
from gui.pages.quantization.codebook_rows import LevelRow, WeightCounts
from gui.pages.quantization.error_shares import ErrorCounts, ErrorShares
from gui.pages.quantization.pareto import Setting
from gui.pages.quantization.report_figures import LABELS

INKS = {name.value: index for index, name in enumerate(FORMATS)}
"""The place of each format among the theme's series: the same in every picture."""

_ANY_WEIGHTS = ("block_size", "nested")
_AMONG_OUTLIERS = ("distribution", "tail", "seed")
_DRAWN_WEIGHTS = ("distribution", "tail", "outlier_share", "outlier_scale", "blocks", "seed")


def params_of(result: Result) -> QuantizationParams:
    return QuantizationParams(**result.params)


def fits(plan: Plan, result: Result | None) -> bool:
    """Whether a run measured what is asked for now: the same weights in the same blocks, and every format.

    Another chosen format, another preset of a whole model or other texts change nothing that it measured.
    """
    if result is None:
        return False
    now, then = plan.params, params_of(result)
    names = _ANY_WEIGHTS if now.checkpoint.strip() else (*_ANY_WEIGHTS, *_DRAWN_WEIGHTS)
    return now.checkpoint.strip() == then.checkpoint.strip() and _same(now, then, names)


def fits_scales(plan: Plan, result: Result | None) -> bool:
    """Whether a run kept the scales that are asked for now: its picture tells of 8 bits even where they are off."""
    same = result is not None and params_of(result).nested_block == plan.params.nested_block
    return same and fits(plan, result)


def fits_outliers(plan: Plan, result: Result | None) -> bool:
    """Whether a run grew outliers among such weights as are asked for now: drawn ones, even beside a checkpoint."""
    return result is not None and _same(plan.params, params_of(result), (*_ANY_WEIGHTS, *_AMONG_OUTLIERS))


def _same(now: QuantizationParams, then: QuantizationParams, names: tuple[str, ...]) -> bool:
    formats = set(now.formats) <= set(then.formats)
    return formats and all(getattr(now, name) == getattr(then, name) for name in names)


def same_texts(plan: Plan, result: Result) -> bool:
    """Whether a run read the model folder and the text that are asked for now."""
    now, then = plan.params, params_of(result)
    return all(getattr(now, name) == getattr(then, name) for name in ("model", "text_file", "text_tokens"))


def measured(by_run: bool) -> Provenance:
    """Where numbers come from: a run on the CPU, or the plan."""
    return Provenance.MEASURED_CPU if by_run else Provenance.MODELLED


def has_report(result: Result | None) -> bool:
    """Whether a run, which may be under way, has measured a tensor."""
    return result is not None and bool(result.tables.get("totals"))


def has_samples(result: Result | None) -> bool:
    """Whether a run, which may be under way, has come to its histograms."""
    return result is not None and "weights.counts" in result.arrays


def codebooks(plan: Plan, result: Result | None) -> list[LevelRow]:
    """Every format, always in the same order, with its SNR and its bits."""
    found = []
    for name in _ordered(plan):
        book = plan.codebook(name)
        won = result.arrays[f"{CODES_PREFIX}{name}"] if result is not None and has_samples(result) else book.won
        quality, bits = quality_of(plan, result, name), bits_of(plan, result, name)
        value = f"{format_quantity(quality, 'dB')} · {bits:.2f}"
        affine = FORMATS[book.format].affine
        found.append(LevelRow(name, LABELS[name], book.levels, book.boundaries, won, INKS[name], value, affine=affine))
    return found


def weight_counts(plan: Plan, result: Result | None) -> WeightCounts:
    if result is not None and has_samples(result):
        arrays = result.arrays
        return WeightCounts(arrays["weights.edges"], arrays["weights.counts"], arrays["weights.affine_counts"])
    return WeightCounts(EDGES, plan.histogram.counts, plan.histogram.affine_counts)


def error_shares(plan: Plan, result: Result | None) -> ErrorShares:
    """How large the errors of each format are."""
    arrays = result.arrays if result is not None and has_samples(result) else {}
    found = [
        ErrorCounts(name, LABELS[name], arrays.get(f"{ERROR_PREFIX}{name}", plan.codebook(name).errors), INKS[name])
        for name in _ordered(plan)
    ]
    return ErrorShares(found, arrays.get("error.edges", ERROR_EDGES), plan.params.format)


def quality_of(plan: Plan, result: Result | None, format_id: str) -> float:
    """SNR in dB, of the run or of the plan's sample."""
    if result is not None and f"{format_id}.snr_db" in result.metrics:
        return result.value(f"{format_id}.snr_db")
    return sample_errors(plan, format_id).snr_db


def sample_errors(plan: Plan, format_id: str) -> FormatErrors:
    return next(found for name, found in plan.sample_errors.items() if name == format_id)


def bits_of(plan: Plan, result: Result | None, format_id: str) -> float:
    """Bits a parameter, of the run (which counts blocks that are not full) or by the formula."""
    if result is not None and f"{format_id}.bits_per_parameter" in result.metrics:
        return result.value(f"{format_id}.bits_per_parameter")
    return next(point.bits_per_parameter for point in plan.errors if point.format == format_id)


def settings(rows: list[Row]) -> list[Setting]:
    """The sweep, a line a format and a way to keep scales; settings without an error are left out."""
    found = []
    for row in sorted(rows, key=lambda row: (INKS[row["format"]], row["nested"], row["block_size"])):
        if not row["relative_rmse"]:
            continue
        name, block, nested = row["format"], row["block_size"], bool(row["nested"])
        plain = not nested and not FORMATS[name].affine
        scales = " with scales in 8 bits" if nested else " with scales in float32"
        found.append(
            Setting(
                line=f"{name} {'plain' if plain else 'nested'}",
                name=LABELS[name],
                label=f"{LABELS[name]}, blocks of {block:,}{scales}",
                size=row["bits_per_parameter"],
                error=100 * row["relative_rmse"],
                ink=INKS[name],
                key=(name, block, nested),
                hollow=plain,
                best=row["pareto"],
            )
        )
    return found


def sweep_rows(plan: Plan) -> list[Row]:
    """The plan's own sweep, as rows of the table that a run returns."""
    return [
        {
            "format": point.format.value,
            "block_size": point.block_size,
            "nested": point.nested,
            "bits_per_parameter": point.bits_per_parameter,
            "relative_rmse": None if math.isnan(point.relative_rmse) else point.relative_rmse,
            "pareto": point.pareto,
        }
        for point in plan.sweep
    ]


def setting_in_force(params: QuantizationParams) -> tuple[str, int, bool]:
    nested = params.double_quantization and not FORMATS[params.formats[0]].affine
    return params.format, params.block_size, nested


def outlier_curves(result: Result | None) -> list[Series]:
    """Error of the other weights in each format against the size of one outlier in a thousand."""
    rows = [] if result is None else result.tables.get("outliers", [])
    return _curves(rows, "outlier_scale", "others_relative_rmse")


def distribution_curves(result: Result | None, distribution: str) -> list[Series]:
    """Error of each format against the block size, for one of DISTRIBUTIONS."""
    rows = [] if result is None else result.tables.get("distributions", [])
    return _curves([row for row in rows if row["distribution"] == distribution], "block_size", "relative_rmse")


def implementations(result: Result | None) -> list[ImplResult]:
    """Those that were timed, operation by operation."""
    rows = [] if result is None else result.tables.get("comparison", [])
    labels = (f"{row['operation']} · {row['label']}" for row in rows)
    return [replace(impl, label=label) for impl, label in zip(impl_results(rows), labels, strict=True)]


def is_of_one_tensor(result: Result | None) -> bool:
    return result is None or len({row["tensor"] for row in result.tables.get("map_rows", [])}) <= 1


def first_tensor(plan: Plan, result: Result | None) -> str:
    """The tensor that is shown where none is selected."""
    rows = [] if result is None else result.tables.get("map_rows", [])
    return str(rows[0]["tensor"]) if rows else plan.sampled


def _curves(rows: list[Row], x_name: str, y_name: str) -> list[Series]:
    found = []
    for name, ink in INKS.items():
        own = [row for row in rows if row["format"] == name and row[y_name]]
        if own:
            x, y = (np.array([float(row[key]) for row in own]) for key in (x_name, y_name))
            found.append(Series(LABELS[name], x, 100 * y, ink))
    return found


def _ordered(plan: Plan) -> list[str]:
    return sorted((name.value for name in plan.params.formats), key=INKS.__getitem__)


def short_name(layer: int, kind: str) -> str:
    """'L12 mlp.down_proj'; without a layer the kind alone."""
    return kind if layer < 0 else f"L{layer} {kind}"
