"""The Triton kernels on a small matrix of the page's weights, traced: what they touch, and what they multiply."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from core.contracts.result import Metric, Provenance, Row
from core.contracts.result_builder import Draft
from core.engine.phases import in_parts
from core.engine.steps import ProgressCallback
from core.interpreter import Launch, intercept
from core.topics.quantization.experiment.matrix import Matrix
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.payload import PAPER_BLOCK, PAPER_NESTED
from core.trace.kernel_traffic import kernel_tables
from core.trace.traffic import traffic
from kernels.quantization.api import Impl, MatmulPath, Quantized, dequantize, matmul, quantize
from kernels.quantization.formats import FORMATS, FormatId

T = TypeVar("T")
TRACE_BUDGET_BYTES = 1 << 30
"""What the tracer may hold of intermediate tiles at a time."""

_TOKENS = 32
_COUNTED = 1 << 18
_CODES, _SCALES = "codes", ("absmax", "scale codes", "scales of scales", "mean of scales", "minimum", "step")
_TABLES = {"levels_ptr": "levels", "nested_levels_ptr": "levels of scales", "boundaries_ptr": "boundaries"}
_DOT = re.compile(r"tt\.dot .*: tensor<[\dx]+x(\w+)\b.*?> \* tensor<[\dx]+x(\w+)\b.*?> -> tensor<[\dx]+x(\w+)\b")


@dataclass(frozen=True)
class Traced:
    """One step of the three, its launches, and the names of tensors by address."""

    step: str
    format: FormatId
    held: dict[int, str]
    launches: tuple[Launch, ...]


def trace_kernels(findings: Draft, params: QuantizationParams, matrix: Matrix, progress: ProgressCallback) -> None:
    """'kernels', 'lines', 'sources', 'products' and 'matmul.*': the chosen format, and NF4 for a product that has no
    fused kernel in it. Raises KernelError where a kernel cannot take what it is given."""
    chosen = FormatId(params.format)
    fused = chosen if FORMATS[chosen].bits == 4 and not FORMATS[chosen].affine else FormatId.NF4
    _add_stored_bits(findings)
    trace = _Tracing(in_parts(progress, 3 if fused is chosen else 4))
    weight = matrix.weight
    x = torch.randn(_TOKENS, weight.shape[1], generator=torch.Generator().manual_seed(params.seed)).to(weight)
    quantized, launches = trace("quantize", chosen, lambda: quantized_by_triton(weight, params, chosen))
    steps = [Traced("quantize", chosen, _held(quantized, (weight, "weights")), launches)]
    restored, launches = trace(
        "dequantize", chosen, lambda: dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TRITON)
    )
    steps.append(Traced("dequantize", chosen, _held(quantized, (restored, "weights")), launches))
    if fused is not chosen:
        quantized, _ = trace("quantize", fused, lambda: quantized_by_triton(weight, params, fused))
    out, launches = trace("matmul", fused, lambda: matmul(x, quantized, impl=Impl.TRITON, path=MatmulPath.FUSED))
    steps.append(Traced("matmul", fused, _held(quantized, (x, "x"), (out, "out")), launches))
    _add_tables(findings, steps)
    findings.metrics.update(_matmul_metrics(findings, fused, weight.numel()))


def quantized_by_triton(weight: torch.Tensor, params: QuantizationParams, format_id: FormatId) -> Quantized:
    nested = nested_of(params, format_id)
    return quantize(weight, format=format_id, block_size=params.block_size, nested_block=nested, impl=Impl.TRITON)


class _Tracing:
    """Runs work under the tracer, and gives its launches too."""

    def __init__(self, progress: ProgressCallback) -> None:
        self._tick = progress

    def __call__(self, step: str, format_id: FormatId, work: Callable[[], T]) -> tuple[T, tuple[Launch, ...]]:
        def told(done: float, total: float, _: str) -> None:
            self._tick(done, total, f"tracing {step} ({FORMATS[format_id].label})")

        with intercept(memory_budget_bytes=TRACE_BUDGET_BYTES, progress=told) as tracer:
            outcome = work()
        return outcome, tuple(tracer.launches)


def _add_stored_bits(findings: Draft) -> None:
    """'stored.*': NF4 at QLoRA's block sizes, counted from the bytes of the tensors that are really kept."""
    weight = torch.randn(_COUNTED, generator=torch.Generator().manual_seed(0))
    for name, nested in (("plain", 0), ("nested", PAPER_NESTED)):
        stored = quantize(weight, block_size=PAPER_BLOCK, nested_block=nested, impl=Impl.TORCH)
        findings.metrics[f"stored.{name}_bits"] = Metric(
            stored.bits_per_parameter, "bits", Provenance.MEASURED_CPU, f"{_COUNTED:,} weights in NF4, all tensors held"
        )


