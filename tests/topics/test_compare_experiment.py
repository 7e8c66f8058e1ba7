"""The compare experiment on a CPU: points one by one, errors beside times; what goes wrong at a point stays there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.contracts.events import Progress
from core.contracts.result import Provenance
from core.families.axes import Case
from core.families.family import Family
from core.families.running import ceilings, problem
from core.families.running.problem import Problem
from core.recordings.document import read, write
from core.recordings.run import Outcome
from core.topics.compare import experiment
from core.topics.compare.experiment import kernels, run
from core.topics.compare.result import CompareResult
from tests.topics.compare_runs import own_file, quick, result_of, steps_of

pytest.importorskip("triton", reason="Triton is not installed here")


@pytest.fixture(scope="module")
def steps() -> list[CompareResult]:
    params = quick(
        sweep="seq_len=32,64", case="heads=2", second_sweep="mask=causal,none", compiled=True,
        contenders="triton-flash,torch-naive,sdpa-cudnn",
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ceilings, "_BYTES", {"cpu": 1 << 20})
        patched.setattr(ceilings, "_BUDGET_S", 0.05)
        return list(steps_of(params))


def test_that_every_point_is_shown_as_soon_as_it_is_done(steps: list[CompareResult]) -> None:
    assert [len(step.run.points) for step in steps if step.run is not None] == [0, 1, 2, 3, 4, 4]


def test_that_torch_is_timed_and_triton_is_checked_traced_and_compiled(steps: list[CompareResult]) -> None:
    made = steps[-1].run
    assert made is not None
    for point in made.points:
        flash, naive, cudnn = (point.outcome(name) for name in ("triton-flash", "torch-naive", "sdpa-cudnn"))
        assert flash is not None
        assert naive is not None
        assert cudnn is not None
        assert (flash.runs_on, flash.passed, flash.time_ms) == ("emulated", True, None)
        assert flash.traced is not None
        assert flash.traced.launches == 1
        assert flash.modelled is not None
        assert flash.modelled.low_ms < flash.modelled.high_ms
        assert [kernel.function for kernel in flash.compiled] == ["flash_fwd_kernel"]
        assert flash.compiled[0].registers
        assert (naive.runs_on, naive.passed, len(naive.time_ms_samples)) == ("cpu", True, 3)
        assert cudnn.time_ms is None
        assert "needs a CUDA GPU" in str(cudnn.reason)
        assert point.conditions.threads
        assert point.conditions.rounds == 3


def test_that_a_backward_pass_is_traced_and_compiled_without_the_forward_pass_before_it() -> None:
    values = {"sweep": "none", "timed": False, "compiled": True, "contenders": "triton-flash"}
    case = "seq_len=100, heads=4, kv_heads=2, batch=1"

    def flash(family: str, case: str) -> Outcome:
        made = result_of(quick(family=family, case=case, **values)).run
        assert made is not None
        (outcome,) = made.points[0].outcomes
        assert outcome.passed
        return outcome

    forward = flash("attention", case)
    backward = flash("attention-training", f"{case}, passes=backward")
    both = flash("attention-training", case)

    assert forward.traced is not None
    assert backward.traced is not None
    assert both.traced is not None
    assert [each.traced.launches for each in (forward, backward, both) if each.traced] == [1, 2, 3]
    assert both.traced.unique_bytes == forward.traced.unique_bytes + backward.traced.unique_bytes
    assert both.traced.product_flops == (forward.traced.product_flops or 0) + (backward.traced.product_flops or 0)
    assert [kernel.function for kernel in forward.compiled] == ["flash_fwd_kernel"]
    assert [kernel.function for kernel in backward.compiled] == ["flash_bwd_dq_kernel", "flash_bwd_dkdv_kernel"]
    assert {*forward.compiled, *backward.compiled} == set(both.compiled)


def test_that_a_dry_run_compiles_what_is_too_large_to_be_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "TRACE_LIMIT_BYTES", 1)
    values = {"checked": False, "timed": False, "compiled": True, "contenders": "triton-flash", "sweep": "none"}
    made = result_of(quick(case="seq_len=32, batch=1, heads=1", **values)).run
    assert made is not None
    (outcome,) = made.points[0].outcomes

    assert "does not fit the limit" in str(outcome.reason)
    assert outcome.traced is None
    assert [kernel.function for kernel in outcome.compiled] == ["flash_fwd_kernel"]


def test_that_pytorch_does_not_compute_for_minutes_beside_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "MOST_TORCH_FLOPS", 1e3)
    values = {"checked": False, "timed": False, "compiled": True, "contenders": "triton-gemv, triton-dequantize"}
    made = result_of(quick(family="matmul-4bit", case="rows=64, columns=64", sweep="none", **values)).run
    assert made is not None
    gemv, dequantize = made.points[0].outcomes

    assert gemv.traced is not None
    assert gemv.compiled
    assert (dequantize.traced, dequantize.compiled) == (None, ())
    assert str(dequantize.reason).startswith("Not traced here: PyTorch computes a part of its 0 GFLOP")


def test_that_the_run_says_where_and_from_what_it_comes(steps: list[CompareResult]) -> None:
    made = steps[-1].run
    assert made is not None
    assert (made.family, made.device.kind, made.swept) == ("attention", "cpu", ("seq_len", "mask"))
    assert made.device.name
    assert made.recorded_at.endswith("+00:00")
    assert made.versions["torch"]
    assert {ceiling.id for ceiling in made.ceilings} == {"copy", "read", "matmul"}
    assert all(ceiling.per_s > 1e6 for ceiling in made.ceilings)


def test_that_metrics_are_those_of_the_last_point_with_their_provenance(steps: list[CompareResult]) -> None:
    metrics = steps[-1].metrics

    assert metrics["ceiling.copy"].provenance is Provenance.MEASURED_CPU
    assert metrics["torch-naive.time_ms"].provenance is Provenance.MEASURED_CPU
    assert metrics["triton-flash.unique_bytes"].provenance is Provenance.TRACED
    assert metrics["triton-flash.modelled_low_ms"].provenance is Provenance.MODELLED
    assert "triton-flash.time_ms" not in metrics
    assert metrics["formula.flops"].value == 4 * 2 * 64 * 64 * 64


def test_that_a_result_can_be_stored_and_recorded(steps: list[CompareResult], tmp_path: Path) -> None:
    result = steps[-1]
    assert result.run is not None

    assert CompareResult.from_bytes(result.to_bytes()) == result
    write(tmp_path / "run.json", [result.run])
    assert read(tmp_path / "run.json").runs == (result.run,)


def test_that_progress_never_moves_back() -> None:
    done = [
        event.done for event in run(quick(sweep="seq_len=16,32", timed=False), "cpu") if isinstance(event, Progress)
    ]

    assert done == sorted(done)
    assert done[-1] <= 1.0


def test_that_memory_exhausted_at_one_point_marks_it_and_the_sweep_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(family: Family, case: Case, seed: int, device: torch.device) -> Problem:
        if case["seq_len"] == 64:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes.")
        return problem.build(family, case, seed, device)

    monkeypatch.setattr(experiment, "build", build)
    result = result_of(quick(sweep="seq_len=32,64,16", timed=False, contenders="torch-naive"))

    assert result.run is not None
    first, second, third = result.run.points
    assert (first.out_of_memory, second.out_of_memory, third.out_of_memory) == (False, True, False)
    assert str(second.problem) == "It ran out of memory here."
    assert third.outcomes[0].passed
    assert any("seq_len=64" in str(message.text) for message in result.messages)


def test_that_a_point_that_cannot_fit_is_not_even_tried() -> None:
    result = result_of(quick(sweep="seq_len=131072,16", timed=False, contenders="torch-naive"))

    assert result.run is not None
    first, second = result.run.points
    assert first.out_of_memory
    assert "of memory, and" in str(first.problem)
    assert second.outcomes[0].passed


def test_that_a_kernel_that_is_too_large_to_emulate_is_traced_and_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "MOST_EMULATED_FLOPS", 1.0)

    result = result_of(quick(sweep="seq_len=128", timed=False, contenders="triton-flash"))

    assert result.run is not None
    (flash,) = result.run.points[0].outcomes
    assert flash.traced is not None
    assert (flash.passed, flash.runs_on) == (None, "emulated")
    assert "only its addresses are traced" in str(flash.reason)


def test_that_addresses_alone_count_the_same_bytes_and_flops(monkeypatch: pytest.MonkeyPatch) -> None:
    params = quick(sweep="seq_len=200", timed=False, contenders="triton-flash,triton-standard")
    full = result_of(params)
    monkeypatch.setattr(kernels, "MOST_EMULATED_FLOPS", 1.0)
    sliced = result_of(params)

    assert full.run is not None
    assert sliced.run is not None
    assert [each.traced for each in sliced.run.points[0].outcomes] == [
        each.traced for each in full.run.points[0].outcomes
    ]


OWN = """
import torch
SWEEP = {"n": [10, 20]}
def inputs(n, seed, device):
    return torch.rand(n, n, generator=torch.Generator(device).manual_seed(seed), device=device) + 1
