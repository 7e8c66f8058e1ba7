import json
from pathlib import Path

import pytest
import torch

from kernels.attention import visible
from tests.benchmarks import bench_attention_gpu, bench_block_sparse_gpu
from tests.benchmarks.bench_block_sparse_gpu import MASKS, Case


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_that_without_a_gpu_one_sentence_and_exit_code_2_are_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_block_sparse_gpu.main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "PyTorch sees no GPU here, and attention is only timed on one.\n"


@pytest.mark.parametrize("mask", MASKS)
def test_that_only_what_can_run_and_is_right_gets_a_time(
    mask: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(bench_attention_gpu, "TOKENS", 96)
    monkeypatch.setattr(bench_attention_gpu, "WIDTH", 128)
    monkeypatch.setattr(bench_block_sparse_gpu, "WINDOW", 20)
    monkeypatch.setattr(bench_block_sparse_gpu, "DOCUMENT", 40)
    monkeypatch.setattr(bench_attention_gpu, "environment", lambda: {"device": "none"})

    rows = bench_block_sparse_gpu.compare(mask, 96, 64, "bfloat16", rounds=2, device="cpu")
    bench_block_sparse_gpu.print_table(rows)
    bench_attention_gpu.record(tmp_path / "rows.json", rows, "block-sparse-attention-forward")

    assert [row.impl for row in rows if row.time_ms is not None] == ["flex", "sdpa-bool-mask"]
    assert "compiles for GPUs" in rows[0].reason
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(rows)
    written = json.loads((tmp_path / "rows.json").read_text())
    assert [row["case"]["mask"] for row in written["rows"]] == [mask] * 3


def test_that_what_is_wrong_gets_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_attention_gpu, "TOKENS", 64)
    monkeypatch.setattr(bench_attention_gpu, "WIDTH", 64)
    monkeypatch.setattr(
        bench_block_sparse_gpu, "masked_checker", lambda mask, qkv: bench_attention_gpu.checker(qkv[0] + 1, qkv[0] + 1)
    )

    rows = bench_block_sparse_gpu.compare("causal", 64, 64, "float16", rounds=2, device="cpu")

    assert all(row.time_ms is None for row in rows)
    assert rows[1].reason == "failed its check against float64"


def test_that_flops_are_those_of_the_visible_cells() -> None:
    mask = bench_block_sparse_gpu.description("documents", 8192)
    cells = int(visible(mask, query_len=8192, key_len=8192).sum())
    case = Case("documents", 8192, 128, "bfloat16", cells)

    assert bench_attention_gpu.shape_of(8192, 128) == (2, 16, 8192, 128)
    assert case.flops == 4 * 2 * 16 * cells * 128
    assert 0 < cells < 8192 * 1000
