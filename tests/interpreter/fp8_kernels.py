"""Kernels that read and write 8-bit floats."""

import triton
import triton.language as tl


@triton.jit
def widen_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    tl.store(o_ptr + offsets, tl.load(x_ptr + offsets).to(tl.float32))


@triton.jit
def narrow_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    tl.store(o_ptr + offsets, tl.load(x_ptr + offsets).to(o_ptr.dtype.element_ty))
