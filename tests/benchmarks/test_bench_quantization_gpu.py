import pytest
import torch

from kernels.quantization.formats import FormatId
from tests.benchmarks import bench_quantization_gpu as bench
from tests.benchmarks.bench_quantization_gpu import Case, Rival


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_that_without_a_gpu_one_sentence_and_exit_code_2_are_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "PyTorch sees no GPU here, and quantization is only timed on one.\n"


@pytest.mark.parametrize("nested_block", [0, 256])
@pytest.mark.parametrize("x_rows", [0, 1, 3])
def test_that_only_what_can_run_and_is_right_gets_a_time(
    x_rows: int, nested_block: int, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("bitsandbytes")
    case = Case("matmul" if x_rows else "dequantize", FormatId.NF4, 300, 256, x_rows, nested_block=nested_block)
    rows = bench.compare(case, rounds=2, device="cpu")
    quantized = bench.quantized_weights(case, "cpu")
    right = bench.checked_part(quantized)
    wrong = Rival("wrong", lambda: torch.zeros(300, 256), 1, bench._checker(right, right.bfloat16()))
    rows += bench.time_rivals(case, [wrong], torch.device("cpu"), 2)

    bench.print_table(rows)

    by_name = {row.name: row for row in rows}
    assert by_name["bitsandbytes"].time_ms is not None
    assert all("compiles for GPUs" in row.reason for name, row in by_name.items() if name.startswith("triton"))
    assert by_name["wrong"].reason == "failed its check against float64"
    timed = {row.name for row in rows if row.time_ms is not None}
    assert timed == {"bitsandbytes", "bfloat16 weights" if x_rows else "copy of as many bytes"}
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(rows)


@pytest.mark.parametrize("name", FormatId)
def test_that_the_checked_part_is_the_beginning_of_the_whole(name: FormatId, monkeypatch: pytest.MonkeyPatch) -> None:
    quantized = bench.quantized_weights(Case("dequantize", name, 20, 128), "cpu")
    whole = bench.checked_part(quantized)

    monkeypatch.setattr(bench, "_CHECKED_ROWS", 8)

    assert whole.shape == (20, 128)
    assert torch.equal(bench.checked_part(quantized), whole[:8])


def test_that_bytes_are_those_of_weights_inputs_and_outputs() -> None:
    assert Case("dequantize", "nf4", 10, 64).moved_bytes(360) == 360 + 2 * 640
    assert Case("matmul", "nf4", 10, 64, 3).moved_bytes(360) == 360 + 2 * 3 * 74
    assert {case.weights for case in bench.cases(128 << 20, [1])} == {128 << 20}
