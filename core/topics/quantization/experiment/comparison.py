"""Compares times: the report's arithmetic and bitsandbytes on a CPU; kernels, copies and cuBLAS on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import torch

from core.checkpoint.measuring import Measurer, Quantization
from core.comparison import time_metrics
from core.contracts.result import Metric
from core.contracts.text import Text, tr, verbatim
from core.engine.steps import ProgressCallback
from core.hardware.compare import Comparison, Implementation, allowed_rms_error, checked, rounding_rms_error
from core.topics.quantization.experiment.matrix import Matrix
from core.topics.quantization.labels import operation_label
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import WeightImplResult
from kernels.errors import KernelError
from kernels.quantization.api import Impl, Quantized, dequantize, matmul, quantize
from kernels.quantization.formats import FORMATS, FormatId

_CPU_SIZE = (256, 4096)
_GPU_SIZE = (16384, 8192)  # 134 million weights: a GEMV needs as many before memory alone decides
_TOKENS = 512
_BUDGET_S = 3.0
_FORMAT = FormatId.NF4


def size_on(device: str) -> tuple[int, int]:
    """Rows and columns of the matrix that is used for timing."""
    return _GPU_SIZE if torch.device(device).type == "cuda" else _CPU_SIZE


def compare(params: QuantizationParams, matrix: Matrix, progress: ProgressCallback) -> tuple[WeightImplResult, ...]:
    """Time every operation of the device, in NF4 at the chosen block size. All outputs are checked before timing."""
    comparisons = _on_gpu(params, matrix) if matrix.device.type == "cuda" else [_on_cpu(params, matrix)]
    checked_results = [comparison.check() for comparison in comparisons]
    timed: list[WeightImplResult] = []
    for comparison, results in zip(comparisons, checked_results, strict=True):
        progress(
            len(timed),
            sum(map(len, checked_results)),
            tr("timing {operation}", operation=operation_label(results[0].operation)),
        )
        timed += comparison.time(results)
    return tuple(
        replace(result, bytes_per_s=result.bytes / result.time_ms * 1e3) if result.time_ms else result
        for result in timed
    )


def comparison_metrics(results: Iterable[WeightImplResult]) -> dict[str, Metric]:
    """'{operation}.{impl}.time_ms' and '.bytes_per_s' of the timed implementations."""
    metrics: dict[str, Metric] = {}
    for result in results:
        if result.bytes_per_s is not None:
            metrics |= time_metrics(result.name, result, tr("{weights:,} weights", weights=result.elements))
            note = metrics[f"{result.name}.time_ms"].note
            metrics[f"{result.name}.bytes_per_s"] = Metric(result.bytes_per_s, "B/s", result.measured, note)
    return metrics


def _on_cpu(params: QuantizationParams, matrix: Matrix) -> Comparison[WeightImplResult]:
    """The power of NF4's error on bf16 weights, which is what a report computes: by this page, and by bitsandbytes."""
    weight = matrix.weight
    stored = weight.view(torch.uint16).numpy().ravel()
    quantization = Quantization((_FORMAT,), params.block_size)
    reference = _error_power(_dequantized_in_float64(weight, params.block_size), weight.double())
    allowed = 1e-4 * float(reference)  # a code on a boundary may go either way

    def by_report() -> torch.Tensor:
        measurer = Measurer()
        try:
            measured = measurer.measure(lambda: [stored], stored.size, quantization, lambda elements: None)
        finally:
            measurer.close()
        return torch.tensor(float(measured.errors[_FORMAT].error.sum()), dtype=torch.float64)

    def by_bitsandbytes() -> torch.Tensor:
        quantized = _quantized(weight, params.block_size, Impl.BITSANDBYTES)
        return _error_power(dequantize(quantized, dtype=torch.float32, impl=Impl.BITSANDBYTES), weight.float())

    add = _implementations_of("error", weight.numel())
    moved_bytes = 2.0 * weight.numel()
    return Comparison(
        (
            add("numpy", tr("report of this page (numpy)"), moved_bytes, by_report),
            add("bitsandbytes", tr("bitsandbytes: quantize, dequantize, error"), moved_bytes, by_bitsandbytes),
        ),
        lambda result, out: checked(result, out, reference, allowed),
        matrix.device,
        budget_s=_BUDGET_S,
    )


def _on_gpu(params: QuantizationParams, matrix: Matrix) -> list[Comparison[WeightImplResult]]:
    weight = matrix.weight
    quantized = _quantized(weight, params.block_size, Impl.TRITON)
    restored = dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TORCH)
    return [
        _dequantizing(params, weight, quantized),
        _product("gemv", 1, params, quantized, restored),
        _product("matmul", _TOKENS, params, quantized, restored),
    ]