def nested_of(params: QuantizationParams, format_id: FormatId) -> int:
    return 0 if FORMATS[format_id].affine else params.nested


def products_of(launch: Launch) -> list[tuple[str, str, str]]:
    """Element types of left, right and accumulator of every product in the kernel's TTIR, such as ('bf16', 'bf16',
    'f32')."""
    found = [_DOT.search(line) for line in launch.ttir.splitlines() if "tt.dot " in line]
    return [match.groups() if match else ("?", "?", "?") for match in found]  # type: ignore[misc]


def _add_tables(findings: Draft, steps: Sequence[Traced]) -> None:
    tables: dict[str, list[Row]] = {"kernels": [], "lines": [], "sources": [], "products": []}
    for traced in steps:
        for index, launch in enumerate(traced.launches):
            names = _names(traced, index)
            tables["kernels"] += _touched(traced, index, launch, names)
            rows = kernel_tables(traced.step, [launch], names)
            tables["lines"] += rows["lines"]
            told = {(row["kernel"], row["function"]) for row in tables["sources"]}
            tables["sources"] += [row for row in rows["sources"] if (row["kernel"], row["function"]) not in told]
            tables["products"] += [
                {"step": traced.step, "function": launch.function, "left": left, "right": right, "accumulator": into}
                for left, right, into in products_of(launch)
            ]
    findings.tables.update(tables)


def _names(traced: Traced, index: int) -> dict[str, str]:
    """What each argument of a launch holds, told by where it lies in memory."""
    names = {}
    for buffer in traced.launches[index].buffers:
        name = traced.held.get(buffer.data_ptr) or _TABLES.get(buffer.name, buffer.name)
        # Under double quantization the scales of the first launch are those that the second one reads, and then gone.
        names[buffer.name] = "absmax" if traced.step == "quantize" and buffer.name == _passing(index) else name
    return names


def _passing(index: int) -> str:
    return "x_ptr" if index else "scale_ptr"


def _held(quantized: Quantized, *others: tuple[torch.Tensor, str]) -> dict[int, str]:
    """By address, the tensors of quantized weights and `others`."""
    found: list[tuple[torch.Tensor | None, str]] = [(quantized.codes, _CODES), (quantized.absmax, "absmax"), *others]
    if (nested := quantized.nested) is not None:
        found += [(nested.codes, "scale codes"), (nested.absmax, "scales of scales"), (nested.offset, "mean of scales")]
    if (affine := quantized.affine) is not None:
        found += [(affine.minimum, "minimum"), (affine.step, "step")]
    return {tensor.data_ptr(): name for tensor, name in found if tensor is not None}


def _touched(traced: Traced, index: int, launch: Launch, names: dict[str, str]) -> list[Row]:
    rows = []
    for buffer, counted in zip(launch.buffers, traffic(launch).buffers, strict=True):
        if not counted.unique_bytes:
            continue  # an argument that this format has no use for
        rows.append(
            {
                "step": traced.step,
                "format": traced.format.value,
                "function": launch.function,
                "launch": index,
                "tensor": names.get(buffer.name, buffer.name),
                "dtype": buffer.dtype,
                "elements": buffer.size_bytes // buffer.element_bytes,
                "read_bytes": counted.read_bytes,
                "written_bytes": counted.written_bytes,
                "unique_bytes": counted.unique_bytes,
            }
        )
    return rows


def _matmul_metrics(findings: Draft, format_id: FormatId, weights: int) -> dict[str, Metric]:
    rows = [row for row in findings.tables["kernels"] if row["step"] == "matmul"]
    types = [(row["left"], row["right"]) for row in findings.tables["products"] if row["step"] == "matmul"]
    codes = sum(row["unique_bytes"] for row in rows if row["tensor"] == _CODES)
    scales = sum(row["unique_bytes"] for row in rows if row["tensor"] in _SCALES)
    note = f"{FORMATS[format_id].label}, {_TOKENS} tokens; distinct bytes"
    metrics = {
        "matmul.weights": Metric(weights, "weights", Provenance.TRACED, "of the matrix whose product was traced"),
        "matmul.code_bytes": Metric(codes, "bytes", Provenance.TRACED, note),
        "matmul.scale_bytes": Metric(scales, "bytes", Provenance.TRACED, note),
        "matmul.read_bytes": Metric(sum(row["read_bytes"] for row in rows), "bytes", Provenance.TRACED, "of all loads"),
        "matmul.weight_bytes_bf16": Metric(2 * weights, "bytes", Provenance.MODELLED, "the same weights in bf16"),
    }
    if types:
        in_bf16 = all(pair == ("bf16", "bf16") for pair in types)
        shown = ", ".join(sorted({f"{left} x {right}" for left, right in types}))
        metrics["matmul.computes_bf16"] = Metric(
            float(in_bf16), "", Provenance.TRACED, f"products in the kernel's TTIR: {shown}"
        )
    return metrics
