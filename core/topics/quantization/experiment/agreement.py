"""Compares the codes of the Triton kernels with those of this page's numpy code and of bitsandbytes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext

import numpy as np
import torch

from core.checkpoint.coding import absmax_of, coder, normalize, quantized_scales, restored_weights
from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, Text, tr
from core.engine.steps import ProgressCallback
from core.interpreter import intercept
from core.topics.quantization.experiment.kernels import TRACE_BUDGET_BYTES, nested_of, quantized_by_triton
from core.topics.quantization.experiment.matrix import Matrix
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.result import Agreement
from core.wording import reason_of
from kernels.errors import KernelError
from kernels.quantization.api import Impl, Quantized, dequantize, quantize
from kernels.quantization.formats import FORMATS, FormatId
from kernels.quantization.tables import tables
from kernels.quantization.torch_impl import scales, stored_codes


def agreement_rows(params: QuantizationParams, matrix: Matrix, progress: ProgressCallback) -> tuple[Agreement, ...]:
    """Every format against numpy at the chosen block size; with `timing` also against bitsandbytes, for its formats."""
    rows: list[Agreement] = []
    for done, format_id in enumerate(FORMATS):
        progress(done, len(FORMATS), tr("comparing codes"))
        try:
            quantized, restored = _by_triton(params, matrix, format_id)
        except KernelError as error:
            rows.append(_row(params, matrix, format_id, "numpy", reason=reason_of(error)))
            continue
        rows.append(_against_numpy(params, matrix, quantized, restored))
        if params.timing and format_id in (FormatId.NF4, FormatId.FP4_E2M1):
            rows.append(_against_bitsandbytes(params, matrix, quantized, restored))
    return tuple(rows)


def agreement_metrics(rows: Iterable[Agreement]) -> dict[str, Metric]:
    """'agreement.{format}.differing_codes' against numpy, for the formats that were compared."""
    return {
        f"agreement.{row.format}.differing_codes": Metric(
            float(row.differing_codes),
            "codes",
            Provenance.MEASURED if row.runs_on == "cuda" else Provenance.TRACED,
            tr("of {codes:,}: the Triton kernel compared with this page's numpy code", codes=row.elements),
        )
        for row in rows
        if row.other == "numpy" and row.differing_codes is not None
    }


def _by_triton(params: QuantizationParams, matrix: Matrix, format_id: FormatId) -> tuple[Quantized, torch.Tensor]:
    """Quantize and dequantize with the Triton kernels. Without a GPU their IR is executed and traced."""
    emulated = intercept(memory_budget_bytes=TRACE_BUDGET_BYTES) if matrix.device.type == "cpu" else nullcontext()
    with emulated:
        quantized = quantized_by_triton(matrix.weight, params, format_id)
        return quantized, dequantize(quantized, dtype=torch.float32, impl=Impl.TRITON)


def _against_numpy(
    params: QuantizationParams, matrix: Matrix, quantized: Quantized, restored: torch.Tensor
) -> Agreement:
    blocks = matrix.values.reshape(-1, params.block_size)
    absmax = absmax_of(blocks)
    nested = nested_of(params, quantized.format)
    codes = stored_codes(quantized).cpu().numpy()
    if quantized.affine is not None:
        step = quantized.affine.step.cpu().numpy()[:, None]
        lowest = blocks.min(axis=1, keepdims=True)
        by_numpy = restored_weights(matrix.values, quantized.format, params.block_size, 0).reshape(blocks.shape)
        differing = np.rint((by_numpy - lowest) / step).ravel() != codes
        scales_differing = int((np.abs(quantized.affine.minimum.cpu().numpy() - lowest[:, 0]) > 0).sum())
    else:
        by_numpy = coder(quantized.format).nearest_by_search(normalize(blocks, absmax).ravel())
        differing = by_numpy != tables(quantized.format).levels[codes]
        if quantized.nested is not None:
            differing_scales = quantized_scales(absmax, nested)[0] != quantized.nested.codes.cpu().numpy()
        else:
            differing_scales = absmax != scales(quantized).cpu().numpy()
        scales_differing = int(differing_scales.sum())
    numpy_restored = restored_weights(matrix.values, quantized.format, params.block_size, nested)
    difference = np.abs(restored.cpu().numpy().ravel() - numpy_restored).max()
    return _row(
        params, matrix, quantized.format, "numpy",
        codes=int(differing.sum()), scales=scales_differing, difference=float(difference),
    )  # fmt: skip


def _against_bitsandbytes(
    params: QuantizationParams, matrix: Matrix, quantized: Quantized, restored: torch.Tensor
) -> Agreement:
    nested = quantized.nested_block
    try:
        by_bitsandbytes = quantize(
            matrix.weight,
            format=quantized.format,
            block_size=params.block_size,
            nested_block=nested,
            impl=Impl.BITSANDBYTES,
        )
        restored_by_bitsandbytes = dequantize(by_bitsandbytes, dtype=torch.float32, impl=Impl.TORCH)
    except KernelError as error:
        return _row(params, matrix, quantized.format, "bitsandbytes", reason=reason_of(error))
    levels = tables(quantized.format).levels  # not codes: the CUDA build stores the other one of FP4's two zeros
    if quantized.nested is not None:
        assert by_bitsandbytes.nested is not None
        scales_differing = int((quantized.nested.codes != by_bitsandbytes.nested.codes).sum())
    else:
        scales_differing = int((scales(quantized) != scales(by_bitsandbytes)).sum())
    return _row(
        params, matrix, quantized.format, "bitsandbytes",
        codes=int((levels[stored_codes(quantized).cpu()] != levels[stored_codes(by_bitsandbytes).cpu()]).sum()),
        scales=scales_differing,
        difference=float((restored_by_bitsandbytes - restored).abs().max()),
    )  # fmt: skip


def _row(
    params: QuantizationParams,
    matrix: Matrix,
    format_id: FormatId,
    other: str,
    *,
    codes: int | None = None,
    scales: int | None = None,
    difference: float | None = None,
    reason: Text = EMPTY,
) -> Agreement:
    return Agreement(
        format=format_id.value,
        block_size=params.block_size,
        other=other,
        elements=matrix.weight.numel(),
        runs_on="cuda" if matrix.device.type == "cuda" else "emulated",
        differing_codes=codes,
        differing_scales=scales,
        max_abs_difference=difference,
        reason=reason,
    )
