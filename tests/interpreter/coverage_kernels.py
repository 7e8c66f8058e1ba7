"""Kernels for the less common operations, one idea each, that the TTIR interpreter and Triton's interpreter both
run."""

import triton
import triton.language as tl


@triton.jit
def atomics_kernel(x_ptr, index_ptr, float_ptr, int_ptr, old_ptr, BLOCK: tl.constexpr):
    """Every read-modify-write; several lanes of several programs meet at one address."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    index = tl.load(index_ptr + offsets)
    whole = (x * 100).to(tl.int32)
    keep = index != 3
    tl.atomic_add(float_ptr + index, x, mask=keep)
    tl.atomic_max(float_ptr + 8 + index, x, mask=keep)
    tl.atomic_min(float_ptr + 16 + index, x, mask=keep)
    tl.atomic_add(int_ptr + index, whole)
    tl.atomic_max(int_ptr + 8 + index, whole)
    tl.atomic_min(int_ptr + 16 + index, whole)
    tl.atomic_and(int_ptr + 24 + index, whole)
    tl.atomic_or(int_ptr + 32 + index, whole)
    tl.atomic_xor(int_ptr + 40 + index, whole)
    tl.store(old_ptr + offsets, tl.atomic_xchg(int_ptr + 48 + offsets, whole))
    ticket = tl.atomic_add(int_ptr + 112, 2)
    tl.store(old_ptr + 64 + ticket, tl.program_id(0))


@triton.jit
def swap_kernel(cell_ptr, o_ptr, BLOCK: tl.constexpr):
    """Compare and swap: only the first program to come finds a zero."""
    pid = tl.program_id(0)
    tl.store(o_ptr + pid, tl.atomic_cas(cell_ptr, 0, pid + 1))
    offsets = tl.arange(0, BLOCK)
    tl.atomic_cas(cell_ptr + 1 + offsets, offsets % 2, offsets * 0 + 7)


@triton.jit
def lock_kernel(lock_ptr, x_ptr, o_ptr, BLOCK: tl.constexpr):
    """A spin lock around an update that is not atomic, as the layer norm tutorial has it."""
    offsets = tl.arange(0, BLOCK)
    while tl.atomic_cas(lock_ptr, 0, 1) == 1:
        pass
    tl.store(o_ptr + offsets, tl.load(o_ptr + offsets) + tl.load(x_ptr + tl.program_id(0) * BLOCK + offsets))
    tl.debug_barrier()
    tl.atomic_xchg(lock_ptr, 0)


@triton.jit(noinline=True)
def _scaled(x, factor, pid):
    if pid == 2:
        return x
    return x * factor


@triton.jit(noinline=True)
def _stored(x_ptr, o_ptr, pid, factor, length, BLOCK: tl.constexpr):
    offsets = pid * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets, mask=offsets < length)
    tl.store(o_ptr + offsets, x * factor, mask=offsets < length)


@triton.jit
def call_kernel(x_ptr, o_ptr, length, BLOCK: tl.constexpr):
    """Functions that are not inlined: values, early returns and stores."""
    pid = tl.program_id(0)
    total = 1.0
    for i in range(pid % 3):
        total += _scaled(pid + 0.5, i + 2.0, pid)
    _stored(x_ptr, o_ptr, pid, _scaled(total, 3.0, pid), length, BLOCK)


@triton.jit
def early_return_kernel(x_ptr, length_ptr, o_ptr, BLOCK: tl.constexpr):
    """Programs that leave: at once, after some work, in a nested branch; the others go on."""
    pid = tl.program_id(0)
    if pid == 1:
        return
    length = tl.load(length_ptr + pid)
    offsets = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + pid * BLOCK + offsets)
    scale = 1.0
    if length > 4:
        scale = 2.0
        if length == 5:
            tl.store(o_ptr + pid * BLOCK + offsets, -x)
            return
    if length == 0:
        return
    y = x
    for i in range(length):
        y += x * i
    tl.store(o_ptr + pid * BLOCK + offsets, y * scale)


@triton.jit
def _best(a_value, a_index, b_value, b_index):
    better = (a_value > b_value) | ((a_value == b_value) & (a_index < b_index))
    return tl.where(better, a_value, b_value), tl.where(better, a_index, b_index)


@triton.jit
def _welford(a_mean, a_m2, a_weight, b_mean, b_m2, b_weight):
    delta = b_mean - a_mean
    weight = a_weight + b_weight
    share = b_weight / weight
    return a_mean + delta * share, a_m2 + b_m2 + delta * delta * a_weight * share, weight


@triton.jit
def _affine(a_scale, a_shift, b_scale, b_shift):
    return a_scale * b_scale, b_scale * a_shift + b_shift


@triton.jit
def combine_kernel(x_ptr, o_ptr, index_ptr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Reductions and scans of several operands, in both directions and along both axes."""
    pid = tl.program_id(0)
    r, c = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    tile = r[:, None] * COLUMNS + c[None, :]
    x = tl.load(x_ptr + pid * ROWS * COLUMNS + tile)
    columns = tl.broadcast_to(c[None, :], (ROWS, COLUMNS))
    value, index = tl.reduce((x, columns), 1, _best)
    mean, m2, weight = tl.reduce((x, tl.zeros_like(x), tl.full((ROWS, COLUMNS), 1.0, tl.float32)), 1, _welford)
    out = o_ptr + pid * ROWS * (4 + 3 * COLUMNS)
    tl.store(out + r, value)
    tl.store(out + ROWS + r, mean)
    tl.store(out + 2 * ROWS + r, m2 / weight)
    tl.store(out + 3 * ROWS + r, tl.argmin(x, 1, tie_break_left=False).to(tl.float32))
    tl.store(index_ptr + pid * ROWS + r, index)
    _, shift = tl.associative_scan((x, x), 1, _affine)
    tl.store(out + 4 * ROWS + tile, shift)
    _, backwards = tl.associative_scan((x, x), 0, _affine, reverse=True)
    tl.store(out + (4 + COLUMNS) * ROWS + tile, backwards)
    tl.store(out + (4 + 2 * COLUMNS) * ROWS + tile, tl.cumprod(x, 1) + tl.sum(tl.xor_sum(columns, 1), 0))


