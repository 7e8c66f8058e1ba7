"""A plan or a result of quantization in the terms of the report's pictures. Renames, regroups and counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.checkpoint.report import skipped_rows
from core.contracts.result import Result, Row
from core.hardware.gpus import gpus
from core.topics.quantization.model.plan import Plan
from core.topics.quantization.model.presets import KEPT_BITS
from core.topics.quantization.model.scales import NESTED_BITS, NestedScales
from core.topics.quantization.params import FORMATS, QuantizationParams
from core.topics.quantization.payload import REFERENCE, SYNTHETIC
from core.topics.quantization.saving import save_report
from gui.pages.quantization.bit_budget import Memory, ModelBytes
from gui.pages.quantization.output_effect import Outcome
from gui.pages.quantization.scale_bits import ScalesPicture

LABELS: dict[str, str] = {name.value: found.label for name, found in FORMATS.items()}
"""What each format is called, by id."""

_REPORT_TABLES = ("tensors", "layers", "totals", "skipped")
_ERROR_BINS = 60


def report_tables(plan: Plan, result: Result | None) -> Mapping[str, Sequence[Row]]:
    """The tables of a report, whole or so far; before a run what the headers of a checkpoint tell, if anything."""
    if result is not None:
        return {name: result.tables.get(name, []) for name in _REPORT_TABLES}
    if plan.checkpoint is not None and plan.checkpoint.skipped:
        return {"skipped": skipped_rows(plan.checkpoint.skipped)}
    return {}


def saver(result: Result | None) -> Callable[[Path], None] | None:
    """Writes the report of a run as the ending of a path says; None before one. Raises TilescopeError."""
    return None if result is None else lambda path: save_report(str(path), result)


def scales(plan: Plan, result: Result | None) -> ScalesPicture | None:
    """The scales of one tensor: those of the run, or of the plan's sample. None without a single one."""
    params = plan.params
    if result is not None and "scales.absmax" in result.arrays:
        params = QuantizationParams(**result.params)
        absmax, codes, restored = (result.arrays[f"scales.{name}"] for name in ("absmax", "codes", "restored"))
        found = replace(plan.scales, absmax=absmax, codes=codes, restored=restored)
        # The run's scales may be of another tensor than the plan's sample, and there is no name with them.
        tensor = plan.sampled if params.checkpoint == plan.params.checkpoint else SYNTHETIC
        return _picture(found, tensor, params)
    return _picture(plan.scales, plan.sampled, params) if plan.scales.absmax.size else None


def budget(plan: Plan) -> tuple[ModelBytes, ...]:
    """The preset of the plan in 16 bits and in each format, the linear layers apart from the rest."""
    linear, other = plan.preset.linear_parameters, plan.preset.other_parameters
    return tuple(
        ModelBytes(
            format="" if row.format is None else row.format.value,
            label="bf16" if row.format is None else LABELS[row.format.value],
            bits=row.bits_per_parameter,
            linear_bytes=linear * row.bits_per_parameter / 8,
            other_bytes=other * KEPT_BITS / 8,
        )
        for row in plan.memory
    )


def memories() -> tuple[Memory, ...]:
    """The memory sizes of the GPUs that are known, smallest first; those of one size together."""
    by_size: dict[float, list[str]] = {}
    for gpu in sorted(gpus().values(), key=lambda gpu: gpu.memory_gb):
        by_size.setdefault(gpu.memory_gb, []).append(gpu.name)
    return tuple(Memory(", ".join(names), size * 1e9) for size, names in by_size.items())


def outcomes(result: Result | None) -> tuple[Outcome, ...]:
    """The losses of a run, model by model."""
    rows = [] if result is None else result.tables.get("outputs", [])
    return tuple(
        Outcome(
            model=row["model"],
            format=row["format"],
            label="as it is" if row["format"] == REFERENCE else LABELS[row["format"]],
            loss=_or_nan(row["loss"]),
            perplexity=_or_nan(row["perplexity"]),
            increase=_or_nan(row["loss_increase"]),
            tokens=row["tokens"],
            bits=row["bits_per_parameter"],
            layers=row["quantized_layers"],
            stderr=row.get("increase_stderr"),
        )
        for row in rows
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _picture(found: NestedScales, tensor: str, params: QuantizationParams) -> ScalesPicture:
    order = np.argsort(found.absmax, kind="stable")
    absmax, restored = (values.astype(np.float64)[order] for values in (found.absmax, found.restored))
    some = absmax > 0
    errors = 100 * (restored[some] / absmax[some] - 1)
    reach = float(np.abs(errors).max(initial=0.0)) or 1.0
    edges = np.linspace(-reach, reach, _ERROR_BINS + 1)
    code_bits = NESTED_BITS / params.block_size
    return ScalesPicture(
        tensor=tensor,
        absmax=absmax,
        restored=restored,
        codes=found.codes[order],
        code_counts=np.bincount(found.codes, minlength=256),
        error_edges=edges,
        error_counts=np.histogram(errors, edges)[0],
        relative_rmse=found.relative_rmse,
        block_size=params.block_size,
        nested_block=params.nested_block,
        plain_bits=32 / params.block_size,
        code_bits=code_bits,
        second_bits=32 / (params.block_size * params.nested_block),
        used=params.double_quantization,
    )
