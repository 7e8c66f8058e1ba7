"""Times, side by side: the report's arithmetic and bitsandbytes' on a CPU; kernels, copies and cuBLAS on a GPU."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from core.checkpoint.measuring import Measurer, Quantization
from core.contracts.result import Metric, Provenance, Row
from core.engine.steps import ProgressCallback
from core.hardware.timing import Candidate, Check, Timing, check_against, time_candidates
from core.topics.quantization.experiment.matrix import Matrix
from core.topics.quantization.params import QuantizationParams
from kernels.errors import KernelError
from kernels.quantization.api import Impl, Quantized, dequantize, matmul, quantize
from kernels.quantization.formats import FORMATS, FormatId

_CPU_SIZE = (256, 4096)
_GPU_SIZE = (16384, 8192)  # 134 million weights: a GEMV needs as many before memory alone decides
_TOKENS = 512
_FACTOR = 3.0
_ROUNDS, _BUDGET_S = 15, 3.0
_FORMAT = FormatId.NF4


@dataclass(frozen=True)
class Contender:
    """One implementation of an operation on `elements` weights. `moved_bytes` is what it must at least read and write;
    `runs_on` is 'cuda', 'cpu' or 'unavailable', and then `reason` says why."""

    operation: str
    impl: str
    label: str
    elements: int
    moved_bytes: float
    run: Callable[[], torch.Tensor] | None = None
    runs_on: str = "unavailable"
    reason: str = ""
    check: Check | None = None
    timing: Timing | None = None

    @property
    def name(self) -> str:
        return f"{self.operation}.{self.impl}"

    def as_row(self) -> Row:
        check, timing = self.check, self.timing
        return {
            "operation": self.operation,
            "impl": self.impl,
            "label": self.label,
            "runs_on": self.runs_on,
            "reason": self.reason,
            "elements": self.elements,
            "bytes": self.moved_bytes,
            "time_ms": timing.median_ms if timing else None,
            "time_ms_samples": timing.samples_ms.tolist() if timing else [],
            "bytes_per_s": self.moved_bytes / timing.median_ms * 1e3 if timing else None,
            "peak_memory_bytes": timing.peak_memory_bytes if timing else None,
            "max_abs_error": _finite(check.max_abs_error) if check else None,
            "rms_error": _finite(check.rms_error) if check else None,
            "allowed_rms_error": check.allowed_rms_error if check else None,
            "passed": check.passed if check else None,
        }


def size_on(device: str) -> tuple[int, int]:
    """Rows and columns of the matrix to time with."""
    return _GPU_SIZE if torch.device(device).type == "cuda" else _CPU_SIZE


def compare(
    params: QuantizationParams, matrix: Matrix, progress: ProgressCallback
) -> tuple[list[Row], dict[str, Metric]]:
    """'comparison' and its metrics, in NF4 at the chosen block size. Everything is checked before it is timed."""
    device = matrix.device
    contenders = _on_gpu(params, matrix) if device.type == "cuda" else _on_cpu(params, matrix)
    timed: list[Contender] = []
    for operation in dict.fromkeys(contender.operation for contender in contenders):
        progress(len(timed), len(contenders), f"timing {operation}")
        timed += _timed([each for each in contenders if each.operation == operation], device)
    return [contender.as_row() for contender in timed], _metrics(timed)


def _timed(contenders: list[Contender], device: torch.device) -> list[Contender]:
    candidates = [Candidate(c.name, c.run, c.check) for c in contenders if c.run and c.check and c.check.passed]
    timings = time_candidates(candidates, device, rounds=_ROUNDS, warm_up_rounds=1, budget_s=_BUDGET_S)
    return [replace(c, timing=timings.get(c.name)) for c in contenders]


def _on_cpu(params: QuantizationParams, matrix: Matrix) -> list[Contender]:
    """What a report asks of bf16 weights: the power of the error of NF4. By this page, and by bitsandbytes."""
    weight = matrix.weight
    stored = weight.view(torch.uint16).numpy().ravel()
    how = Quantization((_FORMAT,), params.block_size)
    reference = _error_power(_dequantized_in_float64(weight, params.block_size), weight.double())

    def ours() -> torch.Tensor:
        measurer = Measurer()
        try:
            found = measurer.measure(lambda: [stored], stored.size, how, lambda elements: None)
        finally:
            measurer.close()
        return torch.tensor(float(found.errors[_FORMAT].error.sum()), dtype=torch.float64)

    def theirs() -> torch.Tensor:
        quantized = _quantized(weight, params.block_size, Impl.BITSANDBYTES)
        return _error_power(dequantize(quantized, dtype=torch.float32, impl=Impl.BITSANDBYTES), weight.float())

    moved = 2.0 * weight.numel()
    make = partial(_checked, operation="error", elements=weight.numel(), moved=moved, reference=reference)
    allowed = 1e-4 * float(reference)  # a code on a boundary may go either way
    return [
        make(impl="numpy", label="this page's report (numpy)", run=ours, allowed=allowed, device="cpu"),
        make(impl="bitsandbytes", label="bitsandbytes: quantize, dequantize, error", run=theirs, allowed=allowed,
             device="cpu"),
    ]  # fmt: skip


def _on_gpu(params: QuantizationParams, matrix: Matrix) -> list[Contender]:
    weight = matrix.weight
    quantized = _quantized(weight, params.block_size, Impl.TRITON)
    restored = dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TORCH)
    return [
        *_dequantize_contenders(params, weight, quantized),
        *_product_contenders("gemv", 1, params, quantized, restored),
        *_product_contenders("matmul", _TOKENS, params, quantized, restored),
    ]


def _dequantize_contenders(params: QuantizationParams, weight: torch.Tensor, quantized: Quantized) -> list[Contender]:
    reference = _dequantized_in_float64(weight, params.block_size)
    moved = float(quantized.nbytes + 2 * weight.numel())
    allowed = _half_a_unit(reference)
    make = partial(_checked, operation="dequantize", elements=weight.numel(), moved=moved, device="cuda")
    theirs = _or_reason(lambda: _quantized(weight, params.block_size, Impl.BITSANDBYTES))
    source = torch.randint(0, 255, (int(moved) // 2,), dtype=torch.uint8, device=weight.device)
    target = torch.empty_like(source)
    return [
        make(impl="triton", label="Triton", reference=reference, allowed=allowed,
             run=lambda: dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TRITON)),
        make(impl="bitsandbytes", label="bitsandbytes", reference=reference, allowed=allowed,
             run=lambda: dequantize(_given(theirs), dtype=torch.bfloat16, impl=Impl.BITSANDBYTES)),
        make(impl="copy", label="copy of as many bytes", reference=source.double(), allowed=0.0,
             run=lambda: target.copy_(source)),
    ]  # fmt: skip


def _product_contenders(
    operation: str, tokens: int, params: QuantizationParams, quantized: Quantized, restored: torch.Tensor
) -> list[Contender]:
    """x [tokens, columns] times the weights, which are [rows, columns]."""
    generator = torch.Generator().manual_seed(params.seed)
    x = torch.randn(tokens, restored.shape[1], generator=generator).to(restored)
    reference = x.double() @ restored.double().T
    own = check_against(x @ restored.T, reference, math.inf).rms_error
    allowed = max(_FACTOR * own, _half_a_unit(reference))
    io = 2.0 * (x.numel() + tokens * restored.shape[0])
    make = partial(
        _checked,
        operation=operation,
        elements=restored.numel(),
        reference=reference,
        allowed=allowed,
        device="cuda",
    )
    return [
        make(impl="triton", label="Triton, weights in 4 bits", moved=io + quantized.nbytes,
             run=lambda: matmul(x, quantized, impl=Impl.TRITON)),
        make(impl="bitsandbytes", label="bitsandbytes, weights in 4 bits", moved=io + quantized.nbytes,
             run=lambda: matmul(x, quantized, impl=Impl.BITSANDBYTES)),
        make(impl="dequantize-cublas", label="dequantize (Triton), then cuBLAS", moved=io + quantized.nbytes,
             run=lambda: x @ dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TRITON).T),
        make(impl="cublas-bf16", label="cuBLAS, weights in bf16", moved=io + 2.0 * restored.numel(),
             run=lambda: x @ restored.T),
    ]  # fmt: skip


def _checked(
    *,
    operation: str,
    impl: str,
    label: str,
    elements: int,
    moved: float,
    run: Callable[[], torch.Tensor],
    reference: torch.Tensor,
    allowed: float,
    device: str,
) -> Contender:
    contender = Contender(operation, impl, label, elements, moved)
    try:
        out = run()
    except KernelError as error:
        return replace(contender, reason=str(error))
    return replace(contender, run=run, runs_on=device, check=check_against(out, reference, allowed))


def _quantized(weight: torch.Tensor, block_size: int, impl: Impl) -> Quantized:
    return quantize(weight, format=_FORMAT, block_size=block_size, nested_block=0, impl=impl)


def _dequantized_in_float64(weight: torch.Tensor, block_size: int) -> torch.Tensor:
    """NF4 of the weights by its definition: the nearest of the levels times absmax."""
    levels = torch.from_numpy(FORMATS[_FORMAT].levels.copy()).to(weight.device)
    boundaries = torch.from_numpy(np.asarray(FORMATS[_FORMAT].boundaries)).to(weight.device)
    blocks = weight.double().reshape(-1, block_size)
    absmax = blocks.abs().amax(1, keepdim=True)
    codes = torch.bucketize(blocks / absmax.clamp(min=1e-38), boundaries)
    return (levels[codes] * absmax).reshape(weight.shape)


def _error_power(restored: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (restored - weight).square().sum(dtype=torch.float64)


def _half_a_unit(reference: torch.Tensor) -> float:
    return torch.finfo(torch.bfloat16).eps / 2 * float(reference.square().mean().sqrt())


def _or_reason(make: Callable[[], Quantized]) -> Quantized | KernelError:
    try:
        return make()
    except KernelError as error:
        return error


def _given(found: Quantized | KernelError) -> Quantized:
    if isinstance(found, KernelError):
        raise found
    return found


def _metrics(contenders: list[Contender]) -> dict[str, Metric]:
    metrics = {}
    for contender in contenders:
        if (timing := contender.timing) is None:
            continue
        provenance = Provenance.MEASURED if timing.device == "cuda" else Provenance.MEASURED_CPU
        note = f"{contender.elements:,} weights, median of {len(timing.samples_ms)}, spread {timing.spread_ms:.3g} ms"
        metrics[f"{contender.name}.time_ms"] = Metric(timing.median_ms, "ms", provenance, note)
        per_s = contender.moved_bytes / timing.median_ms * 1e3
        metrics[f"{contender.name}.bytes_per_s"] = Metric(per_s, "B/s", provenance, note)
    return metrics


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
