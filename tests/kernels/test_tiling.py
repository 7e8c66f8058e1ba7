import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.hardware.gpus import GPU_IDS, gpu
from kernels.attention.tiling import Tiling, choose_tiling

WARP_SIZE = {"nvidia": 32, "amd": 64}


@given(
    gpu_id=st.sampled_from(GPU_IDS),
    head_dim=st.sampled_from([32, 64, 128]),
    element_bytes=st.sampled_from([2, 4]),
)
def test_that_the_default_tiles_of_k_and_v_fit_in_shared_memory(gpu_id: str, head_dim: int, element_bytes: int) -> None:
    known = gpu(gpu_id)

    tiling = choose_tiling(head_dim=head_dim, element_bytes=element_bytes, target=known.target)

    assert tiling.num_stages in (1, 2, 3)
    assert tiling.num_warps in (4, 8, 16)
    assert tiling.num_warps * WARP_SIZE[known.vendor] <= 1024
    pair_bytes = 2 * tiling.block_kv * head_dim * element_bytes
    assert tiling.num_stages * pair_bytes <= known.shared_memory_per_block_bytes


@given(block_q=st.sampled_from([16, 32, 64, 128]), block_kv=st.sampled_from([16, 32, 64, 128]))
def test_that_the_tiles_a_caller_asks_for_are_the_tiles_that_run(block_q: int, block_kv: int) -> None:
    tiling = choose_tiling(head_dim=64, element_bytes=2, target="sm_90", block_q=block_q, block_kv=block_kv)

    assert (tiling.block_q, tiling.block_kv) == (block_q, block_kv)


def test_that_cpu_tensors_take_square_tiles_of_64() -> None:
    tiling = choose_tiling(head_dim=128, element_bytes=2, target=None)

    assert (tiling.block_q, tiling.block_kv) == (64, 64)


@pytest.mark.parametrize("target", ["sm_75", "gfx1100", "xpu"])
def test_that_an_unlisted_gpu_gets_a_modest_tiling(target: str) -> None:
    tiling = choose_tiling(head_dim=128, element_bytes=2, target=target)

    assert tiling.num_stages * 2 * tiling.block_kv * 128 * 2 <= 64 * 1024


def test_that_a_timeline_says_what_each_program_computed() -> None:
    pytest.importorskip("triton")
    from kernels.attention.triton.flash import read_timeline

    q = torch.empty(2, 3, 130, 64)
    tiling = Tiling(block_q=64, block_kv=64, num_warps=4, num_stages=3)
    programs = 2 * 3 * 3
    times = torch.stack([torch.arange(programs) % 7, torch.arange(programs), torch.arange(programs) + 50], dim=1)

    causal, full = (read_timeline(times, q, tiling, causal=causal) for causal in (True, False))

    assert causal.q_block[:6].tolist() == [2, 1, 0, 2, 1, 0]  # the longest walk first
    assert full.q_block[:6].tolist() == [0, 1, 2, 0, 1, 2]
    assert full.head[:9].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert full.batch.tolist() == [0] * 9 + [1] * 9
    assert (full.sm.tolist(), full.end_ns[0] - full.start_ns[0]) == (times[:, 0].tolist(), 50)
