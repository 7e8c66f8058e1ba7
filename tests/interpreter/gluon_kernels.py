"""Gluon kernels, one for each mechanism that the interpreter executes."""

from __future__ import annotations

from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.ampere import async_copy as cp
from triton.experimental.gluon.language.nvidia.blackwell import (
    TensorMemoryLayout,
    TensorMemoryScalesLayout,
    allocate_tensor_memory,
    get_tmem_reg_layout,
    tcgen05_commit,
    tcgen05_mma,
    tcgen05_mma_scaled,
)
from triton.experimental.gluon.language.nvidia.blackwell import tma as blackwell_tma
from triton.experimental.gluon.language.nvidia.hopper import (
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_init,
    warpgroup_mma_wait,
)


@gluon.jit
def row_softmax_kernel(x_ptr, y_ptr, columns, M: gl.constexpr, N: gl.constexpr):
    by_row: gl.constexpr = gl.BlockedLayout([1, 2], [4, 8], [4, 1], [1, 0])
    by_column: gl.constexpr = gl.BlockedLayout([2, 1], [8, 4], [1, 4], [0, 1])
    rows = gl.program_id(0) * M + gl.arange(0, M, gl.SliceLayout(1, by_row))
    cols = gl.arange(0, N, gl.SliceLayout(0, by_row))
    mask = (cols < columns)[None, :] & (rows >= 0)[:, None]
    offsets = rows[:, None] * columns + cols[None, :]
    x = gl.load(x_ptr + offsets, mask=mask, other=float("-inf"))
    top = gl.max(x, axis=1)
    e = gl.convert_layout(gl.exp(x - top[:, None]), by_column)
    total = gl.convert_layout(gl.sum(e, axis=1), gl.SliceLayout(1, by_row))
    y = gl.convert_layout(e, by_row) / total[:, None]
    gl.store(y_ptr + offsets, y, mask=mask)


@gluon.jit
def auto_layout_kernel(x_ptr, y_ptr, N: gl.constexpr):
    layout: gl.constexpr = gl.BlockedLayout([1], [32], [4], [0])
    i = gl.arange(0, N)
    x = gl.load(x_ptr + gl.set_auto_layout(i, layout))
    gl.store(y_ptr + gl.set_auto_layout(i, layout), x * 2)


