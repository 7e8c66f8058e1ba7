"""The operations: quantize, dequantize, and multiply by quantized weights. The requested implementation runs, or the
call fails: there is no silent fallback."""

from __future__ import annotations

import torch

from kernels.errors import InvalidInputs
from kernels.launching import launching
from kernels.quantization.bitsandbytes_peer import dequantize_peer, matmul_peer, quantize_peer
from kernels.quantization.formats import FormatId
from kernels.quantization.impl import Impl, MatmulPath, available
from kernels.quantization.inputs import check_config, check_fused, check_out_dtype, check_product, check_weight
from kernels.quantization.output import AffineScales, NestedScales, Quantized
from kernels.quantization.torch_impl import dequantize_torch, quantize_torch

__all__ = [
    "AffineScales",
    "Impl",
    "MatmulPath",
    "NestedScales",
    "Quantized",
    "available",
    "choose_path",
    "dequantize",
    "gemv",
    "matmul",
    "quantize",
]

FUSED_ROWS = 128
"""With up to this many rows of x the fused kernel dequantizes each weight once, since one tile holds all rows."""


def quantize(
    weight: torch.Tensor,
    *,
    format: FormatId = FormatId.NF4,
    block_size: int = 64,
    nested_block: int = 0,
    impl: Impl = Impl.TRITON,
) -> Quantized:
    """Quantize finite float32, float16 or bfloat16 weights of any shape to `format`, by the rule of `tables`.

    The tensor is cut row by row into blocks of `block_size` (16 to 4096); the last block may be short. With
    `nested_block` (16 to 4096) the scales are quantized too, as in bitsandbytes: their mean is subtracted, and the rest
    goes to 8-bit dynamic levels in blocks of `nested_block`. `impl` TRITON and TORCH are equal to the bit.

    Raises InvalidInputs for undefined combinations, Unavailable if `impl` cannot run here. Triton kernels need a GPU,
    unless their launches are intercepted and executed on CPU tensors.
    """
    impl, format = Impl(impl), FormatId(format)
    check_weight(weight)
    check_config(format, block_size, nested_block, impl)
    weight = weight.detach().contiguous()
    if impl is Impl.BITSANDBYTES:
        return quantize_peer(weight, format, block_size, nested_block)
    if impl is Impl.TORCH:
        return quantize_torch(weight, format, block_size, nested_block)
    with launching(weight.device):
        # Imported late: Triton is not available on every platform, and the other implementations do not need it.
        from kernels.quantization.triton.quantize import quantize_triton

        return quantize_triton(weight, format, block_size, nested_block)


def dequantize(quantized: Quantized, *, dtype: torch.dtype = torch.bfloat16, impl: Impl = Impl.TRITON) -> torch.Tensor:
    """The restored weights in their original shape: level * absmax in float32, rounded once to `dtype`. Nested scales
    are restored in the same kernel. Raises as `quantize` does."""
    impl = Impl(impl)
    check_out_dtype(dtype)
    check_config(quantized.format, quantized.block_size, quantized.nested_block, impl)
    if impl is Impl.BITSANDBYTES:
        return dequantize_peer(quantized, dtype)
    if impl is Impl.TORCH:
        return dequantize_torch(quantized, dtype)
    with launching(quantized.device):
        from kernels.quantization.triton.dequantize import dequantize_triton

        return dequantize_triton(quantized, dtype)


def choose_path(rows: int, quantized: Quantized) -> MatmulPath:
    """The default path of `matmul` for `rows` rows of x: GEMV for one row, the fused kernel for up to FUSED_ROWS.
    Otherwise, and for weights that no kernel multiplies as stored, the weights are dequantized first."""
    stored_whole = quantized.shape[-1] % quantized.block_size == 0
    if quantized.bits != 4 or quantized.affine is not None or not stored_whole or rows > FUSED_ROWS:
        return MatmulPath.DEQUANTIZE
    return MatmulPath.GEMV if rows == 1 else MatmulPath.FUSED


def matmul(
    x: torch.Tensor, quantized: Quantized, *, impl: Impl = Impl.TRITON, path: MatmulPath | None = None
) -> torch.Tensor:
    """A linear layer: x [M, K] times the transpose of quantized weights [N, K]. Returns [M, N] in the dtype of x.

    x and the restored weights are rounded to bfloat16, except in `gemv`, which keeps both in float32. Products are
    summed in float32. `path` selects the Triton kernel; by default `choose_path` does. TORCH dequantizes and
    multiplies, BITSANDBYTES chooses its own way. Raises as `quantize` does, and InvalidInputs for a path that is not
    defined for these weights.
    """
    impl = Impl(impl)
    check_product(x, quantized)
    check_config(quantized.format, quantized.block_size, quantized.nested_block, impl)
    if impl is Impl.BITSANDBYTES:
        return matmul_peer(x, quantized)
    if impl is Impl.TORCH:
        return _linear(x, dequantize_torch(quantized, torch.bfloat16))
    path = choose_path(x.shape[0], quantized) if path is None else MatmulPath(path)
    if path is MatmulPath.DEQUANTIZE:
        return _linear(x, dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TRITON))
    if path is MatmulPath.GEMV:
        return gemv(x, quantized)
    check_fused(quantized)
    with launching(x.device):
        from kernels.quantization.triton.fused_matmul import fused_matmul

        return fused_matmul(x, quantized)


def gemv(x: torch.Tensor, quantized: Quantized) -> torch.Tensor:
    """x [1, K] times the transpose of quantized weights [N, K], by the kernel for one row. Returns [1, N] in the dtype
    of x.

    Levels, scales and products are float32. Raises as `matmul` does.
    """
    check_product(x, quantized)
    check_fused(quantized)
    if x.shape[0] != 1:
        raise InvalidInputs("gemv multiplies one row, and x has {rows}: use the fused path.", rows=x.shape[0])
    with launching(x.device):
        from kernels.quantization.triton.gemv import gemv_triton

        return gemv_triton(x, quantized)


def _linear(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (x.bfloat16() @ weight.T).to(x.dtype)
