"""The kernel's loop-carried values as rows of one head, and what the chosen GPU can hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.hardware.gpus import GPU_IDS, gpu
from core.interpreter import Launch, Watched
from core.topics.flash_attention.experiment import states
from core.topics.flash_attention.experiment.states import softmax_states
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import plan
from core.topics.flash_attention.result import SoftmaxStates
from tests.same_result import same

PARAMS = FlashAttentionParams(seq_len=40, heads=1, kv_heads=1, head_dim=32, block_q=16, block_kv=16)
Q_BLOCKS, ITERATIONS = 3, 3


def launch(programs: tuple[int, ...], truncated: bool = False) -> Launch:
    """States whose values are the program number, so that each row shows its program."""
    ids = np.array(programs, dtype=np.int64)
    row_state = np.broadcast_to(ids[:, None, None], (len(ids), ITERATIONS, 16)).astype(np.float32)
    accumulator = np.broadcast_to(row_state[..., None], (*row_state.shape, 32)).copy()
    watched = {
        name: Watched(name, ids, values, truncated)
        for name, values in (("m_i", row_state), ("l_i", row_state), ("acc", accumulator))
    }
    return Launch("flash_fwd_kernel", "flash.py", 1, "", "", (Q_BLOCKS, 1, 1), (), (), watched)


def test_that_causal_programs_run_from_the_last_q_block_and_the_maximum_is_natural() -> None:
    kept = softmax_states(launch((0, 1, 2)), PARAMS)
    assert kept.maximum.shape == (40, ITERATIONS)
    assert kept.accumulator.shape == (40, ITERATIONS, 32)
    assert kept.total[:, 0].tolist() == [2] * 16 + [1] * 16 + [0] * 8
    np.testing.assert_allclose(kept.maximum, kept.total * math.log(2), rtol=1e-6)
    unmasked = softmax_states(launch((0, 1, 2)), PARAMS.changed(causal=False))
    assert unmasked.total[:, 0].tolist() == [0] * 16 + [1] * 16 + [2] * 8


def test_that_a_program_without_iterations_leaves_rows_unvisited() -> None:
    kept = softmax_states(launch((0, 1)), PARAMS)
    assert np.isnan(kept.total[:16]).all()
    assert not np.isnan(kept.total[16:]).any()


def test_that_states_cut_off_by_the_byte_limit_are_left_out_whole() -> None:
    assert same(softmax_states(launch((0, 1), truncated=True), PARAMS), SoftmaxStates())


def test_that_large_accumulators_become_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "_LARGEST_ACCUMULATOR_BYTES", 0)
    kept = softmax_states(launch((0, 1, 2)), PARAMS)
    assert kept.accumulator is None
    np.testing.assert_allclose(kept.accumulator_norm[0], [2 * math.sqrt(32)] * ITERATIONS, rtol=1e-6)


@pytest.mark.parametrize("gpu_id", GPU_IDS)
def test_that_a_plan_weighs_its_tiles_against_each_gpu(gpu_id: str) -> None:
    small, large = (
        plan(FlashAttentionParams(gpu=gpu_id, block_q=block, block_kv=block, head_dim=128, dtype="fp32"))
        for block in (16, 128)
    )
    assert small.fits
    assert large.fits == (gpu(gpu_id).shared_memory_per_block_bytes >= 3 * 128 * 128 * 4)
    for planned in (small, large):
        sram = planned.sram
        assert [store.used_bytes for store in sram.stores] == [
            sum(piece.bytes for piece in store.pieces) for store in (sram.shared, sram.registers)
        ]
        assert {piece.name for store in sram.stores for piece in store.pieces} == {"Q", "K", "V", "S/P", "acc", "m, l"}
        assert planned.gpu.size_ratio > 100
