import math

import numpy as np
import pytest
import torch

from kernels.attention import Impl, Timeline, attention
from tests.kernels.oracle import Shape, assert_as_exact_as_torch, random_qkv

pytestmark = pytest.mark.gpu

SHAPE = Shape(2, 8, 4, 2000, 2000, 64)


def timeline_of(causal: bool) -> tuple[Timeline, int]:
    q, k, v = random_qkv(SHAPE, torch.bfloat16, "cuda")
    attention(q, k, v, impl=Impl.TRITON_FLASH, causal=causal, timeline=True)  # compiles
    ours = attention(q, k, v, impl=Impl.TRITON_FLASH, causal=causal, timeline=True)
    assert_as_exact_as_torch(ours, q, k, v, causal=causal)
    assert ours.timeline is not None
    assert ours.tiling is not None
    return ours.timeline, ours.tiling.block_q


@pytest.mark.parametrize("causal", [False, True], ids=["full", "causal"])
def test_that_every_program_ran_once_on_an_sm_for_some_time(causal: bool) -> None:
    timeline, block_q = timeline_of(causal)
    query_blocks = math.ceil(SHAPE.query_len / block_q)
    programs = SHAPE.batch * SHAPE.heads * query_blocks

    assert timeline.sm.shape == (programs,)
    assert timeline.sm.min() >= 0
    assert timeline.sm.max() < torch.cuda.get_device_properties(0).multi_processor_count
    assert (timeline.end_ns > timeline.start_ns).all()
    spread_s = (timeline.end_ns.max() - timeline.start_ns.min()) * 1e-9
    assert spread_s < 1.0
    tiles = set(zip(timeline.batch.tolist(), timeline.head.tolist(), timeline.q_block.tolist(), strict=True))
    assert len(tiles) == programs


def test_that_the_longest_causal_walks_are_launched_first() -> None:
    timeline, block_q = timeline_of(causal=True)
    query_blocks = math.ceil(SHAPE.query_len / block_q)
    took_ns = timeline.end_ns - timeline.start_ns

    assert timeline.q_block[0] == query_blocks - 1
    first = np.median(took_ns[timeline.q_block == 0])
    last = np.median(took_ns[timeline.q_block == query_blocks - 1])
    assert last > first
