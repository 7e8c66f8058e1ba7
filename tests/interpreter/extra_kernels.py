"""Kernels that Triton's interpreter does not run, or runs differently from the hardware; torch is the reference."""

import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def convert_kernel(x_ptr, o_ptr, ROUNDING: tl.constexpr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    tl.store(o_ptr + offsets, x.to(o_ptr.dtype.element_ty, fp_downcast_rounding=ROUNDING))


@triton.jit
def scaled_dot_kernel(
    a_ptr, a_scale_ptr, b_ptr, b_scale_ptr, o_ptr,
    A: tl.constexpr, B: tl.constexpr, B_PACK: tl.constexpr, SIZE: tl.constexpr, K: tl.constexpr,
    A_PACK: tl.constexpr = 1, GROUP: tl.constexpr = 32,
):  # fmt: skip
    r, k, group = tl.arange(0, SIZE), tl.arange(0, K // A_PACK), tl.arange(0, K // GROUP)
    packed = tl.arange(0, K // B_PACK)
    a = tl.load(a_ptr + r[:, None] * (K // A_PACK) + k[None, :])
    b = tl.load(b_ptr + packed[:, None] * SIZE + r[None, :])
    a_scale = None
    if a_scale_ptr is not None:
        a_scale = tl.load(a_scale_ptr + r[:, None] * (K // GROUP) + group[None, :])
    b_scale = tl.load(b_scale_ptr + r[:, None] * (K // GROUP) + group[None, :])
    product = tl.dot_scaled(a, a_scale, A, b, b_scale, B)
    tl.store(o_ptr + r[:, None] * SIZE + r[None, :], product)


@triton.jit
def descriptor_rows_kernel(x_ptr, row_ptr, o_ptr, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    """Gathers eight rows, scatters them doubled to others, and adds them to a third place."""
    x = tl.make_tensor_descriptor(x_ptr, shape=[SIZE, SIZE], strides=[SIZE, 1], block_shape=[1, BLOCK])
    o = tl.make_tensor_descriptor(o_ptr, shape=[SIZE, SIZE], strides=[SIZE, 1], block_shape=[1, BLOCK])
    rows = tl.load(row_ptr + tl.arange(0, 8))
    tile = x.gather(rows, BLOCK)
    o.scatter(tile * 2.0, rows, 0)
    whole = tl.make_tensor_descriptor(o_ptr, shape=[SIZE, SIZE], strides=[SIZE, 1], block_shape=[8, BLOCK])
    whole.atomic_add([SIZE - 8, BLOCK], tile)
    whole.atomic_add([SIZE - 4, BLOCK], tile)


@triton.jit
def libdevice_kernel(x_ptr, i_ptr, o_ptr, bits_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    x, i = tl.load(x_ptr + offsets), tl.load(i_ptr + offsets)
    tl.store(o_ptr + offsets, libdevice.tanh(x))
    tl.store(o_ptr + BLOCK + offsets, libdevice.round(x * 4))
    tl.store(o_ptr + 2 * BLOCK + offsets, libdevice.pow(libdevice.abs(x), 1.5))
    tl.store(o_ptr + 3 * BLOCK + offsets, libdevice.fast_expf(x) + libdevice.log1p(x * x))
    tl.store(o_ptr + 4 * BLOCK + offsets, libdevice.div_rn(x, 3.0) + libdevice.cbrt(x))
    tl.store(bits_ptr + offsets, libdevice.popc(i))
    tl.store(bits_ptr + BLOCK + offsets, libdevice.clz(i))
    tl.store(bits_ptr + 2 * BLOCK + offsets, libdevice.ffs(i))
    tl.store(bits_ptr + 3 * BLOCK + offsets, libdevice.isnan(x / (x - x)).to(tl.int32))
    tl.store(bits_ptr + 4 * BLOCK + offsets, libdevice.float_as_int(x))


@triton.jit
def assembly_kernel(x_ptr, o_ptr, TEXT: tl.constexpr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    y = tl.inline_asm_elementwise(TEXT, "=f,f,f", [x, x], dtype=tl.float32, is_pure=True, pack=1)
    tl.store(o_ptr + offsets, y)


@triton.jit
def assert_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    tl.device_assert(x < 20.0, "x must be small")
    tl.device_print("seen", x)
    tl.store(o_ptr + offsets, x)


@triton.jit
def nan_kernel(x_ptr, y_ptr, o_ptr, BLOCK: tl.constexpr):
    """Maxima and comparisons where some elements are NaN or infinite."""
    offsets = tl.arange(0, BLOCK)
    x, y = tl.load(x_ptr + offsets), tl.load(y_ptr + offsets)
    tl.store(o_ptr + offsets, tl.maximum(x, y))
    tl.store(o_ptr + BLOCK + offsets, tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL))
    tl.store(o_ptr + 2 * BLOCK + offsets, (x < y).to(tl.float32) + 2.0 * (x != x) + 4.0 * (x >= y) + 8.0 * (x != y))
    tl.store(o_ptr + 3 * BLOCK + offsets, tl.clamp(x, -1.0, 1.0))
    tl.store(o_ptr + 4 * BLOCK + offsets, tl.minimum(x, y) + tl.max(tl.where(x == x, x, -1.0), 0))


@triton.jit
def address_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    tl.store(o_ptr + offsets, (x_ptr + offsets).to(tl.int64))


@triton.jit
def update_kernel(x_ptr, index_ptr, o_ptr, old_ptr, length, KIND: tl.constexpr, BLOCK: tl.constexpr):
    """One read-modify-write of int32, and what was there before."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < length
    x, index = tl.load(x_ptr + offsets, mask=inside), tl.load(index_ptr + offsets, mask=inside)
    if KIND == "add":
        old = tl.atomic_add(o_ptr + index, x, mask=inside)
    elif KIND == "max":
        old = tl.atomic_max(o_ptr + index, x, mask=inside)
    elif KIND == "umin":
        old = tl.atomic_min(o_ptr.to(tl.pointer_type(tl.uint32)) + index, x.to(tl.uint32), mask=inside).to(tl.int32)
    elif KIND == "xor":
        old = tl.atomic_xor(o_ptr + index, x, mask=inside)
    else:
        old = tl.atomic_xchg(o_ptr + index, x, mask=inside)
    tl.store(old_ptr + offsets, old, mask=inside)


@triton.jit
def sum_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.atomic_add(o_ptr + offsets * 0, tl.load(x_ptr + offsets))
