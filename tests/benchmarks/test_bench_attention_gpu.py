import pytest
import torch

from tests.benchmarks import bench_attention_gpu as bench
from tests.benchmarks.bench_attention_gpu import Case


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_that_without_a_gpu_one_sentence_and_exit_code_2_are_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "PyTorch sees no GPU here, and attention is only timed on one.\n"


def test_that_only_what_can_run_and_is_right_gets_a_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "TOKENS", 64)
    monkeypatch.setattr(bench, "WIDTH", 128)
    case = Case(64, 64, True, "bfloat16")
    qkv = bench.inputs(case, "cpu")
    rows = bench.compare(case, rounds=2, device="cpu")
    rows += bench.time_case(case, {"wrong": lambda: torch.zeros(case.shape)}, qkv, 2, bench.causal_checker(case, qkv))

    bench.print_table(rows)

    by_impl = {row.impl: row for row in rows}
    assert by_impl["sdpa-flash"].time_ms is not None
    assert "compiles for GPUs" in by_impl["triton-flash"].reason
    assert "needs a CUDA GPU" in by_impl["sdpa-cudnn"].reason
    assert by_impl["wrong"].reason == "failed its check against float64"
    assert [row.impl for row in rows if row.time_ms is not None] == ["sdpa-flash"]
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 1 + len(rows)


def test_that_flops_count_both_products_and_half_under_a_causal_mask() -> None:
    full, causal = (Case(4096, 128, causal, "bfloat16") for causal in (False, True))

    assert full.flops == 4 * 4 * 16 * 4096 * 4096 * 128
    assert causal.flops == full.flops / 2
