"""The experiment where a GPU really runs the kernels."""

from __future__ import annotations

import numpy as np
import pytest

from core.contracts.result import Provenance
from core.topics.flash_attention import TOPIC
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import plan
from core.topics.flash_attention.result import FlashAttentionResult

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")]

PARAMS = FlashAttentionParams(seq_len=1000, heads=4, kv_heads=2)


@pytest.fixture(scope="module")
def result() -> FlashAttentionResult:
    steps = TOPIC.load_experiment()(PARAMS, "cuda")
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value


def test_that_kernels_run_pass_and_are_timed(result: FlashAttentionResult) -> None:
    rows = {row.impl: row for row in result.comparison}
    for impl in ("triton-standard", "triton-flash", "torch-naive"):
        assert rows[impl].runs_on == "cuda"
        assert rows[impl].passed
        assert rows[impl].time_ms > 0
        assert rows[impl].peak_memory_bytes > 0
    assert result.metrics["triton-flash.time_ms"].provenance is Provenance.MEASURED


def test_that_the_traffic_is_traced_besides(result: FlashAttentionResult) -> None:
    for kernel in ("standard", "flash"):
        assert result.value(f"{kernel}.hbm_bytes") == plan(PARAMS).hbm_bytes(kernel)


def test_that_the_timeline_has_every_program(result: FlashAttentionResult) -> None:
    if torch.version.hip is not None:
        pytest.skip("the timeline is read from NVIDIA's clocks")
    start, end = result.timeline.start_us, result.timeline.end_us
    assert len(start) == len(end) == plan(PARAMS).tiles.shape[0] * PARAMS.heads
    assert start.min() == 0
    assert (end >= start).all()
    assert np.unique(result.timeline.q_block).size == plan(PARAMS).tiles.shape[0]


def test_that_the_claim_on_speed_is_tested(result: FlashAttentionResult) -> None:
    claim = next(claim for claim in TOPIC.claims if claim.id == "faster-on-a-gpu")
    assert "measured" in claim.test(result).evidence
