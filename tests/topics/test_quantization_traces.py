"""What the page tells of the Triton kernels: traced bytes, products, agreement and times."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from core.contracts.result import Provenance
from core.hardware import compare
from core.topics.quantization.experiment import agreement, comparison
from core.topics.quantization.experiment.agreement import agreement_metrics, agreement_rows
from core.topics.quantization.experiment.kernels import TracedKernels, matmul_metrics, stored_metrics, trace_kernels
from core.topics.quantization.experiment.matrix import ROWS, Matrix, matrix_of
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import Product, StepTraffic
from kernels.errors import Unavailable
from kernels.quantization.api import Impl, Quantized
from kernels.quantization.formats import FORMATS, FormatId
from kernels.quantization.torch_impl import pack, stored_codes

pytest.importorskip("triton")

WEIGHTS = ROWS * 256


def ignored(done: float, total: float, phase: str) -> None:
    pass


@cache
def traced(**changes: object) -> TracedKernels:
    params = QuantizationParams.parse(changes)
    return trace_kernels(params, matrix_of(params, None, "cpu"), ignored)


def touched(kernels: TracedKernels, step: str) -> dict[str, StepTraffic]:
    return {row.tensor: row for row in kernels.traffic if row.kernel == step}


def test_that_nf4_is_read_at_half_a_byte_a_weight_and_multiplied_in_bf16() -> None:
    kernels = traced()
    for step in ("dequantize", "matmul"):
        rows = touched(kernels, step)
        assert rows["codes"].read_bytes == rows["codes"].unique_bytes == WEIGHTS // 2
        assert rows["scale codes"].unique_bytes == WEIGHTS // 64
        assert rows["scales of scales"].unique_bytes == 4 * WEIGHTS // (64 * 256)
        assert rows["mean of scales"].unique_bytes == 4
    assert set(touched(kernels, "matmul")) == {
        "x", "codes", "levels", "scale codes", "levels of scales", "scales of scales", "mean of scales", "out",
    }  # fmt: skip
    assert touched(kernels, "dequantize")["weights"].written_bytes == 2 * WEIGHTS
    assert touched(kernels, "quantize")["weights"].read_bytes == 2 * WEIGHTS
    assert touched(kernels, "quantize")["codes"].written_bytes == WEIGHTS // 2
    assert kernels.products == (Product("matmul", "fused_matmul_kernel", "bf16", "bf16", "f32"),)
    metrics = stored_metrics() | matmul_metrics(kernels)
    assert {name: metrics[f"matmul.{name}"].value for name in ("weights", "code_bytes", "computes_bf16")} == {
        "weights": WEIGHTS, "code_bytes": WEIGHTS // 2, "computes_bf16": 1,
    }  # fmt: skip
    assert metrics["matmul.code_bytes"].provenance is Provenance.TRACED
    assert metrics["matmul.scale_bytes"].value == WEIGHTS // 64 + 4 * WEIGHTS // (64 * 256) + 4


def test_that_scales_are_float32_without_double_quantization() -> None:
    kernels = traced(double_quantization=False)
    assert touched(kernels, "matmul")["absmax"].unique_bytes == 4 * WEIGHTS // 64
    assert "scale codes" not in touched(kernels, "matmul")
    assert matmul_metrics(kernels)["matmul.scale_bytes"].value == 4 * WEIGHTS // 64


def test_that_a_format_without_a_fused_product_leaves_that_to_nf4() -> None:
    kernels = traced(format="int8", block_size=512)
    assert {row.kernel: row.format for row in kernels.traffic} == {
        "quantize": "int8", "dequantize": "int8", "matmul": "nf4",
    }  # fmt: skip
    weights = ROWS * 512
    assert touched(kernels, "dequantize")["codes"].read_bytes == weights
    assert matmul_metrics(kernels)["matmul.code_bytes"].value == weights // 2
    assert {"minimum", "step"} <= set(touched(traced(format="int4-affine"), "dequantize"))


def test_that_the_source_tab_has_each_kernel_and_its_lines() -> None:
    kernels = traced()
    shown = {(source.kernel, source.function) for source in kernels.sources}
    assert {kernel for kernel, _ in shown} == {"quantize", "dequantize", "matmul"}
    assert len(kernels.sources) == len(shown)
    assert all("tt.func" in source.ttir and "tl." in source.text for source in kernels.sources)
    assert {line.kernel for line in kernels.lines} == {"quantize", "dequantize", "matmul"}


@pytest.mark.parametrize("changes", [{}, {"block_size": 16, "distribution": "student-t", "tail": 3}])
def test_that_triton_numpy_and_bitsandbytes_give_the_same_codes(changes: dict[str, object]) -> None:
    params = QuantizationParams.parse({"timing": True, **changes})
    rows = agreement_rows(params, matrix_of(params, None, "cpu"), ignored)
    assert [row.format for row in rows if row.other == "numpy"] == list(FORMATS)
    assert [row.format for row in rows if row.other == "bitsandbytes"] == ["nf4", "fp4-e2m1"]
    for row in rows:
        assert row.runs_on == "emulated"
        if row.other == "bitsandbytes" and params.block_size < 32:
            assert "blocks of 32 to 4096" in str(row.reason)
            continue
        assert (row.differing_codes, row.differing_scales, str(row.reason)) == (0, 0, ""), row
        assert row.max_abs_difference <= 1e-5
    metrics = agreement_metrics(rows)
    assert {name: metric.value for name, metric in metrics.items()} == {
        f"agreement.{format_id}.differing_codes": 0 for format_id in FORMATS
    }
    assert {metric.provenance for metric in metrics.values()} == {Provenance.TRACED}


def test_that_a_code_that_differs_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    params = QuantizationParams(double_quantization=False)
    matrix = matrix_of(params, None, "cpu")
    other = Matrix(matrix.weight, is_repeated=False)
    other.values[0] = -other.values[0]  # numpy is given another weight than Triton
    rows = agreement_rows(params, other, ignored)
    counts = {row.format: row.differing_codes for row in rows}
    assert agreement_metrics(rows)["agreement.nf4.differing_codes"].value == 1
    assert counts["nf4"] == counts["int8"] == 1
    assert counts["int4-affine"] >= 1


@pytest.mark.parametrize("nested", [False, True])
def test_that_a_scale_that_differs_is_counted(nested: bool) -> None:
    params = QuantizationParams(double_quantization=nested)
    other = Matrix(matrix_of(params, None, "cpu").weight, is_repeated=False)
    largest = np.abs(other.values[:64]).argmax()
    other.values[largest] *= np.float32(1.02)
    rows = {row.format: row for row in agreement_rows(params, other, ignored)}
    assert rows["nf4"].differing_scales >= 1


def test_that_two_codes_of_zero_are_one_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """bitsandbytes' CUDA build stores the other zero of FP4."""
    original = agreement.quantize

    def with_the_other_zero(*args: object, impl: Impl, **options: object) -> Quantized:
        quantized = original(*args, impl=impl, **options)  # type: ignore[arg-type]
        if impl is not Impl.BITSANDBYTES:
            return quantized
        codes = stored_codes(quantized)
        swapped.append(int((codes == 0).sum()))
        return replace(quantized, codes=pack(torch.where(codes == 0, 8, torch.where(codes == 8, 0, codes))))

    swapped: list[int] = []
    monkeypatch.setattr(agreement, "quantize", with_the_other_zero)
    monkeypatch.setattr(agreement, "FORMATS", {FormatId.FP4_E2M1: FORMATS[FormatId.FP4_E2M1]})
    params = QuantizationParams(timing=True)
    rows = {row.other: row for row in agreement_rows(params, matrix_of(params, None, "cpu"), ignored)}
    if rows["bitsandbytes"].reason:
        pytest.skip(str(rows["bitsandbytes"].reason))
    assert swapped[0] > 0
    assert rows["bitsandbytes"].differing_codes == 0


