"""The metrics of a run, each with its unit and provenance."""

from __future__ import annotations

from collections.abc import Sequence

from core.comparison import error_metrics, time_metrics
from core.contracts.result import Metric, Provenance
from core.masks.cost import Cost
from core.topics.masks.experiment.evidence import FullyMaskedRows, Leak, MaskedWeights
from core.topics.masks.plan import Plan
from core.topics.masks.result import MaskImplResult
from core.trace.kernel_traffic import TensorTraffic, moved_bytes

Metrics = dict[str, Metric]
_NAMES = {"torch-naive": "naive", "sdpa-bool-mask": "sdpa", "flex": "flex", "block-sparse": "sparse"}


def measured_on(device: str) -> Provenance:
    return Provenance.MEASURED if device.startswith("cuda") else Provenance.MEASURED_CPU


def modelled_metrics(planned: Plan) -> Metrics:
    """Cells, tiles, FLOPs and bytes of the batch: counted from the mask, without a run."""
    cost: Cost = planned.cost
    visible = "visible cells x 4 head_dim, all heads, forward"
    tiles = "all cells of non-empty tiles x 4 head_dim, all heads, forward"
    sign = "dense minus tiles: negative if tiles cost more"
    tensors = "Q and O once, K and V once per tile"
    values: dict[str, tuple[float, str, str]] = {
        "cells": (cost.cells, "elements", "one head of every sequence"),
        "cells.visible": (cost.visible_cells, "elements", "one head of every sequence"),
        "sparsity": (100 * cost.sparsity, "%", "share of hidden cells"),
        "tiles": (cost.tiles, "tiles", ""),
        "tiles.full": (cost.full_tiles, "tiles", "computed without a mask"),
        "tiles.partial": (cost.partial_tiles, "tiles", "computed, then masked cell by cell"),
        "tiles.empty": (cost.empty_tiles, "tiles", "skipped"),
        "flops.dense": (cost.dense_flops, "FLOP", "all cells x 4 head_dim, all heads, forward"),
        "flops.visible": (cost.visible_flops, "FLOP", visible),
        "flops.tiles": (cost.tile_flops, "FLOP", tiles),
        "flops.saved": (cost.flops_saved, "FLOP", sign),
        "flops.saved_share": (100 * cost.share_of_flops_saved, "%", sign),
        "bytes.dense": (cost.dense_bytes, "bytes", f"{tensors}, all tiles"),
        "bytes.tiles": (cost.tile_bytes, "bytes", f"{tensors}, non-empty tiles"),
        "bytes.saved": (cost.bytes_saved, "bytes", sign),
        "mask.dense_bytes": (cost.dense_mask_bytes, "bytes", "bool [batch, 1, query_len, key_len]"),
        "mask.tile_list_bytes": (cost.tile_list_bytes, "bytes", "one int32 per visited tile, two per row of tiles"),
    }
    return {name: Metric(float(value), unit, Provenance.MODELLED, note) for name, (value, unit, note) in values.items()}


def traffic_metrics(traffic: Sequence[TensorTraffic]) -> Metrics:
    """Bytes of the kernel without and with the mask."""
    metrics = {}
    for kernel, name in (("dense", "dense"), ("block-sparse", "sparse")):
        rows = [row for row in traffic if row.kernel == kernel]
        if rows:
            note = "loads and stores of all programs"
            metrics[f"{name}.hbm_bytes"] = Metric(float(moved_bytes(rows)), "bytes", Provenance.TRACED, note)
    return metrics


def symmetry_metrics(differing: dict[str, int]) -> Metrics:
    """Cells that differ from the transpose, of masks without a direction."""
    note = "cells that differ from the transpose, counted"
    return {f"symmetry.{name}": Metric(float(n), "cells", Provenance.MODELLED, note) for name, n in differing.items()}


def comparison_metrics(results: Sequence[MaskImplResult]) -> Metrics:
    """Errors, NaN rows and times of every implementation that ran."""
    note = "see no key; all heads and sequences"
    fully_masked = float(results[0].fully_masked_rows)
    metrics = {"fully_masked_rows": Metric(fully_masked, "rows", Provenance.MODELLED, note)}
    for result in results:
        name = _NAMES[result.impl]
        metrics |= error_metrics(name, result, "against float64, over the rows that see a key")
        metrics |= time_metrics(name, result)
        if result.nan_rows is not None:
            note = "among the fully masked rows"
            metrics[f"{name}.nan_rows"] = Metric(float(result.nan_rows), "rows", result.provenance, note)
    return metrics


def evidence_metrics(
    weights: MaskedWeights, future: Leak, gradient: float, padding: Leak, alignment: float, device: str
) -> Metrics:
    """The evidence for the claims, measured on the device of the run."""
    how = measured_on(device)
    values = {
        "masked.largest_weight": (weights.largest, "", "softmax weight at a hidden cell"),
        "masked.cells": (weights.cells, "elements", "hidden cells compared, all heads"),
        "future.change": (future.masked, "", "change of the outputs before the replaced tokens, causal"),
        "future.change_unmasked": (future.unmasked, "", "change of the same outputs without a mask"),
        "future.gradient": (gradient, "", "of the outputs with respect to later keys and values, causal"),
        "padding.change": (padding.masked, "", "change of real outputs when pads are replaced, ~padding"),
        "padding.change_unmasked": (padding.unmasked, "", "change of the same outputs without a mask"),
        "padding.alignment_error": (alignment, "", "padded batch against each sequence alone"),
    }
    return {name: Metric(float(value), unit, how, note) for name, (value, unit, note) in values.items()}


def fully_masked_metrics(fully_masked: FullyMaskedRows, device: str) -> Metrics:
    """'fully_masked.rows', and '.{implementation}_nan_rows' and '_zero_rows' of each."""
    how, note = measured_on(device), "among the fully masked rows, causal, 48 queries and 17 keys"
    metrics = {"fully_masked.rows": Metric(float(fully_masked.rows), "rows", how, "see no key")}
    for outcome, counts in (("nan", fully_masked.nan_rows), ("zero", fully_masked.zero_rows)):
        for name, count in counts.items():
            provenance = Provenance.TRACED if name == "sparse" else how
            metrics[f"fully_masked.{name}_{outcome}_rows"] = Metric(float(count), "rows", provenance, note)
    return metrics