@triton.jit
def tiles_kernel(x_ptr, index_ptr, o_ptr, counts_ptr, BLOCK: tl.constexpr):
    """Tiles taken apart and put together: join, split, cat, gather, histogram with a mask, transposes."""
    pid = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + pid * BLOCK + offsets)
    index = tl.load(index_ptr + pid * BLOCK + offsets)
    out = o_ptr + pid * BLOCK * 8
    both = tl.join(x, index.to(tl.float32))
    tl.store(out + tl.arange(0, BLOCK)[:, None] * 2 + tl.arange(0, 2)[None, :], both)
    left, right = tl.split(tl.reshape(tl.join(both, both * 2), (BLOCK * 2, 2)))
    tl.store(out + 2 * BLOCK + tl.arange(0, 2 * BLOCK), left - right)
    tl.store(out + 4 * BLOCK + tl.arange(0, 2 * BLOCK), tl.cat(x, -x, can_reorder=True))
    square = tl.reshape(x, (4, BLOCK // 4))
    picks = tl.reshape(index, (4, BLOCK // 4)) % 4
    tl.store(out + 6 * BLOCK + offsets, tl.reshape(tl.gather(square, picks, 0), (BLOCK,)))
    tl.store(out + 7 * BLOCK + offsets, tl.reshape(tl.permute(square, (1, 0)), (BLOCK,)))
    tl.store(counts_ptr + pid * BLOCK + offsets, tl.histogram(index, BLOCK, mask=index != 2))


@triton.jit
def batched_dot_kernel(a_ptr, b_ptr, o_ptr, SIZE: tl.constexpr):
    batch = tl.arange(0, 2)[:, None, None] * SIZE * SIZE
    tile = batch + tl.arange(0, SIZE)[None, :, None] * SIZE + tl.arange(0, SIZE)[None, None, :]
    a, b = tl.load(a_ptr + tile), tl.load(b_ptr + tile)
    acc = tl.dot(a, b, input_precision="ieee")
    tl.store(o_ptr + tile, tl.dot(a, tl.trans(b, (0, 2, 1)), acc, input_precision="ieee"))


@triton.jit
def while_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    """Newton's square root until every element is close: tensors carried, nested in a loop and a branch."""
    pid = tl.program_id(0)
    offsets = pid * BLOCK + tl.arange(0, BLOCK)
    x = tl.abs(tl.load(x_ptr + offsets)) + 0.1
    guess = x
    steps = 0
    for turn in range(2):
        if (pid + turn) % 2 == 0:
            error = tl.max(tl.abs(guess * guess - x), 0)
            while (error > 0.01) & (steps < 40):
                guess = 0.5 * (guess + x / guess)
                error = tl.max(tl.abs(guess * guess - x), 0)
                steps += 1
    tl.store(o_ptr + offsets, guess + steps)


@triton.jit
def bits_kernel(x_ptr, i_ptr, o_ptr, BLOCK: tl.constexpr):
    """Bit patterns, narrow and unsigned integers, 64 bits."""
    pid = tl.program_id(0)
    offsets = tl.arange(0, BLOCK)
    x, i = tl.load(x_ptr + pid * BLOCK + offsets), tl.load(i_ptr + pid * BLOCK + offsets)
    out = o_ptr + pid * BLOCK * 8 + offsets
    tl.store(out, x.to(tl.int32, bitcast=True))
    tl.store(out + BLOCK, (i.to(tl.float32, bitcast=True) * 0.0 == 0.0).to(tl.int32))
    tl.store(out + 2 * BLOCK, i.to(tl.int8).to(tl.int32) + i.to(tl.uint8).to(tl.int32))
    tl.store(out + 3 * BLOCK, (i.to(tl.int64) * 1000003 >> 16).to(tl.int32))
    tl.store(out + 4 * BLOCK, tl.umulhi(i.to(tl.uint32), 2654435761).to(tl.int32))
    tl.store(
        out + 5 * BLOCK, (i.to(tl.uint32) > 7).to(tl.int32) + (i.to(tl.uint32) < offsets.to(tl.uint32)).to(tl.int32)
    )
    tl.store(out + 6 * BLOCK, tl.abs(i) % 13 - tl.cdiv(i, 3))
    tl.store(out + 7 * BLOCK, tl.randint(pid + 5, offsets).to(tl.int32))


@triton.jit
def random_kernel(o_ptr, seed, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    out = o_ptr + tl.program_id(0) * BLOCK * 4 + offsets
    tl.store(out, tl.rand(seed + tl.program_id(0), offsets))
    tl.store(out + BLOCK, tl.randn(seed, offsets))
    a, b, c, d = tl.randint4x(seed, offsets)
    tl.store(out + 2 * BLOCK, (a ^ b ^ c ^ d).to(tl.float32))
    tl.store(out + 3 * BLOCK, tl.rand(seed, offsets + 7, n_rounds=4))


@triton.jit
def cache_kernel(x_ptr, o_ptr, length, BLOCK: tl.constexpr):
    """Cache modifiers, eviction policies and compiler hints change nothing."""
    offsets = tl.program_id(0) * BLOCK + tl.max_contiguous(tl.multiple_of(tl.arange(0, BLOCK), BLOCK), BLOCK)
    inside = offsets < length
    a = tl.load(x_ptr + offsets, mask=inside, other=1.0, cache_modifier=".cg", eviction_policy="evict_first")
    b = tl.load(x_ptr + offsets, mask=inside, other=1.0, volatile=True)
    tl.assume(length > 0)
    tl.static_assert(BLOCK > 1)
    tl.store(o_ptr + offsets, a / b, mask=inside, cache_modifier=".cs", eviction_policy="evict_last")


@triton.jit
def tuple_kernel(pointers, sizes, nothing, BLOCK: tl.constexpr):
    """Tuples of pointers and numbers, and an argument that is None."""
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < sizes[0]
    x = tl.load(pointers[0] + offsets, mask=inside)
    if nothing is not None:
        x += 1.0
    tl.store(pointers[1] + offsets, x * sizes[1], mask=inside)


@triton.jit
def host_descriptor_kernel(source, target, BLOCK: tl.constexpr):
    row, column = tl.program_id(1) * BLOCK, tl.program_id(0) * BLOCK
    target.store([row, column], source.load([row, column]) + 1.0)


@triton.jit
def none_kernel(x_ptr, bias_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    if bias_ptr is not None:
        x += tl.load(bias_ptr + offsets)
    tl.store(o_ptr + offsets, x)
