"""The metrics of a run, each with its unit and provenance."""

from __future__ import annotations

from collections.abc import Sequence

from core.comparison import error_metrics, time_metrics
from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, Text, tr
from core.masks.cost import Cost
from core.masks.position_ids import Counting, changed_distances
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
    one_head = tr("one head of every sequence")
    difference = tr("dense minus tiles: negative if tiles cost more")
    values: dict[str, tuple[float, str, Text]] = {
        "cells": (cost.cells, "elements", one_head),
        "cells.visible": (cost.visible_cells, "elements", one_head),
        "sparsity": (100 * cost.sparsity, "%", tr("share of hidden cells")),
        "tiles": (cost.tiles, "tiles", EMPTY),
        "tiles.full": (cost.full_tiles, "tiles", tr("computed without a mask")),
        "tiles.partial": (cost.partial_tiles, "tiles", tr("computed, then masked cell by cell")),
        "tiles.empty": (cost.empty_tiles, "tiles", tr("skipped")),
        "flops.dense": (cost.dense_flops, "FLOP", tr("all cells x 4 head_dim, all heads, forward")),
        "flops.visible": (cost.visible_flops, "FLOP", tr("visible cells x 4 head_dim, all heads, forward")),
        "flops.tiles": (cost.tile_flops, "FLOP", tr("all cells of non-empty tiles x 4 head_dim, all heads, forward")),
        "flops.saved": (cost.flops_saved, "FLOP", difference),
        "flops.saved_share": (100 * cost.share_of_flops_saved, "%", difference),
        "bytes.dense": (cost.dense_bytes, "bytes", tr("Q and O once, K and V once per tile, all tiles")),
        "bytes.tiles": (cost.tile_bytes, "bytes", tr("Q and O once, K and V once per tile, non-empty tiles")),
        "bytes.saved": (cost.bytes_saved, "bytes", difference),
        "mask.dense_bytes": (cost.dense_mask_bytes, "bytes", tr("bool [batch, 1, query_len, key_len]")),
        "mask.tile_list_bytes": (
            cost.tile_list_bytes,
            "bytes",
            tr("one int32 per visited tile, two per row of tiles"),
        ),
    }
    return {name: Metric(float(value), unit, Provenance.MODELLED, note) for name, (value, unit, note) in values.items()}


def traffic_metrics(traffic: Sequence[TensorTraffic]) -> Metrics:
    """Bytes of the kernel without and with the mask."""
    metrics = {}
    for kernel, name in (("dense", "dense"), ("block-sparse", "sparse")):
        rows = [row for row in traffic if row.kernel == kernel]
        if rows:
            note = tr("loads and stores of all programs")
            metrics[f"{name}.hbm_bytes"] = Metric(float(moved_bytes(rows)), "bytes", Provenance.TRACED, note)
    return metrics


def symmetry_metrics(differing: dict[str, int]) -> Metrics:
    """Cells that differ from the transpose, of masks without a direction."""
    note = tr("cells that differ from the transpose, counted")
    return {f"symmetry.{name}": Metric(float(n), "cells", Provenance.MODELLED, note) for name, n in differing.items()}


def comparison_metrics(results: Sequence[MaskImplResult]) -> Metrics:
    """Errors, NaN rows and times of every implementation that ran."""
    note = tr("see no key; all heads and sequences")
    fully_masked = float(results[0].fully_masked_rows)
    metrics = {"fully_masked_rows": Metric(fully_masked, "rows", Provenance.MODELLED, note)}
    for result in results:
        name = _NAMES[result.impl]
        metrics |= error_metrics(name, result, tr("against float64, over the rows that see a key"))
        metrics |= time_metrics(name, result)
        if result.nan_rows is not None:
            note = tr("among the fully masked rows")
            metrics[f"{name}.nan_rows"] = Metric(float(result.nan_rows), "rows", result.provenance, note)
    return metrics


def evidence_metrics(
    weights: MaskedWeights, future: Leak, gradient: float, padding: Leak, alignment: float, device: str
) -> Metrics:
    """The evidence for the claims, measured on the device of the run."""
    how = measured_on(device)
    values = {
        "masked.largest_weight": (weights.largest, "", tr("softmax weight at a hidden cell")),
        "masked.cells": (weights.cells, "elements", tr("hidden cells compared, all heads")),
        "future.change": (future.masked, "", tr("change of the outputs before the replaced tokens, causal")),
        "future.change_unmasked": (future.unmasked, "", tr("change of the same outputs without a mask")),
        "future.gradient": (gradient, "", tr("of the outputs with respect to later keys and values, causal")),
        "padding.change": (padding.masked, "", tr("change of real outputs when pads are replaced, ~padding")),
        "padding.change_unmasked": (padding.unmasked, "", tr("change of the same outputs without a mask")),
        "padding.alignment_error": (alignment, "", tr("padded batch against each sequence alone")),
    }
    return {name: Metric(float(value), unit, how, note) for name, (value, unit, note) in values.items()}


def position_metrics(planned: Plan, rotary: dict[Counting, float], device: str) -> Metrics:
    """For each way of counting: the pairs whose distance changes, and what rotary embeddings make of it."""
    metrics = {}
    for way, change in rotary.items():
        distances = changed_distances(planned.mask, planned.layout, way)
        assert distances is not None  # no counting differs where there are no distances
        of_all = tr("of {visible:,} visible pairs without pads, one head", visible=distances.visible)
        metrics[f"positions.{way}.changed_pairs"] = Metric(distances.changed, "", Provenance.MODELLED, of_all)
        note = tr("largest change of a score under rotary embeddings, against positions by place")
        metrics[f"positions.{way}.rotary_change"] = Metric(change, "", measured_on(device), note)
    return metrics


def fully_masked_metrics(fully_masked: FullyMaskedRows, device: str) -> Metrics:
    """'fully_masked.rows', and '.{implementation}_nan_rows' and '_zero_rows' of each."""
    how, note = measured_on(device), tr("among the fully masked rows, causal, 48 queries and 17 keys")
    metrics = {"fully_masked.rows": Metric(float(fully_masked.rows), "rows", how, tr("see no key"))}
    for outcome, counts in (("nan", fully_masked.nan_rows), ("zero", fully_masked.zero_rows)):
        for name, count in counts.items():
            provenance = Provenance.TRACED if name == "sparse" else how
            metrics[f"fully_masked.{name}_{outcome}_rows"] = Metric(float(count), "rows", provenance, note)
    return metrics