def test_that_on_a_cpu_reports_are_timed_beside_bitsandbytes_and_no_kernel_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "ROUNDS", 3)
    params = QuantizationParams(timing=True)
    results = comparison.compare(params, matrix_of(params, None, "cpu", 8, 512), ignored)
    metrics = comparison.comparison_metrics(results)
    assert [(row.operation, row.impl, row.runs_on) for row in results] == [
        ("error", "numpy", "cpu"),
        ("error", "bitsandbytes", "cpu"),
    ]
    for row in results:
        assert row.passed
        assert row.time_ms > 0
        assert len(row.time_ms_samples) == 3
        assert row.bytes == 2 * 8 * 512
    assert metrics["error.numpy.time_ms"].provenance is Provenance.MEASURED_CPU
    assert set(metrics) == {
        f"error.{impl}.{name}" for impl in ("numpy", "bitsandbytes") for name in ("time_ms", "bytes_per_s")
    }


def test_that_what_is_not_there_or_is_wrong_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*args: object, **options: object) -> Quantized:
        raise Unavailable("bitsandbytes is not installed here: pip install bitsandbytes.")

    monkeypatch.setattr(compare, "ROUNDS", 3)
    monkeypatch.setattr(comparison, "quantize", absent)
    monkeypatch.setattr(comparison, "_error_power", lambda restored, weight: torch.tensor(7.0, dtype=torch.float64))
    params = QuantizationParams(timing=True)
    results = comparison.compare(params, matrix_of(params, None, "cpu", 8, 512), ignored)
    metrics = comparison.comparison_metrics(results)
    assert (results[1].runs_on, results[1].time_ms) == ("unavailable", None)
    assert "pip install" in str(results[1].reason)
    assert (results[0].passed, results[0].time_ms) == (False, None)
    assert metrics == {}


def test_that_the_gpus_implementations_agree_where_torch_stands_in_for_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU's list cannot be timed without one; that each of its computations is right can be seen on a CPU."""
    for name in ("quantize", "dequantize", "matmul"):
        original = getattr(comparison, name)

        def stand_in(*args: object, original: object = original, impl: Impl, **options: object) -> object:
            return original(*args, impl=Impl.TORCH if impl is Impl.TRITON else impl, **options)  # type: ignore[operator]

        monkeypatch.setattr(comparison, name, stand_in)
    params = QuantizationParams()
    comparisons = comparison._on_gpu(params, matrix_of(params, None, "cpu", 16, 256))
    results = [result for compared in comparisons for result in compared.check()]
    assert [result.name for result in results] == [
        "dequantize.triton", "dequantize.bitsandbytes", "dequantize.copy",
        "gemv.triton", "gemv.bitsandbytes", "gemv.dequantize-cublas", "gemv.cublas-bf16",
        "matmul.triton", "matmul.bitsandbytes", "matmul.dequantize-cublas", "matmul.cublas-bf16",
    ]  # fmt: skip
    for result in results:
        assert result.passed, (result.name, result.reason)
    copied = next(result for result in results if result.impl == "copy")
    assert copied.bytes == 16 * 256 * (0.5 + 4 / 64 + 2)


def test_that_too_few_weights_for_the_matrix_are_repeated_and_reported() -> None:
    matrix = matrix_of(QuantizationParams(blocks=1, block_size=16), None, "cpu")
    assert matrix.is_repeated
    assert matrix.weight.shape == (ROWS, 256)
    assert torch.equal(matrix.weight[0, :16], matrix.weight[5, 16:32])
    assert not matrix_of(QuantizationParams(), None, "cpu").is_repeated
