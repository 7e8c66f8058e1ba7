"""What kernels for serving and quantization look like, as small kernels of our own (see test_sample_training.py)."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch.nn import functional
from triton.language.extra import libdevice

from core.interpreter import intercept
from core.trace.traffic import traffic


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_close(got: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(got.double(), expected.double(), rtol=tolerance, atol=tolerance)


@triton.jit
def count_kernel(expert_ptr, count_ptr, length, EXPERTS: tl.constexpr, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    experts = tl.load(expert_ptr + offsets, mask=offsets < length, other=EXPERTS)
    counts = tl.histogram(experts, EXPERTS * 2)
    places = tl.arange(0, EXPERTS * 2)
    tl.atomic_add(count_ptr + places, counts, mask=places < EXPERTS)


@triton.jit
def place_kernel(expert_ptr, next_ptr, place_ptr, length, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    keep = offsets < length
    experts = tl.load(expert_ptr + offsets, mask=keep, other=0)
    tl.store(place_ptr + offsets, tl.atomic_add(next_ptr + experts, 1, mask=keep), mask=keep)


@triton.jit
def expert_kernel(
    x_ptr, w_ptr, o_ptr, row_ptr, start_ptr, columns, SIZE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):  # fmt: skip
    """A grouped product: the rows of an expert, which a list names, times its matrix."""
    expert = tl.program_id(1)
    begin, end = tl.load(start_ptr + expert), tl.load(start_ptr + expert + 1)
    places = begin + tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    keep = places < end
    rows = tl.load(row_ptr + places, mask=keep, other=0)
    inner, cols = tl.arange(0, SIZE), tl.arange(0, COLUMNS)
    x = tl.load(x_ptr + rows[:, None] * SIZE + inner[None, :], mask=keep[:, None], other=0.0)
    w = tl.load(w_ptr + expert * SIZE * columns + inner[:, None] * columns + cols[None, :])
    product = tl.dot(x, w, input_precision="ieee")
    tl.store(o_ptr + rows[:, None] * columns + cols[None, :], product, mask=keep[:, None])


def test_that_tokens_find_their_experts() -> None:
    experts = torch.randint(0, 4, (50,), generator=torch.Generator().manual_seed(0)).int()
    x, w, o = randn(50, 16), randn(4, 16, 32, seed=1), torch.full((50, 32), torch.nan)
    counts, places = torch.zeros(4, dtype=torch.int32), torch.empty(50, dtype=torch.int32)
    with intercept():
        count_kernel[(2,)](experts, counts, 50, EXPERTS=4, BLOCK=32)
        starts = functional.pad(counts.cumsum(0), (1, 0)).int()
        place_kernel[(2,)](experts, starts.clone(), places, 50, BLOCK=32)
        rows = torch.empty(50, dtype=torch.int32)
        rows[places.long()] = torch.arange(50, dtype=torch.int32)
        expert_kernel[(4, 4)](x, w, o, rows, starts, 32, SIZE=16, ROWS=16, COLUMNS=32)
    assert counts.tolist() == torch.bincount(experts, minlength=4).tolist()
    assert_close(o, torch.stack([x[i].double() @ w[experts[i]].double() for i in range(50)]), 1e-4)


@triton.jit
def cache_kernel(key_ptr, cache_ptr, slot_ptr, SIZE: tl.constexpr):
    token, cols = tl.program_id(0), tl.arange(0, SIZE)
    slot = tl.load(slot_ptr + token)
    if slot < 0:
        return
    tl.store(cache_ptr + slot * SIZE + cols, tl.load(key_ptr + token * SIZE + cols))


def test_that_tokens_without_a_slot_are_not_stored() -> None:
    key, cache, slots = randn(4, 16), torch.zeros(8, 16), torch.tensor([3, -1, 0, 7])
    with intercept() as tracer:
        cache_kernel[(4,)](key, cache, slots, SIZE=16)
    expected = torch.zeros(8, 16)
    expected[[3, 0, 7]] = key[[0, 2, 3]]
    assert torch.equal(cache, expected)
    counted = {buffer.buffer: buffer for buffer in traffic(tracer.launches[0]).buffers}
    assert counted["cache_ptr"].written_bytes == 3 * 16 * 4


@triton.jit
def copy_kernel(table_ptr, pair_ptr, SIZE: tl.constexpr):
    """The tensors are found in a table of addresses."""
    tensor = tl.load(table_ptr + tl.program_id(0)).to(tl.pointer_type(tl.float32))
    source, target = tl.load(pair_ptr + 2 * tl.program_id(1)), tl.load(pair_ptr + 2 * tl.program_id(1) + 1)
    cols = tl.arange(0, SIZE)
    tl.store(tensor + target * SIZE + cols, tl.load(tensor + source * SIZE + cols))


def test_that_blocks_are_copied_in_tensors_of_a_table() -> None:
    caches = [randn(6, 16, seed=seed) for seed in range(3)]
    before = [cache.clone() for cache in caches]
    table, pairs = torch.tensor([cache.data_ptr() for cache in caches]), torch.tensor([[0, 4], [2, 5]])
    with intercept():
        copy_kernel[(3, 2)](table, pairs, SIZE=16)
    for cache, old in zip(caches, before, strict=True):
        assert torch.equal(cache, old[[0, 1, 2, 3, 0, 2]])


@triton.jit
def int4_kernel(
    x_ptr, packed_ptr, scale_ptr, o_ptr, columns, SIZE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    """Eight numbers of 4 bits in an int32, along the inner dimension; one scale for a column."""
    rows, inner, cols = tl.arange(0, ROWS), tl.arange(0, SIZE), tl.arange(0, COLUMNS)
    x = tl.load(x_ptr + rows[:, None] * SIZE + inner[None, :])
    packed = tl.load(packed_ptr + (inner // 8)[:, None] * columns + cols[None, :])
    codes = (packed >> ((inner % 8) * 4)[:, None]) & 0xF
    w = (codes - 8).to(tl.float16) * tl.load(scale_ptr + cols)[None, :]
    tl.store(o_ptr + rows[:, None] * columns + cols[None, :], tl.dot(x, w))


def test_that_packed_weights_are_unpacked_before_the_product() -> None:
    codes = torch.randint(0, 16, (32, 16), generator=torch.Generator().manual_seed(0)).int()
    packed = sum(codes.view(4, 8, 16)[:, i] << (4 * i) for i in range(8))
    x, scales, o = (
        randn(16, 32).half(),
        torch.rand(16, generator=torch.Generator().manual_seed(1)).half(),
        torch.empty(16, 16),
    )
    with intercept():
        int4_kernel[(1,)](x, packed, scales, o, 16, SIZE=32, ROWS=16, COLUMNS=16)
    assert_close(o, x.double() @ ((codes.double() - 8) * scales.double()), 2e-2)


@triton.jit
def fp8_kernel(x_ptr, o_ptr, scale_ptr, columns, eps, largest, GROUP: tl.constexpr):
    row, group, cols = tl.program_id(0), tl.program_id(1), tl.arange(0, GROUP)
    at = row * columns + group * GROUP + cols
    x = tl.load(x_ptr + at).to(tl.float32)
    scale = tl.maximum(tl.max(tl.abs(x)), eps) / largest
    tl.store(o_ptr + at, tl.clamp(x / scale, -largest, largest).to(o_ptr.dtype.element_ty))
    tl.store(scale_ptr + row * (columns // GROUP) + group, scale)


def test_that_groups_are_scaled_to_8_bit_floats() -> None:
    x, o, scales = randn(3, 128), torch.empty(3, 128).to(torch.float8_e4m3fn), torch.empty(3, 4)
    with intercept():
        fp8_kernel[(3, 4)](x, o, scales, 128, 1e-10, 448.0, GROUP=32)
    groups = x.view(3, 4, 32)
    expected = groups.abs().amax(-1) / 448
    assert_close(scales, expected)
    assert torch.equal(o.view(3, 4, 32).float(), (groups / scales[..., None]).to(torch.float8_e4m3fn).float())


@triton.jit
def top_kernel(x_ptr, value_ptr, place_ptr, columns, K: tl.constexpr, BLOCK: tl.constexpr):
    """The largest, one after the other, as routers of experts do; its softmax."""
    row, cols = tl.program_id(0), tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + cols, mask=cols < columns, other=float("-inf"))
    total, first = 0.0, tl.max(x)
    for k in tl.static_range(K):
        value, place = tl.max(x, 0, return_indices=True)
        weight = tl.exp(value - first)
        total += weight
        tl.store(value_ptr + row * K + k, weight)
        tl.store(place_ptr + row * K + k, place)
        x = tl.where(cols == place, float("-inf"), x)
    chosen = tl.arange(0, K)
    weights = tl.load(value_ptr + row * K + chosen)
    tl.store(value_ptr + row * K + chosen, weights / total)


def test_that_a_router_takes_the_largest() -> None:
    x, values, places = randn(5, 12), torch.empty(5, 2), torch.empty(5, 2, dtype=torch.int32)
    with intercept():
        top_kernel[(5,)](x, values, places, 12, K=2, BLOCK=16)
    top = x.double().topk(2)
    assert_close(values, top.values.softmax(-1))
    assert torch.equal(places.long(), top.indices)


@triton.jit
def sort_kernel(x_ptr, o_ptr, columns, BLOCK: tl.constexpr):
    row, cols = tl.program_id(0), tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + cols, mask=cols < columns, other=float("inf"))
    tl.store(o_ptr + row * columns + cols, tl.sort(x), mask=cols < columns)


def test_that_rows_are_sorted() -> None:
    x, o = randn(3, 50), torch.empty(3, 50)
    with intercept():
        sort_kernel[(3,)](x, o, 50, BLOCK=64)
    assert torch.equal(o, x.sort(1).values)


@triton.jit
def assembly_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    fast = tl.inline_asm_elementwise("tanh.approx.f32 $0, $1;", "=f,f", [x], tl.float32, is_pure=True, pack=1)
    exponent = libdevice.ilogb(x).to(tl.float32)
    tl.store(o_ptr + offsets, tl.where(x > 0, fast, exponent))


def test_that_assembly_and_library_functions_are_computed() -> None:
    x, o = randn(32), torch.empty(32)
    with intercept():
        assembly_kernel[(1,)](x, o, BLOCK=32)
    assert_close(o, torch.where(x > 0, x.double().tanh(), x.double().abs().log2().floor()))
