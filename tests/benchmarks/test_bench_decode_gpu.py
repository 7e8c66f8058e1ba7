import pytest
import torch

from tests.benchmarks import bench_decode_gpu as bench
from tests.benchmarks.bench_decode_gpu import READ, Case


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_that_without_a_gpu_one_sentence_and_exit_code_2_are_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "PyTorch sees no GPU here, and decode is only timed on one.\n"


@pytest.mark.parametrize("page_size", [0, 16])
def test_that_only_what_can_run_and_is_right_gets_a_time(page_size: int, capsys: pytest.CaptureFixture[str]) -> None:
    rows = bench.compare(Case(2, 2, 1 << 20, page_size), rounds=2, device="cpu")

    bench.print_table(rows)

    by_impl = {row.impl: row for row in rows}
    assert "compiles for GPUs" in by_impl["triton-split-kv"].reason
    timed = {row.impl for row in rows if row.time_ms is not None}
    assert timed == ({READ} if page_size else {READ, "sdpa-gqa", "flex"})
    assert by_impl[READ].share_of_read == 1.0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(rows)


def test_that_bytes_are_those_of_the_cache_the_queries_and_the_output() -> None:
    case = Case(32, 8, 256 << 20)

    assert case.keys == 2048
    assert case.moved_bytes == (256 << 20) + 2 * 2 * 32 * 32 * 128


def test_that_the_cases_are_those_of_the_goal() -> None:
    cases = [case for case in bench.cases([256, 1024]) if not case.page_size]

    assert {(case.batch, case.kv_heads) for case in cases} == {(b, h) for b in (1, 32) for h in (1, 2, 8)}
    assert all(case.moved_bytes >= 256 << 20 for case in cases)
