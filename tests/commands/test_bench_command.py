"""`bench` as a user or a script calls it: tables, recordings, the check against a baseline, and what it refuses."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from core.commands import bench as bench_module
from core.commands.bench import Options, comparisons
from core.commands.bench_session import Session
from core.contracts import events
from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.engine import Engine
from core.recordings.document import read, write
from core.recordings.run import FamilyRun, Point
from core.topics.compare.params import EXAMPLE_FILE, CompareParams
from core.topics.compare.plan import plan
from core.topics.compare.result import CompareResult
from tests.commands.conftest import Command
from tests.recordings.runs import CPU, point, run, timed, usual

pytest.importorskip("triton")

SMALL = (
    "--device", "cpu", "--sweep", "columns=32,64", "--set", "rows=16", "--set", "rounds=20", "--set", "budget_s=60",
    "--set", "compiled=false",
)  # fmt: skip


@pytest.fixture
def bench(command: Command, one_engine: None, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: command("bench", *arguments)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recorded") / "softmax.json"


def test_that_a_comparison_is_printed_recorded_and_written_as_csv(bench: Command, recorded: Path) -> None:
    table = recorded.with_suffix(".csv")

    outcome = bench("softmax", *SMALL, "--record", str(recorded), "--csv", str(table))

    assert outcome.returncode == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert lines[0].startswith("Softmax on cpu (")
    assert lines[1].startswith("Measured ceilings: copy ")
    assert "rows=16, columns=64, dtype=fp32" in lines
    (torch_line, _) = [line.split() for line in lines if line.startswith("  torch.softmax")]
    assert torch_line[2] in ("ns", "µs", "ms")
    assert "  torch.compile: torch.compile takes half a minute for a CPU, so it is compared on a GPU only." in lines
    (made,) = read(recorded).runs
    assert [dict(each.case)["columns"] for each in made.points] == [32, 64]
    assert made.device.kind == "cpu"
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 8
    assert rows[0]["impl"] == "triton"


def test_that_the_check_repeats_the_cases_of_the_baseline_and_finds_what_is_slower(
    bench: Command, recorded: Path, tmp_path: Path
) -> None:
    (made,) = read(recorded).runs
    faster = tmp_path / "faster.json"
    write(faster, [_times(made, 1e-4)])

    outcome = bench("--check", str(faster), "--set", "rounds=20", "--set", "budget_s=60", "--device", "cpu")

    assert outcome.returncode == 1, outcome.stderr
    assert "rows=16, columns=64, dtype=fp32" in outcome.stdout
    slower = [line for line in outcome.stdout.splitlines() if "times as long as before" in line]
    assert any(line.startswith("softmax, torch.softmax at rows=16, columns=32") for line in slower)


def test_that_json_is_the_recording_with_the_check(bench: Command, recorded: Path, tmp_path: Path) -> None:
    (made,) = read(recorded).runs
    slower = tmp_path / "slower.json"
    write(slower, [_times(made, 1e4)])

    outcome = bench("softmax", "--check", str(slower), *SMALL, "--json")

    assert outcome.returncode == 0, outcome.stderr
    document = json.loads(outcome.stdout)
    assert (document["format"], len(document["runs"][0]["points"])) == ("tilescope-recording", 2)
    (check,) = document["check"]
    assert (check["family"], check["slower"], check["lost"]) == ("softmax", [], [])
    assert check["compared"] >= 4


def _times(made: FamilyRun, factor: float) -> FamilyRun:
    """The run with other times of the contenders, and those of the yardsticks as they are."""
    points = tuple(
        replace(
            each,
            outcomes=tuple(
                replace(
                    outcome,
                    time_ms=None if outcome.time_ms is None else factor * outcome.time_ms,
                    time_ms_samples=tuple(factor * sample for sample in outcome.time_ms_samples),
                )
                for outcome in each.outcomes
            ),
        )
        for each in made.points
    )
    return replace(made, points=points)


def test_that_an_own_file_is_compared_and_a_function_that_raises_is_said(bench: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\nSWEEP = {'n': [8]}\n"
        "def inputs(n, seed, device): return torch.ones(n, device=device)\n"
        "def reference(x): return x.exp()\n"
        "def impl_a(x): return x.exp()\n"
        "def impl_b(x): return 1 / 0\n"
        "def impl_c(x): return x\n"
        "def impl_d(x): return torch.empty(1 << 60)\n"
    )
    outcome = bench(f"{path}::impl_a, impl_b, impl_c, impl_d", "--set", "timed=false", "--device", "cpu")

    assert outcome.returncode == 0, outcome.stderr
    assert "mine.py on cpu" in outcome.stdout
    assert f"  b: {path}:6: impl_b raised ZeroDivisionError: division by zero." in outcome.stdout
    assert "  c: not accurate enough at n=8: its RMS error is 1.72e+00" in outcome.stdout
    assert f"  d: {path}:8: impl_d ran out of memory: use smaller tensors." in outcome.stdout
    (row,) = [line.split() for line in outcome.stdout.splitlines() if line.startswith("  d ")]
    assert row == ["d", "no", "memory"]


def test_that_a_file_without_a_reference_says_why_there_is_no_time(bench: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import torch\nSWEEP = {'n': [8]}\ndef inputs(n, seed, device): return torch.ones(n)\n"
        "def impl_a(x): return x\ndef impl_b(x): return x\n"
    )
    outcome = bench(str(path), "--set", "timed=false", "--device", "cpu")

    assert outcome.returncode == 0, outcome.stderr
    assert "mine.py has no function reference, so nothing was checked" in outcome.stdout


def test_that_without_a_gpu_the_table_of_kernels_has_no_empty_columns_and_says_why(
    bench: Command, tmp_path: Path
) -> None:
    example = Path(__file__).parents[2] / EXAMPLE_FILE
    baseline = tmp_path / "baseline.json"
    asked = (
        f"{example}::impl_whole_row,impl_two_passes", "--device", "cpu", "--sweep", "columns=64", "--set", "rows=16",
        "--set", "timed=false",
    )  # fmt: skip

    made = bench(*asked, "--record", str(baseline))
    checked = bench(*asked, "--check", str(baseline))

    assert made.returncode == 0, made.stderr
    assert "implementation  RMS error  traced bytes  modelled on NVIDIA H200" in made.stdout
    assert "executed whole_row, two_passes, so they have no time" in made.stdout
    (compiled,) = [line.split() for line in made.stdout.splitlines() if line.startswith("  two_passes_kernel")]
    assert compiled[1:4] == ["two_passes", "columns=64", "sm_90"]
    assert checked.returncode == 0
    assert "the two runs have no times in common, so nothing was compared" in checked.stdout


def test_that_a_dry_run_compiles_at_the_sizes_of_a_gpu_and_times_nothing(bench: Command) -> None:
    outcome = bench("layer-norm", "--dry-run", "--sweep", "columns=1024")

    assert outcome.returncode == 0, outcome.stderr
    assert "rows=16384, columns=1024, dtype=fp32" in outcome.stdout
    assert "forward_kernel" in outcome.stdout
    assert "ceilings" not in outcome.stdout
    (line,) = [line for line in outcome.stdout.splitlines() if line.startswith("  Triton, example")]
    assert "269 MB" in line


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["softmx"], "There is no family 'softmx': did you mean softmax?"),
        (["softmax", "--set", "seq_len=4"], "softmax has no parameter 'seq_len'. It has rows, columns, dtype; every"),
        (["softmax", "--set", "rows"], "--set takes name=value, not 'rows': for example --set rounds=50."),
        (["softmax", "--set", "rounds=1"], "rounds = 1 cannot be used: it must lie between 3 and 500."),
        (["softmax", "--sweep", "columns"], "'columns' is no sweep: write a parameter and its values"),
        (["softmax", "--sweep", "columns=0"], "columns = 0 cannot be used"),
        (["/no/such.py"], "/no/such.py does not exist: check the path."),
        (["softmax", "--check", "/no/such.json"], "/no/such.json cannot be read (it does not exist)"),
        (["softmax", "--device", "tpu"], "There is no device 'tpu'"),
    ],
)
def test_that_bad_input_is_one_sentence_and_exit_code_2(bench: Command, arguments: list[str], sentence: str) -> None:
    outcome = bench(*arguments)

    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert sentence in outcome.stderr
    assert outcome.stderr.count("\n") == 1


def test_that_a_baseline_without_the_family_or_of_another_device_is_said(bench: Command, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    write(baseline, [usual()])

    missing = bench("softmax", "--check", str(baseline))
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "The baseline has no run of softmax: it has attention." in missing.stderr

    softmax = point(64, timed("torch", 1.0))
    write(
        baseline, [run(replace(softmax, case={"rows": 4, "columns": 8, "dtype": "fp32"}), family="softmax", swept=())]
    )
    other = bench("--check", str(baseline), "--set", "rounds=3", "--set", "budget_s=0.1", "--device", "cpu")
    assert other.returncode == 2
    assert "recorded on cuda (NVIDIA H200), and this run is on cpu" in other.stderr
    assert "rows=4, columns=8, dtype=fp32" in other.stdout, "what was computed is not lost"


@pytest.mark.parametrize("option", ["--record", "--csv"])
def test_that_a_file_that_cannot_be_written_is_said_before_hours_of_work(
    option: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_module, "engine_for", None)  # nothing may be run
    outcome = command("bench", "softmax", *SMALL, option, str(tmp_path / "none" / "x.json"))

    assert outcome.returncode == 2
    assert "cannot be written (it does not exist)" in outcome.stderr
    assert outcome.stdout == ""


def parameters(
    *families: str, on_gpu: bool = False, baseline: list[FamilyRun] | None = None, **options: Any
) -> list[CompareParams]:
    return list(comparisons(families, Options(**options), baseline, on_gpu=on_gpu))


def test_that_without_families_all_are_compared_and_a_gpu_gets_its_sizes() -> None:
    assert [params.family for params in parameters()][:2] == ["attention", "attention-training"]
    assert {params.size for params in parameters()} == {"quick"}
    assert {params.size for params in parameters(on_gpu=True)} == {"full"}
    (dry,) = parameters("attention", dry_run=True)
    assert (dry.size, dry.checked, dry.timed) == ("full", False, False)


def test_that_set_goes_to_the_comparison_or_to_the_case() -> None:
    (params,) = parameters(
        "attention", assignments=["rounds=7", "heads=2", "mask=none", "size=full"], sweeps=["seq_len=5", "batch=1,2"]
    )

    assert (params.rounds, params.case, params.size) == (7, "heads=2, mask=none", "full")
    assert (params.sweep, params.second_sweep) == ("seq_len=5", "batch=1,2")


def test_that_a_baseline_gives_its_families_and_cases_unless_others_are_named() -> None:
    own = usual(1, family="file", file="mine.py")
    made = usual(seed=0)

    (params,) = parameters(baseline=[made, own])
    assert (params.family, params.sweep, params.case) == ("attention", "seq_len=1024,2048,4096", "mask=causal")
    (params,) = parameters("attention", baseline=[made], sweeps=["seq_len=7"])
    assert (params.sweep, params.case) == ("seq_len=7", "")
    assert parameters(baseline=[replace(made, seed=3)])[0].seed == 3
    assert parameters(baseline=[replace(made, seed=3)], assignments=["seed=5"])[0].seed == 5
    (params,) = parameters("some/mine.py", baseline=[made, own])
    assert (params.family, params.file, params.sweep) == ("file", "some/mine.py", "seq_len=1024,2048,4096")
    with pytest.raises(TilescopeError, match=r"no run of other\.py"):
        parameters("other.py", baseline=[made, own])


def test_that_the_check_repeats_cases_whose_batch_follows_from_the_swept_length() -> None:
    planned = [dict(each.case) for each in plan(CompareParams(size="full")).points]
    baseline = run(*map(Point, planned))

    (params,) = parameters(baseline=[baseline])

    assert len({case["batch"] for case in planned}) == 5
    assert [dict(each.case) for each in plan(params).points] == planned


class FakeRun:
    """A run whose events are given; an exception among them is raised."""

    def __init__(self, *given: object, waiting: Sequence[object] = ()) -> None:
        self.given, self.waiting, self.cancelled = given, list(waiting), False

    def stream(self) -> Iterator[object]:
        for event in self.given:
            if isinstance(event, BaseException):
                raise event
            yield event

    def cancel(self) -> None:
        self.cancelled = True

    def drain(self) -> list[object]:
        return self.waiting


class FakeEngine:
    def __init__(self, *runs: FakeRun) -> None:
        self.runs = iter(runs)

    def submit(self, *arguments: object, **options: object) -> FakeRun:
        return next(self.runs)


def partial(made: FamilyRun) -> events.Partial:
    return events.Partial(CompareResult(params=CompareParams(), run=made))


def session(*runs: FakeRun, record: Path | None = None, shares: bool = False) -> Session:
    return Session(FakeEngine(*runs), "cpu", record, shares=shares)  # type: ignore[arg-type]


def test_that_an_interrupt_keeps_and_records_what_is_done(tmp_path: Path) -> None:
    first, half = usual(0, device=CPU), run(point(1, timed("a", 1.0)), device=CPU)
    on_another_worker = usual(1, device=CPU)
    interrupted, waiting = FakeRun(partial(half), KeyboardInterrupt()), FakeRun(waiting=[partial(on_another_worker)])
    path = tmp_path / "kept.json"
    made = session(FakeRun(partial(first)), interrupted, waiting, record=path)

    done = made.run([CompareParams()] * 3)

    assert done == [first, half, on_another_worker]
    assert read(path).runs == (first, half, on_another_worker)
    assert interrupted.cancelled
    assert waiting.cancelled
    assert made.failed


def test_that_each_point_is_recorded_at_once(tmp_path: Path) -> None:
    half, path = run(point(1, timed("a", 1.0)), device=CPU), tmp_path / "kept.json"
    with pytest.raises(OSError, match="no space left"):
        session(FakeRun(partial(half), OSError("no space left")), record=path).run([CompareParams()])

    assert read(path).runs == (half,)


def test_that_a_family_that_fails_leaves_its_points_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    half, second = run(point(1, timed("a", 1.0)), device=CPU), usual(0)
    died = FakeRun(partial(half), events.Failed(tr("the worker ended"), "its log"))
    refused = FakeRun(events.Failed(tr("no such file"), invalid_input=True))
    made = session(died, refused, FakeRun(partial(second)))

    assert made.run([CompareParams()] * 3) == [half, second]
    assert made.failed
    said = capsys.readouterr().err
    assert "attention: the worker ended" in said
    assert "its log" in said
    assert "attention: no such file" in said


def test_that_a_worker_that_dies_costs_one_point_of_a_sweep_that_is_shared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = [point(length, timed("a", 1.0)) for length in (1, 2, 3)]
    done = [FakeRun(partial(run(each, device=CPU, swept=()))) for each in points]
    done[1] = FakeRun(events.Failed(tr("the worker disconnected")))
    path = tmp_path / "kept.json"
    made = session(*done, record=path, shares=True)

    (kept,) = made.run([CompareParams(timed=False, sweep="seq_len=1,2,3")])

    assert kept == run(points[0], points[2], device=CPU)
    assert read(path).runs == (kept,)
    assert made.failed
    said = " ".join(capsys.readouterr().err.split())
    assert "attention, seq_len=2" in said
    assert said.count("the worker disconnected") == 1


def test_that_a_scheduler_that_is_gone_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    gone = [FakeRun(events.Failed(tr("the scheduler no longer answers"))) for _ in range(4)]
    made = session(*gone, shares=True)

    assert made.run([CompareParams(timed=False, sweep="seq_len=1,2"), CompareParams(family="softmax")]) == []
    assert capsys.readouterr().err.count("no longer answers") == 1


def test_that_shared_points_are_those_of_one_worker(engine: Engine) -> None:
    params = CompareParams.parse(
        {"family": "softmax", "sweep": "columns=32,64", "case": "rows=16", "timed": False, "compiled": False}
    )
    (whole,), (shared,) = (Session(engine, "cpu", None, shares=shares).run([params]) for shares in (False, True))

    assert [dict(each.case)["columns"] for each in shared.points] == [32, 64]
    assert (shared.swept, shared.device) == (whole.swept, whole.device)
    assert [each.outcomes for each in shared.points] == [each.outcomes for each in whole.points]


def test_that_the_only_family_that_is_refused_is_bad_input() -> None:
    with pytest.raises(TilescopeError, match="no such file"):
        session(FakeRun(events.Failed(tr("no such file"), invalid_input=True))).run([CompareParams()])


ON_CUDA = """
import torch, triton, triton.language as tl