def reference(x):
    return x.log()
"""


def test_that_a_file_of_ones_own_shows_error_and_cost_over_its_sweep(tmp_path: Path) -> None:
    params = own_file(tmp_path, OWN + "def impl_right(x): return x.log()\ndef impl_off(x): return x.log() + 1e-3\n")

    result = result_of(params.changed(timed=True, rounds=3))

    made = result.run
    assert made is not None
    assert (made.family, made.file, len(made.file_sha256)) == ("file", "mine.py", 64)
    assert [dict(point.case) for point in made.points] == [{"n": 10}, {"n": 20}]
    for point in made.points:
        right, off = point.outcomes
        assert right.passed
        assert right.time_ms is not None
        assert off.passed is False
        assert off.time_ms is None
        assert off.max_abs_error == pytest.approx(1e-3, rel=1e-2)
        assert point.least_bytes == 2 * 4 * point.case["n"] ** 2
    assert any("RMS error is" in str(message.text) for message in result.messages)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "    y = x + 1\n    raise ValueError('no such case')",
            "mine.py:10: impl_bad raised ValueError: no such case.",
        ),
        ("    return 'fast'", "impl_bad in mine.py returns str: return a tensor, or a tuple of them."),
        ("    return x[:1].log()", "It returns tensors of shape [1, 10], and the reference [10, 10]."),
        ("    x.zero_()\n    return x", "It changes its inputs, which the others need as they were."),
        ("    return torch.empty(1 << 50)", "mine.py:9: impl_bad ran out of memory: use smaller tensors."),
        ("    raise SystemExit(3)", "mine.py:9: impl_bad called sys.exit(3): let it return instead."),
    ],
)
def test_that_a_function_that_fails_is_listed_with_its_line_and_the_others_go_on(
    body: str, reason: str, tmp_path: Path
) -> None:
    params = own_file(tmp_path, f"{OWN}def impl_bad(x):\n{body}\ndef impl_right(x): return x.log()\n")

    made = result_of(params.changed(sweep="n=10")).run

    assert made is not None
    bad, right = made.points[0].outcomes
    assert not bad.passed
    assert str(bad.reason).replace(f"{tmp_path}/", "") == reason
    assert bad.out_of_memory == ("memory" in reason)
    assert right.passed


RAISING_INPUTS = OWN.replace("seed, device):", "seed, device):\n    1 / 0")
RAISING_REFERENCE = OWN.replace("return x.log()", "return x.lag()")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (RAISING_INPUTS, "mine.py:5: inputs raised ZeroDivisionError: division by zero."),
        (RAISING_REFERENCE, "mine.py:7: reference raised AttributeError: 'Tensor' object has no attribute 'lag'"),
    ],
)
def test_that_inputs_or_a_reference_that_raise_are_the_problem_of_the_point(
    text: str, problem: str, tmp_path: Path
) -> None:
    made = result_of(own_file(tmp_path, text + "def impl_a(x): return x\n")).run

    assert made is not None
    assert all(problem in str(point.problem).replace(f"{tmp_path}/", "") for point in made.points)


def test_that_without_a_reference_kernels_are_traced_and_nothing_is_timed(tmp_path: Path) -> None:
    text = OWN.replace("def reference", "def other") + "def impl_a(x): return x\n"

    result = result_of(own_file(tmp_path, text).changed(timed=True, sweep="n=10"))

    assert result.run is not None
    (outcome,) = result.run.points[0].outcomes
    assert (outcome.passed, outcome.time_ms) == (None, None)
    assert any("has no function reference" in str(message.text) for message in result.messages)


def test_that_functions_as_for_kernel_lab_make_their_own_tensors_from_the_same_seed(tmp_path: Path) -> None:
    text = (
        "import torch\nSWEEP = {'rows': [4, 8]}\n"
        "def reference(rows=2): return torch.randn(rows, 3).double().exp()\n"
        "def impl_a(rows=2): return torch.randn(rows, 3).exp()\n"
        "def impl_b(rows=2): return torch.randn(rows, 3).exp() * 1.1\n"
        "ALLOWED_RMS_ERROR = 1e-5\n"
    )
    result = result_of(own_file(tmp_path, text))

    assert result.run is not None
    assert [[each.passed for each in point.outcomes] for point in result.run.points] == [[True, False]] * 2
    assert any("has no function inputs" in str(message.text) for message in result.messages)


def test_that_an_argument_without_a_value_is_said(tmp_path: Path) -> None:
    text = OWN.replace("def inputs(n, seed, device)", "def inputs(n, m, seed, device)") + "def impl_a(x): return x\n"

    made = result_of(own_file(tmp_path, text)).run

    assert made is not None
    assert "inputs in " in str(made.points[0].problem)
    assert "needs m, which neither SWEEP nor a default gives a value to" in str(made.points[0].problem)


def test_that_a_dry_run_traces_and_compiles_at_the_sizes_of_a_gpu_and_runs_nothing(tmp_path: Path) -> None:
    params = quick(
        size="full", sweep="seq_len=8192", checked=False, compiled=True, contenders="triton-flash,torch-naive"
    )

    made = result_of(params).run

    assert made is not None
    assert made.ceilings == ()
    flash, naive = made.points[0].outcomes
    assert flash.traced is not None
    assert flash.traced.product_flops is not None
    assert flash.traced.product_flops > 5e11
    assert (flash.runs_on, flash.passed, flash.compiled[0].spilled_bytes) == ("emulated", None, 0)
    assert "wgmma" in flash.compiled[0].instructions
    assert (naive.runs_on, naive.passed) == ("unavailable", None)


def test_that_no_time_is_modelled_for_what_is_traced_only_in_part() -> None:
    made = result_of(quick(family="matmul-4bit", sweep="x_rows=4", timed=False, case="rows=64, columns=128")).run

    assert made is not None
    fused, restored = (made.points[0].outcome(name) for name in ("triton-fused", "triton-dequantize"))
    assert fused is not None
    assert restored is not None
    assert fused.modelled is not None
    assert restored.traced is not None
    assert restored.modelled is None
    assert "PyTorch does the rest" in str(restored.note)
