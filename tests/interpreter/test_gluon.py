"""Gluon kernels against torch: layouts, shared memory, asynchronous copies, barriers, TMA and wgmma."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor

from core.contracts.errors import TilescopeError
from core.interpreter import NeedsData, intercept
from core.trace.record import Launch
from tests.interpreter import gluon_kernels as kernels


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def traced(kernel: Any, grid: tuple[int, ...], *args: Any, **kwargs: Any) -> Launch:
    with intercept() as tracer:
        kernel[grid](*args, **kwargs)
    return tracer.launches[0]


def described(tensor: torch.Tensor, block: list[int], dtype: Any) -> TensorDescriptor:
    return TensorDescriptor.from_tensor(tensor, block, gl.NVMMASharedLayout.get_default_for(block, dtype))


def loaded_bytes(launch: Launch) -> int:
    return sum(int(a.active().sum()) * a.element_bytes for a in launch.accesses if a.kind == "load")


def test_that_layouts_change_no_value() -> None:
    x = random(32, 50)
    y = torch.full_like(x, math.nan)
    traced(kernels.row_softmax_kernel, (2,), x, y, 50, M=16, N=64)
    torch.testing.assert_close(y, x.softmax(1))


def test_that_automatic_layouts_are_resolved() -> None:
    x = random(128)
    y = torch.full_like(x, math.nan)
    traced(kernels.auto_layout_kernel, (1,), x, y, N=128)
    assert torch.equal(y, x * 2)


def test_that_views_of_shared_memory_show_the_same_elements() -> None:
    x = random(3, 16, 16)
    y, z = torch.full_like(x, math.nan), torch.full((3, 16, 8), math.nan)
    w = torch.zeros(3, 256, dtype=torch.int32)
    traced(kernels.views_kernel, (3,), x, y, z, w, N=16)
    assert torch.equal(y, x.transpose(1, 2))
    assert torch.equal(z, x[:, :, 8:] + 1)
    assert torch.equal(w, x.view(torch.int32).view(3, 256))


@pytest.mark.parametrize("buffers", [1, 2, 3])
def test_that_asynchronous_copies_load_every_element_once(buffers: int) -> None:
    x, y = random(3, 200), torch.full((3,), math.nan)
    launch = traced(kernels.pipelined_sum_kernel, (3,), x, y, 200, N=64, BUFFERS=buffers, LEFT=buffers - 1)
    torch.testing.assert_close(y, x.sum(1))
    assert loaded_bytes(launch) == x.nbytes


def test_that_a_copy_that_was_not_waited_for_is_reported() -> None:
    x, y = random(3, 200), torch.full((3,), math.nan)
    with pytest.raises(TilescopeError, match=r"reads buffers at .*gluon_kernels.py:\d+ before anything has waited"):
        traced(kernels.pipelined_sum_kernel, (3,), x, y, 200, N=64, BUFFERS=2, LEFT=2)


def test_that_a_missing_wait_is_a_fault_where_faults_are_recorded() -> None:
    x, y = random(3, 200), torch.full((3,), math.nan)
    with intercept(faults="record") as tracer:
        kernels.pipelined_sum_kernel[(3,)](x, y, 200, N=64, BUFFERS=2, LEFT=2)
    faults = {fault.kind: fault for fault in tracer.launches[0].faults}
    assert faults.keys() == {"missing wait"}
    assert str(faults["missing wait"].repair) == "Wait for it first."


def test_that_tma_leaves_out_what_is_outside_the_tensor() -> None:
    x = random(40, 72)
    y = torch.full_like(x, math.nan)
    launch = traced(
        kernels.tma_add_kernel,
        (3, 3),
        described(x, [16, 32], gl.float32),
        described(y, [16, 32], gl.float32),
        WAITS=True,
        BYTES=16 * 32 * 4,
    )
    assert torch.equal(y, x + 1)
    assert loaded_bytes(launch) == x.nbytes


def test_that_descriptors_of_unsigned_numbers_are_read() -> None:
    x = torch.arange(40 * 64).remainder(251).to(torch.uint8).view(40, 64)
    y = torch.zeros_like(x)
    descriptors = [described(tensor, [16, 32], gl.uint8) for tensor in (x, y)]
    traced(kernels.tma_add_kernel, (3, 2), *descriptors, WAITS=True, BYTES=16 * 32)
    assert torch.equal(y, x + 1)


def tma_add(*, waits: bool, expected: int) -> None:
    x = random(16, 32)
    descriptors = [described(t, [16, 32], gl.float32) for t in (x, torch.empty_like(x))]
    traced(kernels.tma_add_kernel, (1, 1), *descriptors, WAITS=waits, BYTES=expected)


def test_that_a_tma_copy_that_was_not_waited_for_is_reported() -> None:
    with pytest.raises(TilescopeError, match=r"reads buffer at .* before anything has waited for what .* writes"):
        tma_add(waits=False, expected=16 * 32 * 4)


def test_that_a_wait_that_nothing_ends_is_reported() -> None:
    with pytest.raises(TilescopeError, match=r"waits forever at .*barrier.*never completes phase 0.*and 4 bytes are"):
        tma_add(waits=True, expected=16 * 32 * 4 + 4)


def test_that_memory_must_not_be_overwritten_while_tma_reads_it() -> None:
    y = torch.full((32, 32), math.nan)
    traced(kernels.overwritten_store_kernel, (1,), described(y, [16, 32], gl.float32), WAITS=True)
    assert torch.equal(y, torch.arange(2.0).repeat_interleave(16)[:, None].expand(32, 32))
    with pytest.raises(TilescopeError, match=r"overwrites buffer at .* still reads there"):
        traced(kernels.overwritten_store_kernel, (1,), described(y, [16, 32], gl.float32), WAITS=False)


def product(buffers: int, left: int) -> tuple[torch.Tensor, torch.Tensor, Launch]:
    a, b = random(100, 80).half(), random(80, 40).half()
    c = torch.full((100, 40), math.nan, dtype=torch.float16)
    launch = traced(
        kernels.wgmma_kernel,
        (2, 2),
        described(a, [64, 32], gl.float16),
        described(b, [32, 32], gl.float16),
        described(c, [64, 32], gl.float16),
        80,
        BUFFERS=buffers,
        LEFT=left,
    )
    return c, (a.double() @ b.double()).half(), launch


@pytest.mark.parametrize(("buffers", "left"), [(1, 0), (2, 1)])
def test_that_wgmma_multiplies_what_is_in_shared_memory(buffers: int, left: int) -> None:
    c, reference, launch = product(buffers, left)
    torch.testing.assert_close(c, reference, rtol=1e-3, atol=1e-2)
    assert launch.product_flops == 2 * 128 * 64 * 96


def test_that_tiles_must_not_be_overwritten_while_a_product_reads_them() -> None:
    with pytest.raises(TilescopeError, match=r"overwrites a at .* still reads there"):
        product(buffers=1, left=1)


def product_in_tensor_memory(*, waits: bool) -> tuple[torch.Tensor, torch.Tensor, Launch]:
    a, b = random(200, 80).half(), random(80, 40).half()
    c = torch.full((200, 40), math.nan, dtype=torch.float16)
    launch = traced(
        kernels.tcgen05_kernel,
        (2, 2),
        described(a, [128, 32], gl.float16),
        described(b, [32, 32], gl.float16),
        described(c, [128, 32], gl.float16),
        80,
        WAITS=waits,
    )
    return c, (a.double() @ b.double()).half(), launch


def test_that_tcgen05_multiplies_into_tensor_memory() -> None:
    c, reference, launch = product_in_tensor_memory(waits=True)
    torch.testing.assert_close(c, reference, rtol=1e-3, atol=1e-2)
    assert launch.product_flops == 2 * 256 * 64 * 96


def test_that_a_tcgen05_product_that_was_not_waited_for_is_reported() -> None:
    with pytest.raises(TilescopeError, match=r"overwrites a at .* before anything has waited .* still reads"):
        product_in_tensor_memory(waits=False)


def test_that_scales_multiply_groups_of_32() -> None:
    a, b = random(128, 64).to(torch.float8_e4m3fn), random(32, 64).to(torch.float8_e4m3fn)
    a_scale = torch.arange(256).remainder(5).add(125).to(torch.uint8).view(128, 2)
    b_scale = torch.arange(64).remainder(3).add(126).to(torch.uint8).view(32, 2)
    c = torch.full((128, 32), math.nan)
    descriptors = [described(a, [128, 64], gl.float8e4nv), described(b, [32, 64], gl.float8e4nv)]
    traced(kernels.scaled_product_kernel, (1,), *descriptors, a_scale, b_scale, c, M=128, N=32)
    left, right = (
        (tile.double().view(-1, 2, 32) * 2.0 ** (scale.double() - 127)[:, :, None]).flatten(1)
        for tile, scale in ((a, a_scale), (b, b_scale))
    )
    torch.testing.assert_close(c.double(), left @ right.T, rtol=1e-5, atol=1e-4)


def test_that_tma_gathers_and_scatters_rows() -> None:
    x, y = random(64, 32), torch.zeros(64, 32)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1)).to(torch.int32)
    source, target = order[:16].contiguous(), order[16:32].contiguous()
    source[3] = 64  # outside: zeros
    descriptors = [described(tensor, [1, 32], gl.float32) for tensor in (x, y)]
    launch = traced(kernels.moved_rows_kernel, (1,), *descriptors, source, target, ROWS=16, WIDTH=32)
    expected = torch.zeros(64, 32)
    expected[target.long()] = torch.cat((x, torch.zeros(1, 32)))[source.long()]
    assert torch.equal(y, expected)
    assert loaded_bytes(launch) == 15 * 32 * 4 + 2 * 16 * 4


def specialized_sum(blocks: int, *, releases: bool) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = random(3, 64 * blocks), torch.full((3,), math.nan)
    descriptor = described(x, [1, 64], gl.float32)
    launch = traced(kernels.specialized_sum_kernel, (3,), descriptor, y, blocks, RELEASES=releases)
    assert loaded_bytes(launch) == x.nbytes
    return y, x.sum(1)


def test_that_partitions_of_warps_hand_over_their_buffers() -> None:
    torch.testing.assert_close(*specialized_sum(5, releases=True))


def test_that_partitions_that_wait_for_each_other_are_reported_with_both_lines() -> None:
    torch.testing.assert_close(*specialized_sum(2, releases=False))
    with pytest.raises(TilescopeError, match=r"waits forever at .*barrier full.*waits forever at .*barrier empty"):
        specialized_sum(5, releases=False)


def test_that_a_cluster_is_refused_in_one_sentence() -> None:
    with pytest.raises(TilescopeError, match=r"Gluon kernel auto_layout_kernel runs as a cluster of 2 CTAs"):
        traced(kernels.auto_layout_kernel, (1,), random(128), random(128), N=128, num_ctas=2)


def test_that_what_addresses_only_did_not_write_is_not_passed_on() -> None:
    x, y, z = (random(2, 128) for _ in range(3))
    with intercept(addresses_only=True):
        kernels.auto_layout_kernel[(1,)](x, y, N=128)
        with pytest.raises(NeedsData, match=r"pipelined_sum_kernel needs its data"):
            kernels.pipelined_sum_kernel[(2,)](y, z, 128, N=64, BUFFERS=2, LEFT=1)


def test_that_programs_of_different_branches_do_not_block_each_other() -> None:
    y = torch.zeros(4)
    launch = traced(kernels.divergent_partitions_kernel, (4,), y)
    assert y.tolist() == [1, 2, 1, 2]
    assert sorted(int(p) for access in launch.accesses for p in access.programs) == [0, 1, 2, 3]
