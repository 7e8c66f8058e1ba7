"""The metrics of a run, each with its unit and provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from core.comparison import ImplResult, error_metrics, time_metrics
from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.topics.flash_attention.backward import flash_backward_traffic, standard_backward_traffic
from core.topics.flash_attention.experiment.tracing import Traced
from core.topics.flash_attention.paper import paper_model, product_gflop
from core.topics.flash_attention.plan import KERNELS, TENSORS, Plan
from core.topics.flash_attention.result import SweepStep
from core.topics.flash_attention.tiles import gain_limit
from core.trace.kernel_traffic import TensorTraffic, moved_bytes
from core.trace.tile_loads import tiles_visited
from kernels.attention import Impl

Metrics = dict[str, Metric]
_KERNEL_OF_IMPL = {Impl.TRITON_STANDARD.value: "standard", Impl.TRITON_FLASH.value: "flash"}
_BACKWARD_TRAFFIC = {"standard": standard_backward_traffic, "flash": flash_backward_traffic}
_BOTH_PASSES = tr("loads and stores of a forward and a backward pass")
_SWEEP_NAMES = ("gain.quarter_length", "gain.half_length", "gain.full_length")


def modelled_metrics(plan: Plan) -> Metrics:
    """Metrics without a run: FLOPs by formula, modelled bytes, roofline bounds, GPU bandwidths, the paper's figures."""
    gpu = verbatim(plan.gpu.name)
    metrics = {}
    for kernel in KERNELS:
        roof = plan.roofline[kernel]
        metrics[f"{kernel}.flops"] = _modelled(plan.flops.formula, "FLOP", tr("visible pairs x 4 head_dim, forward"))
        metrics[f"{kernel}.hbm_bytes_modelled"] = _modelled(
            plan.hbm_bytes(kernel), "bytes", tr("loads and stores requested")
        )
        metrics[f"{kernel}.training_hbm_bytes_modelled"] = _modelled(
            plan.hbm_bytes(kernel) + moved_bytes(_BACKWARD_TRAFFIC[kernel](plan.params)), "bytes", _BOTH_PASSES
        )
        if roof.bound == "memory":
            note = tr("{gpu}, memory-bound: a lower limit, not a measured time", gpu=gpu)
        else:
            note = tr("{gpu}, compute-bound: a lower limit, not a measured time", gpu=gpu)
        metrics[f"{kernel}.roofline_ms"] = _modelled(roof.time_ms, "ms", note)
    metrics["gain.limit"] = _modelled(
        gain_limit(plan.params), "x", tr("standard over flash bytes as N grows, with these tiles")
    )
    metrics["gpu.hbm_bandwidth"] = _modelled(plan.gpu.hbm_bytes_per_s, "B/s", gpu)
    metrics["gpu.sram_bandwidth"] = _modelled(plan.gpu.sram_bytes_per_s, "B/s", gpu)
    return metrics | _paper_metrics()


def traffic_metrics(traffic: Sequence[TensorTraffic]) -> Metrics:
    """Bytes by kernel and tensor."""
    metrics = {}
    for kernel in KERNELS:
        rows = [row for row in traffic if row.kernel == kernel]
        read, written = sum(row.read_bytes for row in rows), sum(row.written_bytes for row in rows)
        metrics[f"{kernel}.read_bytes"] = _traced(read, "bytes")
        metrics[f"{kernel}.written_bytes"] = _traced(written, "bytes")
        metrics[f"{kernel}.hbm_bytes"] = _traced(read + written, "bytes", tr("loads and stores of all programs"))
        for tensor in TENSORS:
            moved = sum(row.bytes for row in rows if row.tensor == tensor)
            metrics[f"{kernel}.{tensor}_bytes"] = _traced(moved, "bytes")
    ratio = metrics["standard.hbm_bytes"].value / metrics["flash.hbm_bytes"].value
    metrics["traffic.ratio"] = _traced(ratio, "x", tr("standard over flash"))
    return metrics


def training_metrics(moved: Mapping[str, int]) -> Metrics:
    """Bytes of a forward and a backward pass, by kernel."""
    metrics = {f"{kernel}.training_hbm_bytes": _traced(moved[kernel], "bytes", _BOTH_PASSES) for kernel in KERNELS}
    ratio = moved["standard"] / moved["flash"]
    return metrics | {"traffic.training_ratio": _traced(ratio, "x", tr("standard over flash, forward and backward"))}


def tile_flop_metrics(plan: Plan, standard: Traced, flash: Traced) -> Metrics:
    """FLOPs of whole tiles, by the tiles that were loaded: two products of block_q x block_kv x tile_dim each."""
    params = plan.params
    product = 2 * params.block_q * params.block_kv * params.tile_dim
    scores, _, output = standard.launches
    standard_flops = product * (tiles_visited(scores, "k_ptr") + tiles_visited(output, "v_ptr"))
    flash_flops = product * (tiles_visited(flash.launches[0], "k_ptr") + tiles_visited(flash.launches[0], "v_ptr"))
    note = tr("whole visited tiles, padding and masked cells included")
    return {
        "standard.tile_flops": _traced(standard_flops, "FLOP", note),
        "flash.tile_flops": _traced(flash_flops, "FLOP", note),
    }


def sweep_metrics(steps: Sequence[SweepStep]) -> Metrics:
    """The gain at N/4, N/2 and N."""
    return {
        name: _traced(
            step.standard_bytes / step.flash_bytes,
            "x",
            tr("standard over flash at N = {seq_len}", seq_len=step.seq_len),
        )
        for name, step in zip(_SWEEP_NAMES, steps, strict=False)
    }


def comparison_metrics(results: Iterable[ImplResult]) -> Metrics:
    """Errors of the two kernels, and the times of the implementations that ran on the device."""
    metrics: Metrics = {}
    for result in results:
        kernel = _KERNEL_OF_IMPL.get(result.impl)
        if kernel is not None:
            metrics |= error_metrics(kernel, result, tr("against float64"))
        metrics |= time_metrics(result.impl, result)
    return metrics


def _paper_metrics() -> Metrics:
    units = {"FLOP": ("flops", "FLOP", 1e9), "HBM": ("hbm_bytes", "bytes", 1e9), "time": ("roofline_ms", "ms", 1.0)}
    metrics = {}
    for figure in paper_model().figures:
        name, unit, scale = units[figure.quantity]
        note = tr(
            "the paper prints {published:g} {unit}, deviation {deviation:+.1f}%: {assumptions}",
            published=figure.published,
            unit=figure.unit,
            deviation=figure.deviation_percent,
            assumptions=figure.assumptions,
        )
        metrics[f"paper.{figure.kernel}.{name}"] = _modelled(figure.modelled * scale, unit, note)
    for kernel in KERNELS:
        note = tr("matrix products of all 16 heads, forward and backward")
        metrics[f"paper.{kernel}.product_flops"] = _modelled(product_gflop(kernel) * 1e9, "FLOP", note)
    return metrics


def _modelled(value: float, unit: str, note: Text = EMPTY) -> Metric:
    return Metric(float(value), unit, Provenance.MODELLED, note)


def _traced(value: float, unit: str, note: Text = EMPTY) -> Metric:
    return Metric(float(value), unit, Provenance.TRACED, note)
