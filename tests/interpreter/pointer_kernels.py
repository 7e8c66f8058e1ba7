"""Kernels whose pointers come from numbers, point into several tensors, or change their width."""

import triton
import triton.language as tl


@triton.jit
def table_kernel(table_ptr, sizes_ptr, o_ptr, BLOCK: tl.constexpr):
    """Each program reads the tensor whose address a table holds, and counts in another one."""
    pid = tl.program_id(0)
    x_ptr = tl.load(table_ptr + pid).to(tl.pointer_type(tl.float32))
    size = tl.load(sizes_ptr + pid)
    offsets = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < size, other=-1.0)
    tl.store(o_ptr + pid * BLOCK + offsets, 2 * x)
    tl.store(x_ptr + offsets, x + 1, mask=offsets < size)


@triton.jit
def grouped_kernel(table_ptr, o_ptr, groups, BLOCK: tl.constexpr):
    """One program after the other reads every tensor of a table in a loop."""
    offsets = tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float32)
    for group in range(groups):
        x_ptr = tl.load(table_ptr + (group + tl.program_id(0)) % groups).to(tl.pointer_type(tl.float32))
        total += (group + 1) * tl.load(x_ptr + offsets)
    tl.store(o_ptr + tl.program_id(0) * BLOCK + offsets, total)


@triton.jit
def rows_kernel(table_ptr, o_ptr, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """A tile of addresses: each row of a tile lies in a tensor of its own. Address 0 is no tensor."""
    rows, columns = tl.arange(0, ROWS), tl.arange(0, BLOCK)
    addresses = tl.load(table_ptr + rows)
    pointers = addresses.to(tl.pointer_type(tl.float32))[:, None] + columns[None, :]
    x = tl.load(pointers, mask=(addresses != 0)[:, None], other=7.0)
    tl.store(o_ptr + rows[:, None] * BLOCK + columns[None, :], x)


@triton.jit
def chosen_kernel(x_ptr, y_ptr, n_ptr, o_ptr, BLOCK: tl.constexpr):
    """Elements are read from, added to and stored in one tensor or the other."""
    pid = tl.program_id(0)
    offsets = pid * BLOCK + tl.arange(0, BLOCK)
    odd = (offsets // (pid + 1)) % 2 == 1
    source = tl.where(odd, x_ptr + offsets, y_ptr + 2 * offsets)
    x = tl.load(source, mask=offsets % 5 != 0, other=3.0)
    old = tl.atomic_add(tl.where(odd, n_ptr + tl.arange(0, BLOCK) // 4, o_ptr + offsets), x)
    tl.store(source, x + old)


@triton.jit
def pairs_kernel(x_ptr, y_ptr, o_ptr, BLOCK: tl.constexpr):
    """Pointers that are joined, and arithmetic on their numbers."""
    offsets = tl.arange(0, BLOCK)
    both = tl.join(x_ptr + offsets, y_ptr + offsets)
    x = tl.load((both.to(tl.int64) + 8).to(tl.pointer_type(tl.float32))) + tl.load(both)
    tl.store(o_ptr + 2 * offsets[:, None] + tl.arange(0, 2)[None, :], x)


@triton.jit
def wide_kernel(x_ptr, o_ptr, n_ptr, BLOCK: tl.constexpr):
    """16-bit numbers moved as 64-bit ones, and 32-bit numbers read as bytes."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    wide = tl.load(x_ptr.to(tl.pointer_type(tl.int64)) + offsets)
    tl.store(o_ptr.to(tl.pointer_type(tl.int64)) + offsets, wide)
    byte = tl.load((n_ptr + offsets).to(tl.pointer_type(tl.int8), bitcast=True) + 3)
    tl.store(n_ptr + offsets, byte.to(tl.int32))


@triton.jit
def misaligned_kernel(x_ptr):
    pointer = (x_ptr + 1).to(tl.pointer_type(tl.int32))
    tl.store(pointer, 1)


@triton.jit
def reverse_kernel(last_ptr, o_ptr, BLOCK: tl.constexpr):
    """Walks backwards from the last element."""
    i = tl.arange(0, BLOCK)
    tl.store(o_ptr + i, tl.load(last_ptr - i))
