"""The GPU benchmarks: what they compare can be run, and a goal is met or missed by the ratio in one run."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from core.contracts.text import tr
from core.families import FAMILIES
from core.recordings.document import read
from core.recordings.run import Ceiling
from core.topics.compare.plan import plan
from tests.benchmarks import bench_gpu
from tests.benchmarks.gpu_goals import COMPARISONS, Comparison, Goal, findings
from tests.recordings.runs import kernel, missing, point, run, timed

OURS_TO_SDPA = Comparison("attention", goals=(Goal("triton", "sdpa", 1.4),))
OURS_TO_READ = Comparison("attention", goals=(Goal("triton", "read", 0.92, of_ceiling=True),))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_that_without_a_gpu_one_sentence_and_exit_code_2_are_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench_gpu.main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "PyTorch sees no GPU here: use --dry-run to trace and compile only.\n"


def test_that_every_family_is_compared_those_with_goals_first() -> None:
    assert {each.family for each in COMPARISONS} == set(FAMILIES)
    has_goals = [bool(each.goals) for each in COMPARISONS]
    assert has_goals == sorted(has_goals, reverse=True)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda each: each.family)
def test_that_a_comparison_can_be_run_and_has_what_its_goals_name(comparison: Comparison, dry_run: bool) -> None:
    params = comparison.params(dry_run=dry_run)
    planned = plan(params)

    assert not planned.problem
    assert len(planned.points) <= 4
    assert (params.timed, params.traced, params.compiled) == (not dry_run, dry_run, dry_run)
    contenders = {contender.id for contender in planned.contenders}
    for goal in comparison.goals:
        assert goal.contender in contenders
        assert goal.rival in ({"copy", "read"} if goal.of_ceiling else contenders)


def test_that_the_goals_on_an_h200_are_those_of_their_sizes() -> None:
    cases = {each.family: [dict(p.case) for p in plan(each.params(dry_run=False)).points] for each in COMPARISONS}

    assert [case["seq_len"] for case in cases["attention"]] == [4096, 8192, 16384]
    for case in (*cases["attention"], *cases["attention-training"]):
        assert (case["head_dim"], case["mask"], case["dtype"]) == (128, "causal", "bf16")
    assert {case["passes"] for case in cases["attention-training"]} == {"backward"}
    assert [case["mask"] for case in cases["block-sparse"]] == ["causal", "window", "documents"]
    assert {(case["tokens"], case["width"], case["rank"]) for case in cases["lora"]} == {(8192, 4096, 16)}
    assert all(
        planned.cost.least_bytes >= 256 << 20
        for each in COMPARISONS
        if each.family == "decode"
        for planned in plan(each.params(dry_run=False)).points
    )


@pytest.mark.parametrize(("sdpa_ms", "verdict"), [(1.5, "met"), (1.3, "missed")])
def test_that_a_goal_is_met_by_the_ratio_of_medians(sdpa_ms: float, verdict: str) -> None:
    made = run(point(4096, timed("triton", 1.0), timed("sdpa", sdpa_ms, seed=1)))

    (finding,) = findings(OURS_TO_SDPA, made)

    assert finding.verdict == verdict
    assert finding.ratio == pytest.approx(sdpa_ms, rel=0.02)
    assert finding.case == "seq_len=4096"


@pytest.mark.parametrize(("read_per_s", "verdict"), [(1.05e12, "met"), (1.15e12, "missed")])
def test_that_a_share_is_that_of_the_ceiling_of_the_same_run(read_per_s: float, verdict: str) -> None:
    made = run(point(4096, timed("triton", 1.0)))  # 1e9 bytes in 1 ms
    made = replace(made, ceilings=(Ceiling("read", tr("read"), read_per_s, 1.0, ()),))

    (finding,) = findings(OURS_TO_READ, made)

    assert finding.verdict == verdict
    assert finding.ratio == pytest.approx(1e12 / read_per_s, rel=0.02)


def test_that_what_has_no_time_is_not_measured_and_says_why() -> None:
    without_rival = run(point(4096, timed("triton", 1.0), missing("sdpa")))
    out_of_memory = run(replace(point(8192), problem=tr("It ran out of memory here.")))
    without_ceiling = run(point(4096, timed("triton", 1.0)))

    found = [
        *findings(OURS_TO_SDPA, without_rival),
        *findings(OURS_TO_SDPA, out_of_memory),
        *findings(OURS_TO_READ, without_ceiling),
    ]

    assert {finding.verdict for finding in found} == {"not measured"}
    assert [finding.reason for finding in found] == [
        "PyTorch sees no GPU on this machine.", "It ran out of memory here.", "read was not measured",
    ]  # fmt: skip


def test_that_the_table_has_a_row_for_every_goal_also_of_what_was_not_run() -> None:
    made = run(point(4096, timed("triton-flash", 1.0), timed("sdpa-flash", 2.0)))
    console = Console(width=200)

    with console.capture() as captured:
        console.print(bench_gpu.goals_table(COMPARISONS, [made]))

    rows = [line.split() for line in captured.get().splitlines()[1:]]
    assert len(rows) == sum(len(each.goals) for each in COMPARISONS)
    assert [row[-2:] for row in rows if row[-1] == "met"] == [["2.00", "met"]]
    assert sum(row[-2:] == ["not", "run"] for row in rows) == len(rows) - 2


def test_that_the_time_limit_is_an_interrupt_and_ends_with_the_block() -> None:
    with pytest.raises(KeyboardInterrupt), bench_gpu._interrupted_after(600):
        signal.raise_signal(signal.SIGALRM)

    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0


def test_that_a_dry_run_compiles_the_kernels_and_writes_a_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("triton", reason="Triton is not installed here")
    monkeypatch.setattr(bench_gpu, "COMPARISONS", (Comparison("softmax", "rows=8", "columns=64"),))

    assert bench_gpu.main(["softmax", "--dry-run", "--record", str(tmp_path / "run.json")]) == 0

    (made, *_) = read(tmp_path / "run.json").runs
    outcome = made.points[0].outcome("triton")
    assert outcome is not None
    assert outcome.time_ms is None
    assert outcome.compiled[0].target == "sm_90"
    assert "softmax_kernel" in capsys.readouterr().out


def test_that_a_dry_run_fails_for_a_kernel_that_is_not_compiled() -> None:
    compiled, broken = kernel("triton", 1.0), kernel("triton", 1.0)
    problem = replace(broken.compiled[0], problem=tr("out of resource: shared memory"))

    assert bench_gpu._compiles(run(point(64, compiled)))
    assert not bench_gpu._compiles(run(point(64, compiled, replace(broken, compiled=(problem,)))))
    assert not bench_gpu._compiles(run(point(64, replace(compiled, compiled=()))))
    assert not bench_gpu._compiles(run(point(64, timed("torch", 1.0))))