DEVICE = triton.runtime.driver.active.get_active_torch_device()
SWEEP = {"n": [64]}

@triton.jit
def kernel(x, y, N: tl.constexpr):
    tl.store(y + tl.arange(0, N), tl.load(x + tl.arange(0, N)) * 2)

def inputs(n, device):
    assert device == "cuda:0"
    return torch.randn(n, device="cuda")

def reference(x):
    return x * 2

def impl_triton(x):
    y = torch.empty(x.shape, device=DEVICE)
    kernel[(1,)](x, y, N=x.numel())
    return y

def impl_torch(x):
    return x + x.cuda()

def impl_mixed(x):
    return x * torch.full(x.shape, 2.0)
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a real one")
def test_that_a_file_finds_the_gpu_that_is_named_and_is_not_timed(bench: Command, tmp_path: Path) -> None:
    path = tmp_path / "on_cuda.py"
    path.write_text(ON_CUDA)

    outcome = bench(str(path), "--gpu", "h100", "--set", "compiled=false", "--json")

    assert outcome.returncode == 0, outcome.stderr
    (run,) = json.loads(outcome.stdout)["runs"]
    found = {each["impl"]: each for each in run["points"][0]["outcomes"]}
    assert all(each["time_ms"] is None for each in found.values())
    assert found["impl_triton"]["traced"]["read_bytes"] == 4 * 64
    assert found["impl_torch"]["passed"]
    assert "Expected all tensors to be on the same device" in str(found["impl_mixed"]["reason"])
