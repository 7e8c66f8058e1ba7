"""Traces the Triton kernels on a small matrix of the page's weights: their memory traffic, and their products."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from core.contracts.result import KernelSource, LineTraffic, Metric, Provenance
from core.contracts.text import tr
from core.engine.phases import in_parts
from core.engine.steps import ProgressCallback
from core.interpreter import Launch, intercept
from core.topics.quantization.experiment.matrix import Matrix
from core.topics.quantization.labels import FORMAT_LABELS
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import PAPER_BLOCK, PAPER_NESTED, Product, StepTraffic
from core.trace.kernel_traffic import KernelTraffic, kernel_traffic
from core.trace.traffic import traffic
from kernels.quantization.api import Impl, MatmulPath, Quantized, dequantize, matmul, quantize
from kernels.quantization.formats import FORMATS, FormatId

T = TypeVar("T")
TRACE_BUDGET_BYTES = 1 << 30
"""The most memory that the tracer may use for intermediate tiles."""

_TOKENS = 32
_STORED_ELEMENTS = 1 << 18
_CODES, _SCALES = "codes", ("absmax", "scale codes", "scales of scales", "mean of scales", "minimum", "step")
_TABLES = {"levels_ptr": "levels", "nested_levels_ptr": "levels of scales", "boundaries_ptr": "boundaries"}
_STEPS = {"quantize": tr("quantize"), "dequantize": tr("dequantize"), "matmul": tr("matrix product")}
_DOT = re.compile(r"tt\.dot .*: tensor<[\dx]+x(\w+)\b.*?> \* tensor<[\dx]+x(\w+)\b.*?> -> tensor<[\dx]+x(\w+)\b")


@dataclass(frozen=True)
class TracedKernels:
    """Traffic and products of the three steps; the matrix product is of `weights` weights in the format `fused`."""

    fused: FormatId
    weights: int
    traffic: tuple[StepTraffic, ...]
    lines: tuple[LineTraffic, ...]
    sources: tuple[KernelSource, ...]
    products: tuple[Product, ...]


@dataclass(frozen=True)
class _Step:
    """One of the three steps, its launches, and the names of its tensors by address."""

    step: str
    format: FormatId
    names: dict[int, str]
    launches: tuple[Launch, ...]


def trace_kernels(params: QuantizationParams, matrix: Matrix, progress: ProgressCallback) -> TracedKernels:
    """Trace the kernels in the chosen format. The product uses NF4 if the chosen format has no fused kernel. Raises
    KernelError if a kernel does not accept its inputs."""
    chosen = FormatId(params.format)
    fused = chosen if FORMATS[chosen].bits == 4 and not FORMATS[chosen].affine else FormatId.NF4
    trace = _Tracing(in_parts(progress, 3 if fused is chosen else 4))
    weight = matrix.weight
    x = torch.randn(_TOKENS, weight.shape[1], generator=torch.Generator().manual_seed(params.seed)).to(weight)
    quantized, launches = trace("quantize", chosen, lambda: quantized_by_triton(weight, params, chosen))
    steps = [_Step("quantize", chosen, _names_by_address(quantized, (weight, "weights")), launches)]
    restored, launches = trace(
        "dequantize", chosen, lambda: dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TRITON)
    )
    steps.append(_Step("dequantize", chosen, _names_by_address(quantized, (restored, "weights")), launches))
    if fused is not chosen:
        quantized, _ = trace("quantize", fused, lambda: quantized_by_triton(weight, params, fused))
    out, launches = trace("matmul", fused, lambda: matmul(x, quantized, impl=Impl.TRITON, path=MatmulPath.FUSED))
    steps.append(_Step("matmul", fused, _names_by_address(quantized, (x, "x"), (out, "out")), launches))
    return _collect_traffic(steps, fused, weight.numel())


def quantized_by_triton(weight: torch.Tensor, params: QuantizationParams, format_id: FormatId) -> Quantized:
    nested = nested_of(params, format_id)
    return quantize(weight, format=format_id, block_size=params.block_size, nested_block=nested, impl=Impl.TRITON)


class _Tracing:
    """Runs functions under the tracer, and returns their launches too."""

    def __init__(self, progress: ProgressCallback) -> None:
        self._progress = progress

    def __call__(self, step: str, format_id: FormatId, work: Callable[[], T]) -> tuple[T, tuple[Launch, ...]]:
        phase = tr("tracing {step} ({format})", step=_STEPS[step], format=FORMAT_LABELS[format_id])

        def report(done: float, total: float, _: object) -> None:
            self._progress(done, total, phase)

        with intercept(memory_budget_bytes=TRACE_BUDGET_BYTES, progress=report) as tracer:
            outcome = work()
        return outcome, tuple(tracer.launches)


def stored_metrics() -> dict[str, Metric]:
    """'stored.*': NF4 at QLoRA's block sizes, counted from the bytes of the stored tensors."""
    weight = torch.randn(_STORED_ELEMENTS, generator=torch.Generator().manual_seed(0))
    note, metrics = tr("{weights:,} weights in NF4, all stored tensors", weights=_STORED_ELEMENTS), {}
    for name, nested in (("plain", 0), ("nested", PAPER_NESTED)):
        stored = quantize(weight, block_size=PAPER_BLOCK, nested_block=nested, impl=Impl.TORCH)
        bits = stored.bits_per_parameter
        metrics[f"stored.{name}_bits"] = Metric(bits, "bits", Provenance.MEASURED_CPU, note)
    return metrics


