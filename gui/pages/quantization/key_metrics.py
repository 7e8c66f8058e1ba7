"""The key metrics at the top of the page: the error and the size of the chosen format, in total or for a tensor."""

from __future__ import annotations

import math

from core.checkpoint.report import TensorErrors, Totals
from core.contracts.result import Provenance
from core.contracts.text import sentences, tr
from core.format import format_quantity
from core.topics.quantization.labels import source_label
from core.topics.quantization.plan import Plan
from core.topics.quantization.result import QuantizationResult
from gui.pages.quantization.view_data import has_report, is_of_one_tensor, label, short_name
from gui.widgets.metric_bar import Number

Groups = list[tuple[Provenance, list[Number]]]


def groups(plan: Plan, fitting: QuantizationResult | None, tensor: str | None) -> Groups:
    """The key metrics of the selected tensor, or of all tensors; before a run, of the plan's sample.

    Errors are measured by a run. Sizes always follow from a formula, and are therefore a group of their own.
    """
    name = plan.params.format
    row = _of_tensor(fitting, tensor, name)
    costs = row or (None if fitting is None else fitting.totals_in(name)) or plan.totals(name)
    by_run = has_report(fitting)
    if by_run:
        source = tr("Measured on the CPU.")
    else:
        source = tr("Modelled, of a sample ({source}).", source=source_label(plan.sampled))
    errors = [
        Number(
            str(tr("SNR of {format}", format=label(name))),
            _quantity(costs.snr_db, "dB"),
            str(sentences(tr("Power of the weights over power of the errors."), source)),
            short=str(tr("SNR")),
        ),
        Number(
            str(tr("relative RMSE")),
            _percent(costs.relative_rmse),
            str(sentences(tr("Root mean square of the errors over that of the weights."), source)),
            short="RMSE",
        ),
        Number(
            str(tr("median block SNR")),
            _quantity(costs.block_snr_db, "dB"),
            str(
                sentences(
                    tr("Half of the blocks are at least this good. Unlike the SNR, no outlier can improve it."), source
                )
            ),
            short=str(tr("median block")),
        ),
        Number(
            str(tr("largest error")),
            _quantity(costs.max_abs_error, ""),
            str(
                sentences(
                    tr(
                        "The largest error of a single weight. The largest weight is {absmax}.",
                        absmax=_quantity(costs.absmax, ""),
                    ),
                    source,
                )
            ),
        ),
    ]
    sizes = [
        Number(
            str(tr("bits per parameter")),
            _quantity(costs.bits_per_parameter, "", 4),
            str(tr("Codes and scales together. Modelled.")),
        ),
        Number(
            str(tr("quantized ({bytes} stored)", bytes=_quantity(costs.bytes, "bytes"))),
            _quantity(costs.quantized_bytes, "bytes"),
            str(
                tr(
                    "The size of {weights:,} weights: quantized, and in brackets as they are stored. Modelled.",
                    weights=costs.elements,
                )
            ),
            short=str(tr("quantized")),
        ),
    ]
    about = _about_tensor(row) if row is not None else _about(fitting, costs, name)
    if about is None:
        sizes.append(_preset(plan))
    else:
        errors.append(about)
    if not by_run:
        return [(Provenance.MODELLED, errors + sizes)]
    return [(Provenance.MEASURED_CPU, errors), (Provenance.MODELLED, sizes)]


def _of_tensor(fitting: QuantizationResult | None, tensor: str | None, format_id: str) -> TensorErrors | None:
    return None if fitting is None or tensor is None else fitting.tensors.row(tensor, format_id)


def _about_tensor(row: TensorErrors) -> Number:
    detail = tr("The selected tensor: {tensor}, {dtype}.", tensor=row.tensor, dtype=row.dtype)
    return Number(short_name(row.layer, row.kind), row.shape, str(detail))


def _about(fitting: QuantizationResult | None, costs: Totals | TensorErrors, format_id: str) -> Number | None:
    """The weights that NaN and inf cost, or else the worst tensor, if there is one."""
    if costs.lost:
        detail = tr(
            "{nonfinite:,} weights are NaN or inf. Such a weight spoils its block, and under double quantization its "
            "tensor. The errors are those of the other weights.",
            nonfinite=costs.nonfinite,
        )
        return Number(str(tr("lost to NaN or inf")), f"{costs.lost:,}", str(detail), "bad")
    if fitting is None or is_of_one_tensor(fitting):
        return None
    for worst in fitting.tensors.worst(format_id, 1):
        detail = tr(
            "{tensor} has the worst blocks of {count:,} tensors (median over its blocks). Measured on the CPU.",
            tensor=worst.tensor,
            count=len(fitting.tensors),
        )
        name = tr("worst: {tensor}", tensor=short_name(worst.layer, worst.kind))
        figure = worst.snr_db if worst.block_snr_db is None else worst.block_snr_db
        return Number(str(name), _quantity(figure, "dB"), str(detail), "bad", short=str(tr("worst tensor")))
    return None


def _preset(plan: Plan) -> Number:
    """The size of the preset model in the chosen format."""
    format_id = plan.params.format
    size = next(memory.bytes for memory in plan.memory if memory.format == format_id)
    values = {"model": plan.preset.name, "format": label(format_id)}
    detail = tr("All weights of {model} with its linear layers in {format}. Modelled.", **values)
    name = tr("{model} in {format}", **values)
    return Number(str(name), _quantity(size, "bytes"), str(detail), short=plan.preset.name)


def _quantity(value: float | None, unit: str, digits: int = 3) -> str:
    return format_quantity(math.nan if value is None else float(value), unit, digits)


def _percent(share: float | None) -> str:
    return "—" if share is None or math.isnan(share) else format_quantity(100 * share, "%")