def _dequantizing(
    params: QuantizationParams, weight: torch.Tensor, quantized: Quantized
) -> Comparison[WeightImplResult]:
    """Dequantizing, compared with a copy of as many bytes, which shows the speed of the memory."""
    reference = _dequantized_in_float64(weight, params.block_size)
    allowed = rounding_rms_error(reference, torch.bfloat16)
    moved_bytes = float(quantized.nbytes + 2 * weight.numel())
    by_bitsandbytes = _value_or_error(lambda: _quantized(weight, params.block_size, Impl.BITSANDBYTES))
    source = torch.randint(0, 255, (int(moved_bytes) // 2,), dtype=torch.uint8, device=weight.device)
    target = torch.empty_like(source)

    def assess(result: WeightImplResult, out: torch.Tensor) -> WeightImplResult:
        if result.impl == "copy":
            return checked(result, out, source.double(), 0.0)
        return checked(result, out, reference, allowed)

    add = _implementations_of("dequantize", weight.numel())
    return Comparison(
        (
            add("triton", verbatim("Triton"), moved_bytes,
                lambda: dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TRITON)),
            add("bitsandbytes", verbatim("bitsandbytes"), moved_bytes,
                lambda: dequantize(_value_or_raise(by_bitsandbytes), dtype=torch.bfloat16, impl=Impl.BITSANDBYTES)),
            add("copy", tr("copy of as many bytes"), moved_bytes, lambda: target.copy_(source)),
        ),
        assess,
        weight.device,
        budget_s=_BUDGET_S,
    )  # fmt: skip


def _product(
    operation: str, tokens: int, params: QuantizationParams, quantized: Quantized, restored: torch.Tensor
) -> Comparison[WeightImplResult]:
    """x [tokens, columns] times the transposed weights [rows, columns]."""
    generator = torch.Generator().manual_seed(params.seed)
    x = torch.randn(tokens, restored.shape[1], generator=generator).to(restored)
    reference = x.double() @ restored.double().T
    allowed = allowed_rms_error(x @ restored.T, reference)
    io = 2.0 * (x.numel() + tokens * restored.shape[0])
    in_4_bits, in_bf16 = io + quantized.nbytes, io + 2.0 * restored.numel()
    add = _implementations_of(operation, restored.numel())
    return Comparison(
        (
            add("triton", tr("Triton, 4-bit weights"), in_4_bits, lambda: matmul(x, quantized, impl=Impl.TRITON)),
            add("bitsandbytes", tr("bitsandbytes, 4-bit weights"), in_4_bits,
                lambda: matmul(x, quantized, impl=Impl.BITSANDBYTES)),
            add("dequantize-cublas", tr("dequantize (Triton), then cuBLAS"), in_4_bits,
                lambda: x @ dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TRITON).T),
            add("cublas-bf16", tr("cuBLAS, bf16 weights"), in_bf16, lambda: x @ restored.T),
        ),
        lambda result, out: checked(result, out, reference, allowed),
        restored.device,
        budget_s=_BUDGET_S,
    )  # fmt: skip


def _implementations_of(
    operation: str, elements: int
) -> Callable[[str, Text, float, Callable[[], torch.Tensor]], Implementation[WeightImplResult]]:
    """A function that makes an implementation of the operation from its id, its label, the least number of bytes that
    it moves, and the function to run."""

    def implementation(
        impl: str, label: Text, moved_bytes: float, run: Callable[[], torch.Tensor]
    ) -> Implementation[WeightImplResult]:
        result = WeightImplResult(impl, label, operation=operation, elements=elements, bytes=moved_bytes)
        return Implementation(result, run)

    return implementation


def _quantized(weight: torch.Tensor, block_size: int, impl: Impl) -> Quantized:
    return quantize(weight, format=_FORMAT, block_size=block_size, nested_block=0, impl=impl)


def _dequantized_in_float64(weight: torch.Tensor, block_size: int) -> torch.Tensor:
    """The weights in NF4 by its definition: the nearest level times absmax."""
    levels = torch.from_numpy(FORMATS[_FORMAT].levels.copy()).to(weight.device)
    boundaries = torch.from_numpy(np.asarray(FORMATS[_FORMAT].boundaries)).to(weight.device)
    blocks = weight.double().reshape(-1, block_size)
    absmax = blocks.abs().amax(1, keepdim=True)
    codes = torch.bucketize(blocks / absmax.clamp(min=1e-38), boundaries)
    return (levels[codes] * absmax).reshape(weight.shape)


def _error_power(restored: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (restored - weight).square().sum(dtype=torch.float64)


def _value_or_error(make: Callable[[], Quantized]) -> Quantized | KernelError:
    try:
        return make()
    except KernelError as error:
        return error


def _value_or_raise(outcome: Quantized | KernelError) -> Quantized:
    if isinstance(outcome, KernelError):
        raise outcome
    return outcome