def nested_of(params: QuantizationParams, format_id: FormatId) -> int:
    return 0 if FORMATS[format_id].affine else params.nested


def products_of(launch: Launch) -> list[tuple[str, str, str]]:
    """Element types of left, right and accumulator of every product in the kernel's TTIR, such as ('bf16', 'bf16',
    'f32')."""
    matches = [_DOT.search(line) for line in launch.ttir.splitlines() if "tt.dot " in line]
    return [match.groups() if match else ("?", "?", "?") for match in matches]  # type: ignore[misc]


def _collect_traffic(steps: Sequence[_Step], fused: FormatId, weights: int) -> TracedKernels:
    step_traffic: list[StepTraffic] = []
    products: list[Product] = []
    shown = KernelTraffic()
    for step in steps:
        for index, launch in enumerate(step.launches):
            names = _names(step, index)
            step_traffic += _traffic(step, index, launch, names)
            shown += kernel_traffic(step.step, [launch], names)
            products += [Product(step.step, launch.function, *types) for types in products_of(launch)]
    sources = {(source.kernel, source.function): source for source in reversed(shown.sources)}
    return TracedKernels(
        fused, weights, tuple(step_traffic), shown.lines, tuple(reversed(sources.values())), tuple(products)
    )


def _names(step: _Step, index: int) -> dict[str, str]:
    """The name of each argument of a launch, by its address."""
    names = {}
    for buffer in step.launches[index].buffers:
        name = step.names.get(buffer.data_ptr) or _TABLES.get(buffer.name, buffer.name)
        # Under double quantization the scales of the first launch are temporary: the second launch reads them.
        names[buffer.name] = "absmax" if step.step == "quantize" and buffer.name == _scale_argument(index) else name
    return names


def _scale_argument(index: int) -> str:
    return "x_ptr" if index else "scale_ptr"


def _names_by_address(quantized: Quantized, *others: tuple[torch.Tensor, str]) -> dict[int, str]:
    """The names of the tensors of quantized weights and of `others`, by address."""
    named: list[tuple[torch.Tensor | None, str]] = [(quantized.codes, _CODES), (quantized.absmax, "absmax"), *others]
    if (nested := quantized.nested) is not None:
        named += [(nested.codes, "scale codes"), (nested.absmax, "scales of scales"), (nested.offset, "mean of scales")]
    if (affine := quantized.affine) is not None:
        named += [(affine.minimum, "minimum"), (affine.step, "step")]
    return {tensor.data_ptr(): name for tensor, name in named if tensor is not None}


def _traffic(step: _Step, index: int, launch: Launch, names: dict[str, str]) -> list[StepTraffic]:
    return [
        StepTraffic(
            kernel=step.step,
            function=launch.function,
            tensor=names.get(buffer.name, buffer.name),
            read_bytes=counted.read_bytes,
            written_bytes=counted.written_bytes,
            unique_bytes=counted.unique_bytes,
            format=step.format.value,
            launch=index,
            dtype=buffer.dtype,
            elements=buffer.size_bytes // buffer.element_bytes,
        )
        for buffer, counted in zip(launch.buffers, traffic(launch).buffers, strict=True)
        if counted.unique_bytes  # otherwise the format does not use the argument
    ]


def matmul_metrics(traced: TracedKernels) -> dict[str, Metric]:
    """The metrics 'matmul.*' of the traced product."""
    rows = [row for row in traced.traffic if row.kernel == "matmul"]
    types = [(product.left, product.right) for product in traced.products if product.step == "matmul"]
    codes = sum(row.unique_bytes for row in rows if row.tensor == _CODES)
    scales = sum(row.unique_bytes for row in rows if row.tensor in _SCALES)
    read, weights = sum(row.read_bytes for row in rows), traced.weights
    note = tr("{format}, {tokens} tokens; unique bytes", format=FORMAT_LABELS[traced.fused], tokens=_TOKENS)
    metrics = {
        "matmul.weights": Metric(weights, "weights", Provenance.TRACED, tr("of the matrix whose product was traced")),
        "matmul.code_bytes": Metric(codes, "bytes", Provenance.TRACED, note),
        "matmul.scale_bytes": Metric(scales, "bytes", Provenance.TRACED, note),
        "matmul.read_bytes": Metric(read, "bytes", Provenance.TRACED, tr("of all loads")),
        "matmul.weight_bytes_bf16": Metric(2 * weights, "bytes", Provenance.MODELLED, tr("the same weights in bf16")),
    }
    if types:
        in_bf16 = all(pair == ("bf16", "bf16") for pair in types)
        shown = ", ".join(sorted({f"{left} x {right}" for left, right in types}))
        metrics["matmul.computes_bf16"] = Metric(
            float(in_bf16), "", Provenance.TRACED, tr("products in the kernel's TTIR: {products}", products=shown)
        )
    return metrics
