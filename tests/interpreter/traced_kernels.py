"""Small Triton kernels, one idea each, that the TTIR interpreter and Triton's interpreter both run."""

import triton
import triton.language as tl


@triton.jit
def add_kernel(x_ptr, y_ptr, o_ptr, length, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < length
    tl.store(
        o_ptr + offsets, tl.load(x_ptr + offsets, mask=inside) + tl.load(y_ptr + offsets, mask=inside), mask=inside
    )


@triton.jit
def transpose_kernel(x_ptr, o_ptr, rows, columns, BLOCK: tl.constexpr):
    r = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    c = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    plane = tl.program_id(2) * rows * columns
    inside = (r < rows)[:, None] & (c < columns)[None, :]
    tile = tl.load(x_ptr + plane + r[:, None] * columns + c[None, :], mask=inside, other=-1.0)
    tl.store(o_ptr + plane + c[:, None] * rows + r[None, :], tl.trans(tile), mask=tl.trans(inside))


@triton.jit
def softmax_kernel(x_ptr, o_ptr, columns, stride, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    row = tl.load(x_ptr + tl.program_id(0) * stride + offsets, mask=offsets < columns, other=float("-inf"))
    e = tl.exp(row - tl.max(row, 0))
    tl.store(o_ptr + tl.program_id(0) * stride + offsets, e / tl.sum(e, 0), mask=offsets < columns)


@triton.jit
def matmul_kernel(a_ptr, b_ptr, c_ptr, M, N, K, TILE: tl.constexpr, GROUP: tl.constexpr):
    pid = tl.program_id(0)
    tiles_m, tiles_n = tl.cdiv(M, TILE), tl.cdiv(N, TILE)
    group = pid // (GROUP * tiles_n)
    first = group * GROUP
    size = min(tiles_m - first, GROUP)
    pid_m = first + (pid % (GROUP * tiles_n)) % size
    pid_n = (pid % (GROUP * tiles_n)) // size
    rm = (pid_m * TILE + tl.arange(0, TILE)) % M
    rn = (pid_n * TILE + tl.arange(0, TILE)) % N
    rk = tl.arange(0, TILE)
    a_ptrs = a_ptr + rm[:, None] * K + rk[None, :]
    b_ptrs = b_ptr + rk[:, None] * N + rn[None, :]
    acc = tl.zeros((TILE, TILE), tl.float32)
    for k in range(tl.cdiv(K, TILE)):
        a = tl.load(a_ptrs, mask=rk[None, :] < K - k * TILE, other=0.0)
        b = tl.load(b_ptrs, mask=rk[:, None] < K - k * TILE, other=0.0)
        acc = tl.dot(a, b, acc, input_precision="ieee")
        a_ptrs += TILE
        b_ptrs += TILE * N
    m = pid_m * TILE + tl.arange(0, TILE)
    n = pid_n * TILE + tl.arange(0, TILE)
    tl.store(c_ptr + m[:, None] * N + n[None, :], acc, mask=(m[:, None] < M) & (n[None, :] < N))


@triton.jit
def ragged_sum_kernel(x_ptr, begin_ptr, end_ptr, o_ptr, BLOCK: tl.constexpr):
    """Trip counts come from memory; some programs do not iterate at all. An inner loop runs a data-dependent time."""
    pid = tl.program_id(0)
    begin, end = tl.load(begin_ptr + pid), tl.load(end_ptr + pid)
    total = tl.zeros((BLOCK,), tl.float32)
    rounds = 0
    for start in range(begin, end, BLOCK):
        offsets = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + offsets, mask=offsets < end, other=0.0)
        for scale in range(pid % 3):
            total += x * (scale + 1)
            rounds += 1
    tl.store(o_ptr + pid, tl.sum(total, 0) + rounds)


@triton.jit
def branch_kernel(x_ptr, o_ptr, log_ptr, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    offsets = pid * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    level = tl.sum(x, 0)
    if level > 0:
        y = x * 2.0
        code = pid * 10
    else:
        y = -x + tl.load(x_ptr + tl.arange(0, BLOCK))
        code = pid - 100
    if pid % 3 == 1:
        tl.store(log_ptr + pid, code)
    tl.store(o_ptr + offsets, y)


@triton.jit
def collatz_kernel(n_ptr, o_ptr):
    pid = tl.program_id(0)
    n = tl.load(n_ptr + pid)
    steps = 0
    while n > 1:
        n = tl.where(n % 2 == 0, n // 2, 3 * n + 1)
        steps += 1
    tl.store(o_ptr + pid, steps)


@triton.jit
def reduce_kernel(x_ptr, i_ptr, o_ptr, index_ptr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    tile = tl.arange(0, ROWS)[:, None] * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    base = tl.program_id(0) * ROWS * COLUMNS
    x = tl.load(x_ptr + base + tile)
    i = tl.load(i_ptr + base + tile)
    out = o_ptr + tl.program_id(0) * ROWS * 4 + tl.arange(0, ROWS)
    tl.store(out, tl.max(x, 1))
    tl.store(out + ROWS, tl.min(x, 1))
    tl.store(out + 2 * ROWS, tl.sum(tl.cumsum(x, 1) * (i % 2), 1))
    tl.store(out + 3 * ROWS, tl.sum(tl.sum(x, 0), 0) + tl.zeros((ROWS,), tl.float32))
    where = index_ptr + tl.program_id(0) * ROWS * 4 + tl.arange(0, ROWS)
    tl.store(where, tl.argmax(x, 1))
    tl.store(where + ROWS, tl.argmin(x, 1))
    tl.store(where + 2 * ROWS, tl.sum(i, 1))
    tl.store(where + 3 * ROWS, tl.max(i, 1) - tl.min(i, 1))


@triton.jit
def gather_kernel(x_ptr, index_ptr, o_ptr, limit, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    index = tl.load(index_ptr + offsets)
    keep = (index >= 0) & (index < limit)
    tl.store(o_ptr + offsets, tl.load(x_ptr + index, mask=keep, other=7.0))


@triton.jit
def integer_kernel(a_ptr, b_ptr, byte_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    a, b = tl.load(a_ptr + offsets), tl.load(b_ptr + offsets)
    byte = tl.load(byte_ptr + offsets)
    out = o_ptr + tl.program_id(0) * BLOCK * 8 + tl.arange(0, BLOCK)
    tl.store(out, a * b + 1013904223)
    tl.store(out + BLOCK, a // b)
    tl.store(out + 2 * BLOCK, a % b)
    tl.store(out + 3 * BLOCK, ((a.to(tl.uint32) >> 3) ^ (a << 5).to(tl.uint32)).to(tl.int32))
    tl.store(out + 4 * BLOCK, (a & 255) | (b & 65280))
    tl.store(out + 5 * BLOCK, (byte & 15).to(tl.int32) - (byte >> 4).to(tl.int32))
    tl.store(out + 6 * BLOCK, tl.where(a > b, tl.minimum(a, 9), tl.maximum(b, -9)))
    tl.store(out + 7 * BLOCK, (a.to(tl.uint32) // 7 + a.to(tl.uint32) % 5).to(tl.int32))


@triton.jit
def index_kernel(o_ptr, BLOCK: tl.constexpr):
    """The same arithmetic on indices, which never become tensors."""
    pid = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    i = pid * 1000003 - offsets * 77
    out = o_ptr + pid * BLOCK * 7 + offsets
    tl.store(out, i * 65599)
    tl.store(out + BLOCK, i // (offsets + 3))
    tl.store(out + 2 * BLOCK, i % (offsets + 3))
    tl.store(out + 3 * BLOCK, (i.to(tl.uint32) >> 7).to(tl.int32))
    tl.store(out + 4 * BLOCK, (i & 1023) ^ (offsets << 4) | (pid << 20))
    tl.store(out + 5 * BLOCK, tl.where((offsets % 3 == 0) | (i > 0), i, -i))
    tl.store(out + 6 * BLOCK, tl.minimum(tl.maximum(i, -5000), offsets * 1000))


@triton.jit
def layout_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    square = tl.reshape(x, (4, BLOCK // 4))
    turned = tl.reshape(tl.trans(square), (BLOCK,))
    pairs = tl.reshape(x, (BLOCK // 2, 2))
    even, odd = tl.split(pairs)
    woven = tl.interleave(odd, even)
    lifted = tl.reshape(tl.permute(tl.reshape(x, (2, 2, BLOCK // 4)), (2, 0, 1)), (BLOCK,))
    out = o_ptr + tl.program_id(0) * BLOCK * 3 + tl.arange(0, BLOCK)
    tl.store(out, turned)
    tl.store(out + BLOCK, woven)
    tl.store(out + 2 * BLOCK, lifted)


@triton.jit
def math_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    out = o_ptr + tl.program_id(0) * BLOCK * 9 + tl.arange(0, BLOCK)
    tl.store(out, tl.exp2(x))
    tl.store(out + BLOCK, tl.log(tl.abs(x) + 1.0))
    tl.store(out + 2 * BLOCK, tl.sqrt(x * x + 0.5))
    tl.store(out + 3 * BLOCK, tl.sin(x) + tl.cos(x))
    tl.store(out + 4 * BLOCK, tl.rsqrt(x * x + 1.0))
    tl.store(out + 5 * BLOCK, tl.floor(x) + tl.ceil(x * 3.0))
    tl.store(out + 6 * BLOCK, tl.fma(x, x, 1.5))
    tl.store(out + 7 * BLOCK, tl.sigmoid(x) + tl.erf(x))
    tl.store(out + 8 * BLOCK, tl.clamp(x, -0.5, 0.75) + x.to(tl.int32).to(tl.float32))


@triton.jit
def in_place_kernel(x_ptr, BLOCK: tl.constexpr):
    """Reads back what it has just stored."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(x_ptr + offsets, tl.load(x_ptr + offsets) * 2.0)
    tl.debug_barrier()
    first = tl.load(x_ptr + tl.program_id(0) * BLOCK)
    tl.store(x_ptr + offsets, tl.load(x_ptr + offsets) + first)


@triton.jit
def cast_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    """Rounds to the output's type, computes in it, rounds again."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets).to(o_ptr.dtype.element_ty)
    tl.store(o_ptr + offsets, x * x + x)


@triton.jit
def dot_kernel(a_ptr, b_ptr, o_ptr, SIZE: tl.constexpr):
    r = tl.arange(0, SIZE)
    tile = r[:, None] * SIZE + r[None, :]
    product = tl.dot(tl.load(a_ptr + tile), tl.load(b_ptr + tile))
    tl.store(o_ptr + tile, product.to(o_ptr.dtype.element_ty))


@triton.jit
def overrun_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(o_ptr + offsets, tl.load(x_ptr + offsets + 1))


@triton.jit
def inline_assembly_kernel(o_ptr):
    value = tl.inline_asm_elementwise("mov.u32 $0, %laneid;", "=r", [], dtype=tl.int32, is_pure=True, pack=1)
    tl.store(o_ptr, value)


@triton.jit
def running_kernel(x_ptr, o_ptr, length, BLOCK: tl.constexpr):
    """Carries a maximum and a sum through a loop whose length depends on the program."""
    pid = tl.program_id(0)
    m_i = float("-inf")
    l_i = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, (pid + 1) * BLOCK, BLOCK):
        x = tl.load(x_ptr + start + tl.arange(0, BLOCK))
        m_i = tl.maximum(m_i, tl.max(x, 0))
        l_i += x
    tl.store(o_ptr + pid, m_i + tl.sum(l_i, 0))


@triton.jit
def _fuse(a_value, a_count, b_value, b_count):
    """Keeps the larger value, and counts."""
    return tl.maximum(a_value, b_value), a_count + b_count


@triton.jit
def library_kernel(x_ptr, i_ptr, o_ptr, counts_ptr, BLOCK: tl.constexpr):
    """What Triton's own library makes of the primitive operations."""
    pid = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + pid * BLOCK + offsets)
    i = tl.load(i_ptr + pid * BLOCK + offsets)
    out = o_ptr + pid * BLOCK * 8 + offsets
    tl.store(out, tl.sort(x, descending=True))
    tl.store(out + BLOCK, tl.flip(x, 0))
    highest, count = tl.associative_scan((x, i), 0, _fuse)
    tl.store(out + 2 * BLOCK, highest)
    tl.store(out + 3 * BLOCK, count.to(tl.float32))
    tl.store(out + 4 * BLOCK, tl.gather(x, i, 0))
    tl.store(out + 5 * BLOCK, tl.rand(pid + 17, offsets))
    tl.store(out + 6 * BLOCK, tl.cumsum(x, 0, reverse=True))
    largest, total = tl.reduce((x, i), 0, _fuse)
    tl.store(out + 7 * BLOCK, largest + total + offsets.to(tl.float32))
    tl.store(counts_ptr + pid * BLOCK + offsets, tl.histogram(i, BLOCK))


@triton.jit
def descriptor_kernel(x_ptr, o_ptr, rows, columns, BLOCK: tl.constexpr):
    source = tl.make_tensor_descriptor(x_ptr, shape=[rows, columns], strides=[columns, 1], block_shape=[BLOCK, BLOCK])
    target = tl.make_tensor_descriptor(o_ptr, shape=[rows, columns], strides=[columns, 1], block_shape=[BLOCK, BLOCK])
    row, column = tl.program_id(1) * BLOCK, tl.program_id(0) * BLOCK
    target.store([row, column], source.load([row, column]) * 2.0)
