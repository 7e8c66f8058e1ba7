"""The sweep over tilings, with its kernels emulated: what is right would be timed, and what is wrong is not."""

from __future__ import annotations

import pytest
import torch

from kernels.attention.tiling import Copies
from tests.benchmarks import sweep_attention_tiles_gpu as tiles

pytest.importorskip("triton", reason="Triton is not installed here")

VALUES = {"seq_len": 70, "batch": 1, "heads": 2, "kv_heads": 1, "head_dim": 32, "dtype": "fp16", "mask": "causal"}
CPU = torch.device("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_that_without_a_gpu_tilings_are_not_timed(capsys: pytest.CaptureFixture[str]) -> None:
    assert tiles.main([]) == 2
    assert capsys.readouterr().err == "PyTorch sees no GPU here, and tilings are only timed on one.\n"


@pytest.mark.parametrize("what", tiles.PASSES)
def test_that_tilings_that_agree_with_float64_get_a_time(what: str) -> None:
    from core.interpreter import intercept

    with intercept():
        outcomes = tiles.sweep(what, VALUES, 3, CPU, list(tiles.tilings(what))[:2])

    assert [outcome.passed for outcome in outcomes] == [True, True]
    assert all(outcome.time_ms is not None and "TFLOP/s" in tiles._speed(outcome) for outcome in outcomes)


def test_that_a_tiling_that_is_wrong_gets_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_forward", lambda case, device: lambda tiling: (torch.zeros(1, 2, 70, 32),))

    (outcome,) = tiles.sweep("forward", VALUES, 3, CPU, list(tiles.tilings("forward"))[:1])

    assert (outcome.passed, outcome.time_ms) == (False, None)
    assert "not accurate enough" in tiles._speed(outcome)


def test_that_dkdv_keeps_keys_and_the_others_queries() -> None:
    assert {tiling.block_kv for tiling in tiles.tilings("dkdv")} == {64, 128}
    assert {tiling.block_q for tiling in tiles.tilings("dkdv")} == {32, 64, 128}
    assert {tiling.block_q for tiling in tiles.tilings("dq")} == {64, 128}


def test_that_only_the_forward_kernel_is_varied_over_ways_to_copy() -> None:
    pointers, both = (list(tiles.tilings("forward", copies)) for copies in (Copies.POINTERS, Copies.DESCRIPTORS))

    assert len(both) == 2 * len(pointers)
    assert len({tiles.label(tiling) for tiling in both}) == len(both)
    assert len(list(tiles.tilings("dq", Copies.DESCRIPTORS))) == len(pointers)
