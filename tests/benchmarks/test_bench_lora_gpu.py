from collections.abc import Sequence

import pytest
import torch

from tests.benchmarks import bench_lora_gpu as bench
from tests.benchmarks.bench_lora_gpu import BASE, FUSED, PEFT, Case, Rival, Row


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_that_without_a_gpu_lora_is_not_timed_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "PyTorch sees no GPU here, and LoRA's products are only timed on one.\n"


@pytest.mark.parametrize("what", ["forward", "training", "forward nf4"])
def test_that_only_what_runs_and_is_right_gets_a_time(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("bitsandbytes")
    case = Case(what, 300, 256, 8)

    rows = bench.compare(case, rounds=2, device="cpu", compiled=False)

    bench.print_table(rows)
    timed = {row.name for row in rows if row.time_ms is not None}
    expected = {
        "forward": {PEFT, "torch, addmm", BASE},
        "training": {PEFT, "torch, addmm"},
        "forward nf4": {PEFT},
    }
    assert timed == expected[what]
    assert all("compiles for GPUs" in row.reason for row in rows if row.name.startswith("triton"))
    assert any(row.name == FUSED for row in rows)
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(rows)


@pytest.mark.parametrize("wrong", range(4))
def test_that_one_wrong_gradient_is_enough_to_get_no_time(wrong: int) -> None:
    case = Case("training", 300, 64, 4)
    rivals = bench.training_rivals(case, bench.inputs(case, "cpu"), compiled=False)
    right = next(rival for rival in rivals if rival.name == PEFT)

    def run() -> tuple[torch.Tensor, ...]:
        outputs = [tensor.clone() for tensor in right.run()]
        outputs[wrong] *= 1.05
        return tuple(outputs)

    rows = bench.time_rivals(case, [right, Rival("wrong", run, right.check)], torch.device("cpu"), 2)

    assert rows[0].time_ms is not None
    assert rows[1].time_ms is None
    assert rows[1].reason == "failed its check against float64"


def test_that_flops_are_those_of_the_products() -> None:
    assert Case("forward", 10, 4, 2).flops == 2 * 10 * 4 * 4 + 2 * (2 * 10 * 4 * 2)
    # Backward: dy W, dy B, its product with A, dA and dB.
    assert Case("training", 10, 4, 2).flops == 2 * (2 * 10 * 4 * 4) + 6 * (2 * 10 * 4 * 2)


@pytest.mark.parametrize(("theirs", "word"), [(1.31, "met"), (1.29, "missed")])
def test_that_the_target_is_judged_at_its_own_shape(theirs: float, word: str) -> None:
    def rows(case: Case) -> Sequence[Row]:
        times = {FUSED: 1.0, PEFT: theirs}
        return [Row(case, name, time, 0.0, 1.0, 0, 0.0) for name, time in times.items()]

    assert bench.target_sentence(rows(Case("forward", 2048, 4096, 16))) is None
    assert word in (bench.target_sentence(rows(Case("forward", 8192, 4096, 16))) or "")
