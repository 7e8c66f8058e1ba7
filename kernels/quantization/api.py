"""One entry to quantization and to products with what was quantized. What ran is what was requested: no silent
fallback."""

from __future__ import annotations

import torch

from kernels.errors import InvalidInputs
from kernels.launching import launching
from kernels.quantization.bitsandbytes_peer import dequantize_peer, matmul_peer, quantize_peer
from kernels.quantization.formats import FormatId
from kernels.quantization.impl import Impl, MatmulPath, available
from kernels.quantization.inputs import check_fused, check_how, check_out_dtype, check_product, check_weight
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
"""Up to so many rows of x the fused kernel dequantizes each weight once: it holds them all in one tile."""


def quantize(
    weight: torch.Tensor,
    *,
    format: FormatId = FormatId.NF4,
    block_size: int = 64,
    nested_block: int = 0,
    impl: Impl = Impl.TRITON,
) -> Quantized:
    """Finite float32, float16 or bfloat16 weights of any shape to `format`, by the rule of `tables`.

    The tensor is cut row by row into blocks of `block_size` (16 to 4096), the last of which may be short. With
    `nested_block` (16 to 4096) the scales are quantized too, as bitsandbytes does: their mean is taken off, and the
    rest goes to 8-bit dynamic levels in blocks of so many. `impl` TRITON and TORCH give the same bits.

    Raises InvalidInputs for what is not defined, Unavailable when `impl` cannot run here. Triton kernels need a GPU,
    unless something intercepts their launches to execute them on CPU tensors.
    """
    impl, format = Impl(impl), FormatId(format)
    check_weight(weight)
    check_how(format, block_size, nested_block, impl)
    weight = weight.detach().contiguous()
    if impl is Impl.BITSANDBYTES:
        return quantize_peer(weight, format, block_size, nested_block)
    if impl is Impl.TORCH:
        return quantize_torch(weight, format, block_size, nested_block)
    with launching(weight.device):
        # Imported late: Triton is not made for every platform, and the other implementations do without it.
        from kernels.quantization.triton.quantize import quantize_triton

        return quantize_triton(weight, format, block_size, nested_block)


def dequantize(quantized: Quantized, *, dtype: torch.dtype = torch.bfloat16, impl: Impl = Impl.TRITON) -> torch.Tensor:
    """Weights of the quantized shape: level * absmax in float32, rounded once to `dtype`; nested scales are restored
    in the same kernel. Raises as `quantize` does."""
    impl = Impl(impl)
    check_out_dtype(dtype)
    check_how(quantized.format, quantized.block_size, quantized.nested_block, impl)
    if impl is Impl.BITSANDBYTES:
        return dequantize_peer(quantized, dtype)
    if impl is Impl.TORCH:
        return dequantize_torch(quantized, dtype)
    with launching(quantized.device):
        from kernels.quantization.triton.dequantize import dequantize_triton

        return dequantize_triton(quantized, dtype)


def choose_path(rows: int, quantized: Quantized) -> MatmulPath:
    """How `matmul` multiplies `rows` rows of x with these weights by default: one row by `gemv`, up to FUSED_ROWS by
    the fused kernel, more, or weights that cannot be multiplied as stored, by dequantizing them first."""
    stored_whole = quantized.shape[-1] % quantized.block_size == 0
    if quantized.bits != 4 or quantized.affine is not None or not stored_whole or rows > FUSED_ROWS:
        return MatmulPath.DEQUANTIZE
    return MatmulPath.GEMV if rows == 1 else MatmulPath.FUSED


def matmul(
    x: torch.Tensor, quantized: Quantized, *, impl: Impl = Impl.TRITON, path: MatmulPath | None = None
) -> torch.Tensor:
    """x [M, K] times quantized weights [N, K] transposed: a linear layer. [M, N], in the dtype of x.

    x and the restored weights are rounded to bfloat16, except by `gemv`, which keeps both in float32; products are
    summed in float32. `path` is how the Triton implementation does it, `choose_path` unless given; TORCH dequantizes
    and multiplies, BITSANDBYTES does as it likes. Raises as `quantize` does, and InvalidInputs for a path that is not
    defined for these weights.
    """
    impl = Impl(impl)
    check_product(x, quantized)
    check_how(quantized.format, quantized.block_size, quantized.nested_block, impl)
    if impl is Impl.BITSANDBYTES:
        return matmul_peer(x, quantized)
    if impl is Impl.TORCH:
        return _multiplied(x, dequantize_torch(quantized, torch.bfloat16))
    path = choose_path(x.shape[0], quantized) if path is None else MatmulPath(path)
    if path is MatmulPath.DEQUANTIZE:
        return _multiplied(x, dequantize(quantized, dtype=torch.bfloat16, impl=Impl.TRITON))
    if path is MatmulPath.GEMV:
        return gemv(x, quantized)
    check_fused(quantized)
    with launching(x.device):
        from kernels.quantization.triton.fused_matmul import fused_matmul

        return fused_matmul(x, quantized)


def gemv(x: torch.Tensor, quantized: Quantized) -> torch.Tensor:
    """x [1, K] times quantized weights [N, K] transposed, by the kernel for one row. [1, N], in the dtype of x.

    Levels, scales and products are float32. Raises as `matmul` does.
    """
    check_product(x, quantized)
    check_fused(quantized)
    if x.shape[0] != 1:
        raise InvalidInputs(f"gemv multiplies one row, and x has {x.shape[0]}: ask for the fused path.")
    with launching(x.device):
        from kernels.quantization.triton.gemv import gemv_triton

        return gemv_triton(x, quantized)


def _multiplied(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return (x.bfloat16() @ weight.T).to(x.dtype)