@gluon.jit
def views_kernel(x_ptr, y_ptr, z_ptr, w_ptr, N: gl.constexpr):
    """y: x transposed; z: the second half of the second copy's columns; w: x as one row of 32-bit integers."""
    layout: gl.constexpr = gl.BlockedLayout([1, 1], [4, 8], [4, 1], [1, 0])
    rows = gl.arange(0, N, gl.SliceLayout(1, layout))
    cols = gl.arange(0, N, gl.SliceLayout(0, layout))
    offsets = gl.program_id(0) * N * N + rows[:, None] * N + cols[None, :]
    x = gl.load(x_ptr + offsets)
    shared: gl.constexpr = gl.SwizzledSharedLayout(vec=1, per_phase=1, max_phase=1, order=[1, 0])
    copies = gl.allocate_shared_memory(gl.float32, [2, N, N], layout=shared)
    copies.index(0).store(x)
    copies.index(1).store(x + 1)
    gl.store(y_ptr + offsets, copies.index(0).permute((1, 0)).load(layout))
    half = copies.index(1).slice(N // 2, N // 2, dim=1).load(layout)
    half_cols = gl.arange(0, N // 2, gl.SliceLayout(0, layout))
    half_offsets = gl.program_id(0) * N * (N // 2) + rows[:, None] * (N // 2) + half_cols[None, :]
    gl.store(z_ptr + half_offsets, half)
    flat_layout: gl.constexpr = gl.BlockedLayout([1], [32], [4], [0])
    flat: gl.constexpr = gl.SwizzledSharedLayout(vec=1, per_phase=1, max_phase=1, order=[0])
    bits = copies.index(0)._reinterpret(gl.int32, [N * N], flat).load(flat_layout)
    gl.store(w_ptr + gl.program_id(0) * N * N + gl.arange(0, N * N, flat_layout), bits)


@gluon.jit
def pipelined_sum_kernel(x_ptr, y_ptr, n, N: gl.constexpr, BUFFERS: gl.constexpr, LEFT: gl.constexpr):
    """The sum of a row in blocks of N, copied BUFFERS - 1 iterations ahead. LEFT groups of copies stay in flight."""
    layout: gl.constexpr = gl.BlockedLayout([1], [32], [4], [0])
    shared: gl.constexpr = gl.SwizzledSharedLayout(vec=1, per_phase=1, max_phase=1, order=[0])
    i = gl.arange(0, N, layout)
    row = gl.program_id(0) * n
    buffers = gl.allocate_shared_memory(gl.float32, [BUFFERS, N], layout=shared)
    for ahead in gl.static_range(BUFFERS - 1):
        cp.async_copy_global_to_shared(buffers.index(ahead), x_ptr + row + ahead * N + i, mask=ahead * N + i < n)
        cp.commit_group()
    total = gl.zeros([N], gl.float32, layout)
    for block in range(gl.cdiv(n, N)):
        at = (block + BUFFERS - 1) * N + i
        cp.async_copy_global_to_shared(buffers.index((block + BUFFERS - 1) % BUFFERS), x_ptr + row + at, mask=at < n)
        cp.commit_group()
        cp.wait_group(LEFT)
        total += buffers.index(block % BUFFERS).load(layout)
    gl.store(y_ptr + gl.program_id(0), gl.sum(total, axis=0))


@gluon.jit
def tma_add_kernel(x_desc, y_desc, WAITS: gl.constexpr, BYTES: gl.constexpr):
    """y = x + 1 on a tile. Without WAITS it reads shared memory before the copy has been waited for."""
    M: gl.constexpr = x_desc.block_type.shape[0]
    N: gl.constexpr = x_desc.block_type.shape[1]
    layout: gl.constexpr = gl.BlockedLayout([1, 1], [1, 32], [1, 4], [1, 0])
    buffer = gl.allocate_shared_memory(x_desc.dtype, [M, N], x_desc.layout)
    barrier = gl.allocate_shared_memory(gl.int64, [1], mbarrier.MBarrierLayout())
    mbarrier.init(barrier, count=1)
    at = [gl.program_id(0) * M, gl.program_id(1) * N]
    mbarrier.expect(barrier, BYTES)
    tma.async_copy_global_to_shared(x_desc, at, barrier, buffer)
    if WAITS:
        mbarrier.wait(barrier, phase=0)
    value = buffer.load(layout) + 1
    mbarrier.wait(barrier, phase=0)
    mbarrier.invalidate(barrier)
    buffer.store(value)
    fence_async_shared()
    tma.async_copy_shared_to_global(y_desc, at, buffer)
    tma.store_wait(pendings=0)


@gluon.jit
def overwritten_store_kernel(y_desc, WAITS: gl.constexpr):
    """Two stores from one buffer; without WAITS it is overwritten while the first may still be read."""
    M: gl.constexpr = y_desc.block_type.shape[0]
    N: gl.constexpr = y_desc.block_type.shape[1]
    layout: gl.constexpr = gl.BlockedLayout([1, 1], [1, 32], [1, 4], [1, 0])
    buffer = gl.allocate_shared_memory(y_desc.dtype, [M, N], y_desc.layout)
    for block in gl.static_range(2):
        buffer.store(gl.full([M, N], block, y_desc.dtype, layout))
        fence_async_shared()
        tma.async_copy_shared_to_global(y_desc, [block * M, 0], buffer)
        if WAITS:
            tma.store_wait(pendings=0)
    tma.store_wait(pendings=0)


@gluon.jit
def wgmma_kernel(a_desc, b_desc, c_desc, K, BUFFERS: gl.constexpr, LEFT: gl.constexpr):
    """c = a b. The products of LEFT iterations stay in flight while the next tiles are copied."""
    M: gl.constexpr = a_desc.block_type.shape[0]
    N: gl.constexpr = b_desc.block_type.shape[1]
    BK: gl.constexpr = a_desc.block_type.shape[1]
    layout: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, 32, 16])
    a = gl.allocate_shared_memory(a_desc.dtype, [BUFFERS, M, BK], a_desc.layout)
    b = gl.allocate_shared_memory(b_desc.dtype, [BUFFERS, BK, N], b_desc.layout)
    barriers = gl.allocate_shared_memory(gl.int64, [BUFFERS, 1], mbarrier.MBarrierLayout())
    for i in gl.static_range(BUFFERS):
        mbarrier.init(barriers.index(i), count=1)
    row, column = gl.program_id(0) * M, gl.program_id(1) * N
    acc = warpgroup_mma_init(gl.zeros([M, N], gl.float32, layout))
    for i in range(gl.cdiv(K, BK)):
        slot = i % BUFFERS
        barrier = barriers.index(slot)
        ended = warpgroup_mma_wait(num_outstanding=LEFT, deps=(acc,))
        mbarrier.expect(barrier, a_desc.block_type.nbytes + b_desc.block_type.nbytes)
        tma.async_copy_global_to_shared(a_desc, [row, i * BK], barrier, a.index(slot))
        tma.async_copy_global_to_shared(b_desc, [i * BK, column], barrier, b.index(slot))
        mbarrier.wait(barrier, i // BUFFERS & 1)
        acc = warpgroup_mma(a.index(slot), b.index(slot), ended, is_async=True)
    acc = warpgroup_mma_wait(num_outstanding=0, deps=(acc,))
    out = gl.allocate_shared_memory(c_desc.dtype, [M, N], c_desc.layout)
    out.store(acc.to(c_desc.dtype))
    fence_async_shared()
    tma.async_copy_shared_to_global(c_desc, [row, column], out)
    tma.store_wait(pendings=0)


@gluon.jit
def tcgen05_kernel(a_desc, b_desc, c_desc, K, WAITS: gl.constexpr):
    """c = a b with the sum in tensor memory. Without WAITS it is loaded before the last product has ended."""
    M: gl.constexpr = a_desc.block_type.shape[0]
    N: gl.constexpr = b_desc.block_type.shape[1]
    BK: gl.constexpr = a_desc.block_type.shape[1]
    a = gl.allocate_shared_memory(a_desc.dtype, [M, BK], a_desc.layout)
    b = gl.allocate_shared_memory(b_desc.dtype, [BK, N], b_desc.layout)
    loaded = gl.allocate_shared_memory(gl.int64, [1], mbarrier.MBarrierLayout())
    multiplied = gl.allocate_shared_memory(gl.int64, [1], mbarrier.MBarrierLayout())
    mbarrier.init(loaded, count=1)
    mbarrier.init(multiplied, count=1)
    layout: gl.constexpr = TensorMemoryLayout([M, N], col_stride=1)
    acc = allocate_tensor_memory(gl.float32, [M, N], layout)
    row, column = gl.program_id(0) * M, gl.program_id(1) * N
    for i in range(gl.cdiv(K, BK)):
        mbarrier.expect(loaded, a_desc.block_type.nbytes + b_desc.block_type.nbytes)
        tma.async_copy_global_to_shared(a_desc, [row, i * BK], loaded, a)
        tma.async_copy_global_to_shared(b_desc, [i * BK, column], loaded, b)
        mbarrier.wait(loaded, i & 1)
        tcgen05_mma(a, b, acc, use_acc=i > 0)
        tcgen05_commit(multiplied)
        if WAITS:
            mbarrier.wait(multiplied, i & 1)
    out = gl.allocate_shared_memory(c_desc.dtype, [M, N], c_desc.layout)
    out.store(acc.load(get_tmem_reg_layout(gl.float32, (M, N), layout, gl.num_warps())).to(c_desc.dtype))
    fence_async_shared()
    tma.async_copy_shared_to_global(c_desc, [row, column], out)
    tma.store_wait(pendings=0)


@gluon.jit
def scaled_product_kernel(a_desc, b_desc, a_scale_ptr, b_scale_ptr, c_ptr, M: gl.constexpr, N: gl.constexpr):
    """c = (a * its scales) (b * its scales)^T, for 64 numbers of 8 bits with a scale for each 32."""
    a = gl.allocate_shared_memory(a_desc.dtype, [M, 64], a_desc.layout)
    b = gl.allocate_shared_memory(b_desc.dtype, [N, 64], b_desc.layout)
    barrier = gl.allocate_shared_memory(gl.int64, [1], mbarrier.MBarrierLayout())
    mbarrier.init(barrier, count=1)
    mbarrier.expect(barrier, (M + N) * 64)
    tma.async_copy_global_to_shared(a_desc, [0, 0], barrier, a)
    tma.async_copy_global_to_shared(b_desc, [0, 0], barrier, b)
    mbarrier.wait(barrier, phase=0)
    scales: gl.constexpr = TensorMemoryScalesLayout()
    a_scale = allocate_tensor_memory(gl.uint8, [M, 2], scales)
    b_scale = allocate_tensor_memory(gl.uint8, [N, 2], scales)
    a_layout: gl.constexpr = get_tmem_reg_layout(gl.uint8, [M, 2], scales, gl.num_warps())
    b_layout: gl.constexpr = get_tmem_reg_layout(gl.uint8, [N, 2], scales, gl.num_warps())
    a_rows, b_rows = gl.arange(0, M, gl.SliceLayout(1, a_layout)), gl.arange(0, N, gl.SliceLayout(1, b_layout))
    a_groups, b_groups = gl.arange(0, 2, gl.SliceLayout(0, a_layout)), gl.arange(0, 2, gl.SliceLayout(0, b_layout))
    a_scale.store(gl.load(a_scale_ptr + a_rows[:, None] * 2 + a_groups[None, :]))
    b_scale.store(gl.load(b_scale_ptr + b_rows[:, None] * 2 + b_groups[None, :]))
    layout: gl.constexpr = TensorMemoryLayout([M, N], col_stride=1)
    acc = allocate_tensor_memory(gl.float32, [M, N], layout)
    mbarrier.invalidate(barrier)
    mbarrier.init(barrier, count=1)
    tcgen05_mma_scaled(a, b.permute((1, 0)), acc, a_scale, b_scale, "e4m3", "e4m3", use_acc=False)
    tcgen05_commit(barrier)
    mbarrier.wait(barrier, phase=0)
    registers: gl.constexpr = get_tmem_reg_layout(gl.float32, (M, N), layout, gl.num_warps())
    rows = gl.arange(0, M, gl.SliceLayout(1, registers))
    cols = gl.arange(0, N, gl.SliceLayout(0, registers))
    gl.store(c_ptr + rows[:, None] * N + cols[None, :], acc.load(registers))


@gluon.jit
def moved_rows_kernel(x_desc, y_desc, from_ptr, to_ptr, ROWS: gl.constexpr, WIDTH: gl.constexpr):
    """y[to] = x[from], one row after another by TMA's gather and scatter."""
    layout: gl.constexpr = gl.SliceLayout(0, gl.BlockedLayout([1, 4], [32, 1], [1, 4], [1, 0]))
    buffer = gl.allocate_shared_memory(x_desc.dtype, [ROWS, WIDTH], x_desc.layout)
    barrier = gl.allocate_shared_memory(gl.int64, [1], mbarrier.MBarrierLayout())
    mbarrier.init(barrier, count=1)
    i = gl.arange(0, ROWS, layout)
    mbarrier.expect(barrier, ROWS * x_desc.block_type.nbytes)
    blackwell_tma.async_gather(x_desc, gl.load(from_ptr + i), 0, barrier, buffer)
    mbarrier.wait(barrier, phase=0)
    blackwell_tma.async_scatter(y_desc, gl.load(to_ptr + i), 0, buffer)
    tma.store_wait(pendings=0)


@gluon.jit
def _loads(x_desc, buffers, full, empty, blocks):
    for i in range(blocks):
        slot = i % 2
        mbarrier.wait(empty.index(slot), (i // 2 & 1) ^ 1)
        mbarrier.expect(full.index(slot), x_desc.block_type.nbytes)
        tma.async_copy_global_to_shared(x_desc, [gl.program_id(0), i * 64], full.index(slot), buffers.index(slot))


@gluon.jit
def _sums(y_ptr, buffers, full, empty, blocks, RELEASES: gl.constexpr, layout: gl.constexpr):
    total = gl.zeros([1, 64], gl.float32, layout)
    for i in range(blocks):
        slot = i % 2
        mbarrier.wait(full.index(slot), i // 2 & 1)
        total += buffers.index(slot).load(layout)
        if RELEASES:
            mbarrier.arrive(empty.index(slot), count=1)
    row = gl.program_id(0) + gl.arange(0, 1, gl.SliceLayout(1, layout))
    gl.store(y_ptr + row, gl.sum(total, axis=1))


@gluon.jit
def specialized_sum_kernel(x_desc, y_ptr, blocks, RELEASES: gl.constexpr):
    """The sum of a row of 64 * blocks: one partition loads, one adds. Without RELEASES the buffers stay full."""
    layout: gl.constexpr = gl.BlockedLayout([1, 1], [1, 32], [1, 4], [1, 0])
    buffers = gl.allocate_shared_memory(gl.float32, [2, 1, 64], x_desc.layout)
    full = gl.allocate_shared_memory(gl.int64, [2, 1], mbarrier.MBarrierLayout())
    empty = gl.allocate_shared_memory(gl.int64, [2, 1], mbarrier.MBarrierLayout())
    for i in gl.static_range(2):
        mbarrier.init(full.index(i), count=1)
        mbarrier.init(empty.index(i), count=1)
    gl.warp_specialize(
        [
            (_sums, (y_ptr, buffers, full, empty, blocks, RELEASES, layout)),
            (_loads, (x_desc, buffers, full, empty, blocks)),
        ],
        [1],
        [24],
    )


@gluon.jit
def _answers(asked, answered):
    mbarrier.wait(asked, phase=0)
    mbarrier.arrive(answered, count=1)


@gluon.jit
def _asks(y_ptr, asked, answered):
    if gl.program_id(0) % 2 == 0:
        mbarrier.arrive(asked, count=1)
        mbarrier.wait(answered, phase=0)
        gl.store(y_ptr + gl.program_id(0), 1.0)
    else:
        mbarrier.arrive(asked, count=1)
        mbarrier.wait(answered, phase=0)
        gl.store(y_ptr + gl.program_id(0), 2.0)


@gluon.jit
def divergent_partitions_kernel(y_ptr):
    """Programs take different branches around a wait for the other partition."""
    asked = gl.allocate_shared_memory(gl.int64, [1], mbarrier.MBarrierLayout())
    answered = gl.allocate_shared_memory(gl.int64, [1], mbarrier.MBarrierLayout())
    mbarrier.init(asked, count=1)
    mbarrier.init(answered, count=1)
    gl.warp_specialize([(_answers, (asked, answered)), (_asks, (y_ptr, asked, answered))], [1], [24])
