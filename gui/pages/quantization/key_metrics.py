"""The numbers across the top of the page: what the chosen format costs, in all or for the selected tensor."""

from __future__ import annotations

import math

from core.checkpoint.report import TensorErrors, Totals
from core.contracts.result import Provenance
from core.format import format_quantity
from core.topics.quantization.plan import Plan
from core.topics.quantization.result import QuantizationResult
from gui.pages.quantization.view_data import LABELS, has_report, is_of_one_tensor, short_name
from gui.widgets.metric_bar import Number

Groups = list[tuple[Provenance, list[Number]]]


def groups(plan: Plan, fitting: QuantizationResult | None, tensor: str | None) -> Groups:
    """What the chosen format costs: the selected tensor, or all of them; before a run, the plan's sample.

    Errors are those of a run; sizes follow from a formula even then, and are a group of their own.
    """
    name = plan.params.format
    row = _of_tensor(fitting, tensor, name)
    costs = row or (None if fitting is None else fitting.totals_in(name)) or plan.totals(name)
    by_run = has_report(fitting)
    source = "measured on the CPU" if by_run else f"of a sample ({plan.sampled}), modelled"
    errors = [
        Number(
            f"SNR of {LABELS[name]}",
            _quantity(costs.snr_db, "dB"),
            f"Power of the weights over power of the errors; {source}",
        ),
        Number(
            "relative RMSE",
            _percent(costs.relative_rmse),
            f"Root mean square of the errors over the weights'; {source}",
            short="RMSE",
        ),
        Number(
            "largest error",
            _quantity(costs.max_abs_error, ""),
            f"Of a single weight, in the weights' own unit; the largest weight is {_quantity(costs.absmax, '')}; "
            f"{source}",
        ),
    ]
    sizes = [
        Number("bits per parameter", _quantity(costs.bits_per_parameter, "", 4), "Codes and scales together; modelled"),
        Number(
            f"quantized ({_quantity(costs.bytes, 'bytes')} stored)",
            _quantity(costs.quantized_bytes, "bytes"),
            f"{costs.elements:,} weights quantized, and as they are stored; modelled",
            short="quantized",
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
    return Number(short_name(row.layer, row.kind), row.shape, f"The selected tensor: {row.tensor}, {row.dtype}")


def _about(fitting: QuantizationResult | None, costs: Totals | TensorErrors, format_id: str) -> Number | None:
    """Weights that are NaN or infinite, or the worst tensor: the first that there is."""
    if costs.nonfinite:
        return Number("NaN or inf weights", f"{costs.nonfinite:,}", "Left out of every error", "bad")
    if fitting is None or is_of_one_tensor(fitting):
        return None
    for worst in fitting.tensors.worst(format_id, 1):
        text = f"{worst.tensor} has the lowest SNR of {len(fitting.tensors):,} tensors; measured on the CPU"
        label = f"worst: {short_name(worst.layer, worst.kind)}"
        return Number(label, _quantity(worst.snr_db, "dB"), text, "bad", short="worst tensor")
    return None


def _preset(plan: Plan) -> Number:
    """The preset of a whole model in the chosen format."""
    format_id = plan.params.format
    size = next(memory.bytes for memory in plan.memory if memory.format == format_id)
    text = f"All weights of {plan.preset.name} with its linear layers in {LABELS[format_id]}; modelled"
    label = f"{plan.preset.name} in {LABELS[format_id]}"
    return Number(label, _quantity(size, "bytes"), text, short=plan.preset.name)


def _quantity(value: float | None, unit: str, digits: int = 3) -> str:
    return format_quantity(math.nan if value is None else float(value), unit, digits)


def _percent(share: float | None) -> str:
    return "—" if share is None or math.isnan(share) else format_quantity(100 * share, "%")
