"""The numbers across the top of the page: what the chosen format costs, in all or for the selected tensor."""

from __future__ import annotations

import math

import numpy as np

from core.checkpoint.report import worst_rows
from core.contracts.result import Provenance, Result, Row
from core.format import format_quantity
from core.topics.quantization.model.plan import Plan
from gui.pages.quantization.report_figures import LABELS
from gui.pages.quantization.view_data import bits_of, has_report, is_of_one_tensor, sample_errors, short_name
from gui.widgets.metric_bar import Number

Groups = list[tuple[Provenance, list[Number]]]


def groups(plan: Plan, result: Result | None, tensor: str | None) -> Groups:
    """What the chosen format costs: the selected tensor, or all of them; before a run, the plan's sample.

    Errors are those of a run; sizes follow from a formula even then, and are a group of their own.
    """
    name = plan.params.format
    row = _tensor_row(result, tensor, name) or _total_row(plan, result, name)
    by_run = has_report(result)
    source = "measured on the CPU" if by_run else f"of a sample ({plan.sampled}), modelled"
    snr, rmse, largest = row["snr_db"], row["relative_rmse"], row["max_abs_error"]
    errors = [
        Number(
            f"SNR of {LABELS[name]}",
            _quantity(snr, "dB"),
            f"Power of the weights over power of the errors; {source}",
        ),
        Number("relative RMSE", _percent(rmse), f"Root mean square of the errors over the weights'; {source}"),
        Number(
            "largest error",
            _quantity(largest, ""),
            f"Of a single weight, in the weights' own unit; the largest weight is {_quantity(row['absmax'], '')}; "
            f"{source}",
        ),
    ]
    sizes = [
        Number("bits a parameter", _quantity(row["bits_per_parameter"], "", 4), "Codes and scales together; modelled"),
        Number(
            f"of {_quantity(row['bytes'], 'bytes')} stored",
            _quantity(row["quantized_bytes"], "bytes"),
            f"{row['elements']:,} weights quantized, and as they are stored; modelled",
        ),
    ]
    about = _about(result, row, tensor, name)
    if about is None:
        sizes.append(_preset(plan))
    else:
        errors.append(about)
    if not by_run:
        return [(Provenance.MODELLED, errors + sizes)]
    return [(Provenance.MEASURED_CPU, errors), (Provenance.MODELLED, sizes)]


def _tensor_row(result: Result | None, tensor: str | None, format_id: str) -> Row | None:
    """The report's row of a tensor in a format."""
    rows = [] if result is None or tensor is None else result.tables.get("tensors", [])
    return next((row for row in rows if row["tensor"] == tensor and row["format"] == format_id), None)


def _total_row(plan: Plan, result: Result | None, format_id: str) -> Row:
    """The report's totals, or the same of the plan's sample with the size of all the weights."""
    rows = [] if result is None else result.tables.get("totals", [])
    for row in rows:
        if row["format"] == format_id:
            tensors = [] if result is None else result.tables["tensors"]
            return {**row, "absmax": max((other["absmax"] for other in tensors), default=math.nan)}
    found, bits = sample_errors(plan, format_id), bits_of(plan, None, format_id)
    params, checkpoint = plan.params, plan.checkpoint
    elements = params.blocks * params.block_size
    stored = 4 * elements
    if checkpoint is not None:
        elements = sum(tensor.elements for tensor in checkpoint.measured)
        stored = sum(tensor.bytes for tensor in checkpoint.measured)
    return {
        "snr_db": found.snr_db,
        "relative_rmse": found.relative_rmse,
        "max_abs_error": found.max_abs,
        "absmax": float(np.abs(plan.sample).max(initial=0)),
        "bits_per_parameter": bits,
        "quantized_bytes": bits * elements / 8,
        "bytes": stored,
        "elements": elements,
        "nonfinite": 0,
    }


def _about(result: Result | None, row: Row, tensor: str | None, format_id: str) -> Number | None:
    """The selected tensor, weights that are no numbers or the worst tensor: the first that there is."""
    if tensor is not None and row.get("tensor") == tensor:
        return Number(_short(row), row["shape"], f"The selected tensor: {tensor}, {row['dtype']}")
    if row["nonfinite"]:
        text = "NaN or infinite: left out of every error"
        return Number("are no numbers", f"{row['nonfinite']:,}", text, "bad")
    worst = [] if result is None else worst_rows(result.tables.get("tensors", []), format_id, 1)
    if result is None or is_of_one_tensor(result) or not worst:
        return None
    text = f"{worst[0]['tensor']} has the lowest SNR of {len(result.tables['map_rows']):,} tensors; measured on the CPU"
    return Number(f"worst: {_short(worst[0])}", _quantity(worst[0]["snr_db"], "dB"), text, "bad")


def _preset(plan: Plan) -> Number:
    """The preset of a whole model in the chosen format."""
    format_id = plan.params.format
    size = next(found.bytes for found in plan.memory if found.format == format_id)
    text = f"All weights of {plan.preset.name} with its linear layers in {LABELS[format_id]}; modelled"
    return Number(f"{plan.preset.name} in {LABELS[format_id]}", _quantity(size, "bytes"), text)


def _short(row: Row) -> str:
    return short_name(row["layer"], row["kind"])


def _quantity(value: float | None, unit: str, digits: int = 3) -> str:
    return format_quantity(math.nan if value is None else float(value), unit, digits)


def _percent(share: float | None) -> str:
    return "—" if share is None or math.isnan(share) else format_quantity(100 * share, "%")
