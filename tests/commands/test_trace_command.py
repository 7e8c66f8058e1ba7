"""`trace` as a user or a script calls it, and once in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.engine import Engine
from tests.commands.conftest import Command, Outcome
from tests.json_schema import problems

pytest.importorskip("triton")

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = "resources/examples"


@pytest.fixture
def trace(command: Command, one_engine: None, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`trace("a.py", folder=..., columns=...)` traces in that folder, in a terminal of that width."""
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments: str, folder: Path = ROOT, columns: int = 200) -> Outcome:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.chdir(folder)
        return command("trace", *arguments)

    return call


def test_that_the_totals_of_all_launches_come_first_and_each_launch_on_request(trace: Command) -> None:
    outcome = trace(f"{EXAMPLES}/layer_norm.py::main", "--addresses-only", "--launches", columns=200)
    assert outcome.returncode == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert lines[0].endswith(": addresses only: the kernels wrote no results")
    assert lines[2].startswith("3 launches of 3 kernels")
    rows = [line.split() for line in lines[4 : lines.index("", 4)]]
    kernels = [row for row in rows if row[0].endswith("_kernel")]
    shares = [float(next(cell for cell in row if cell.endswith("%"))[:-1]) for row in kernels]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.2)
    for kernel, grid in (("forward_kernel", "256"), ("backward_kernel", "64"), ("add_parts_kernel", "4")):
        assert f"{kernel}  grid {grid} x 1 x 1" in outcome.stdout
    (weights,) = [line for line in lines if line.startswith("layer_norm.py:24")]
    assert weights.split()[:7] == ["layer_norm.py:24", "load", "w_ptr", "w", "=", "tl.load(w_ptr", "+"]
    assert weights.split()[-8:] == ["128,000", "512", "kB", "2.00", "kB", "256×", "99.2%", "2.3%"]
    assert "dw_part_ptr = dw_part" in outcome.stdout


def test_that_a_limit_that_was_reached_is_printed_after_the_launches(capsys: pytest.CaptureFixture[str]) -> None:
    from core.commands.trace_tables import print_report
    from core.contracts.result import Message
    from core.contracts.text import tr
    from core.topics.kernel_lab.params import KernelLabParams
    from core.topics.kernel_lab.result import KernelLabResult

    warning = Message("warning", tr("The limit of one trace is {limit:,} launches: launch fewer kernels.", limit=4096))
    print_report(KernelLabResult(params=KernelLabParams(), messages=(warning,)))
    assert capsys.readouterr().out.rstrip().endswith("The limit of one trace is 4,096 launches: launch fewer kernels.")


def test_that_json_is_one_object_that_the_schema_describes(trace: Command) -> None:
    outcome = trace(f"{EXAMPLES}/vector_add.py", "--json")
    assert outcome.returncode == 0, outcome.stderr
    document = json.loads(outcome.stdout)
    assert problems(document, json.loads((ROOT / "docs/trace-report.schema.json").read_text())) == []
    assert document["trace"] == "full"
    assert document["metrics"]["read_bytes"] == {
        "value": 2 * 98_432 * 4, "unit": "bytes", "provenance": "traced", "note": "loads of all programs",
    }  # fmt: skip
    assert [row["line"] for row in document["lines"] if row["kind"] == "store"] != []
    assert document["params"]["function"] == "main"
    assert all(claim["verdict"] == "holds" for claim in document["claims"])


def test_that_several_targets_are_reported_in_their_order_and_one_that_fails_stops_none(trace: Command) -> None:
    targets = [f"{EXAMPLES}/vector_add.py", "nowhere.py", f"{EXAMPLES}/race.py"]
    outcome = trace(*targets)
    assert outcome.returncode == 2, "the highest: bad input; a fault is 1"
    assert "\nnowhere.py: " in outcome.stderr
    places = [outcome.stdout.index(text) for text in (targets[0], "add_kernel", targets[2], "write-write race")]
    assert places == sorted(places)
    documents = json.loads(trace(targets[0], targets[2], "--json").stdout)
    assert [Path(document["params"]["file"]).name for document in documents] == ["vector_add.py", "race.py"]


def test_that_several_targets_share_one_start(
    command: Command, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    @contextmanager
    def counted(device: str, wanted_first: Sequence[str]) -> Iterator[tuple[Engine, str]]:
        started.append(tuple(wanted_first))
        yield engine, device

    monkeypatch.setattr("core.commands.trace.engine_for", counted)
    assert command("trace", *[f"{EXAMPLES}/vector_add.py"] * 2).returncode == 0
    assert started == [("kernel-lab",)]


def test_that_an_exported_trace_gives_the_same_report(trace: Command, tmp_path: Path) -> None:
    outcome = trace(f"{EXAMPLES}/layer_norm.py::main", "--json", "--export", str(tmp_path / "t.npz"))
    assert outcome.returncode == 0, outcome.stderr
    again = trace("t.npz", "--json", "--html", "t.html", folder=tmp_path)
    assert again.returncode == 0, again.stderr
    before, after = json.loads(outcome.stdout), json.loads(again.stdout)
    of_the_run = ("params", "provenance", "printed")
    assert after["provenance"]["backend"] == "trace file"
    assert {name: after[name] for name in after if name not in of_the_run} == {
        name: before[name] for name in before if name not in of_the_run
    }
    assert (tmp_path / "t.html").read_text().count("<details>") == len(after["launches"])


def test_that_the_page_is_in_the_language_of_the_interface(command: Command, one_engine: None, tmp_path: Path) -> None:
    page = tmp_path / "报告.html"
    outcome = command("--lang", "zh", "trace", str(ROOT / EXAMPLES / "vector_add.py"), "--html", str(page))
    assert outcome.returncode == 0, outcome.stderr
    text = page.read_text()
    assert '<html lang="zh">' in text
    assert "完整追踪" in text


@pytest.mark.parametrize(
    ("example", "fragments"),
    [
        ("out_of_bounds", ("out of bounds: ", "out_of_bounds.py:18, program 3, index 1000 of x_ptr")),
        ("race", ("write-write race: ", "race.py:17, programs 0 and", "index 0 of total_ptr")),
    ],
)
def test_that_a_kernel_with_a_fault_exits_with_1_and_says_where(
    example: str, fragments: tuple[str, ...], trace: Command
) -> None:
    outcome = trace(f"{EXAMPLES}/{example}.py")
    assert outcome.returncode == 1
    printed = " ".join(outcome.stdout.split())
    assert all(fragment in printed for fragment in fragments), outcome.stdout


BAD_INPUT = {
    "no such file": (["nowhere.py"], "does not exist"),
    "a folder": ([EXAMPLES], "is a folder"),
    "not Python": (["README.md"], "is not valid Python"),
    "no such function": ([f"{EXAMPLES}/race.py::mian"], "did you mean main?"),
    "a kernel": ([f"{EXAMPLES}/race.py::sum_kernel"], "is a Triton kernel"),
    "needs arguments": ([f"{EXAMPLES}/softmax.py::softmax"], "needs the argument x"),
    "nothing to run": (["core/format.py"], "no function that can be called without arguments"),
    "no file named": (["::main"], "No file is set"),
    "missing argument": ([], "Missing argument"),
    "no such trace": (["nowhere.npz"], "could not be opened"),
    "one page for two targets": (
        [f"{EXAMPLES}/race.py", f"{EXAMPLES}/matmul.py", "--html", "t.html"],
        "name one target",
    ),
    "export to a folder": ([f"{EXAMPLES}/race.py", "--export", EXAMPLES], "is a folder"),
    "page in no folder": ([f"{EXAMPLES}/race.py", "--html", "no/such/folder/r.html"], "its folder does not exist"),
    "export under another suffix": ([f"{EXAMPLES}/race.py", "--export", "/tmp/trace.json"], "as an .npz file"),
    "two outputs in one": ([f"{EXAMPLES}/race.py", "--export", "a.npz", "--html", "./a.npz"], "name the same file"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_that_bad_input_gets_one_sentence_and_exit_code_2(case: str, trace: Command) -> None:
    arguments, fragment = BAD_INPUT[case]
    outcome = trace(*arguments)
    assert outcome.returncode == 2, outcome.stderr
    assert outcome.stdout == ""
    assert fragment in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "code", "fragment"),
    [
        ("import no_such_library\ndef main(): k[1]()\n", 2, "mine.py:1: importing the file raised ModuleNotFoundError"),
        ("def main(): print('to the log')\n", 2, "launched no Triton kernel"),
        ("def main():\n    raise ValueError('of mine')\n", 1, "mine.py:2: main raised ValueError: of mine."),
    ],
)
def test_that_a_file_that_breaks_is_one_sentence_with_its_line(
    tmp_path: Path, text: str, code: int, fragment: str, trace: Command
) -> None:
    (tmp_path / "mine.py").write_text(text)
    outcome = trace("mine.py::main", folder=tmp_path)
    assert outcome.returncode == code, outcome.stderr
    assert outcome.stdout == ""
    assert fragment in outcome.stderr
    assert len(outcome.stderr.strip().splitlines()) == 1


def test_that_a_full_disk_is_told_after_the_report(trace: Command, tmp_path: Path) -> None:
    (tmp_path / "full.npz").symlink_to("/dev/full")
    outcome = trace(f"{EXAMPLES}/vector_add.py", "--export", str(tmp_path / "full.npz"))
    assert outcome.returncode == 2
    assert "add_kernel" in outcome.stdout
    assert outcome.stderr.rstrip().endswith("(no space left on the disk): save it elsewhere.")
    outcome = trace(f"{EXAMPLES}/vector_add.py", "--html", "/dev/full")
    assert outcome.returncode == 2
    assert outcome.stderr.rstrip().endswith("(no space left on the disk): write it elsewhere.")


def test_that_a_folder_without_permission_is_told_before_the_run(
    trace: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root may write anywhere
    outcome = trace(f"{EXAMPLES}/vector_add.py", "--html", str(tmp_path / "r.html"))
    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert "cannot be written (permission denied)" in outcome.stderr


def test_that_traceback_adds_the_users_own_stack(tmp_path: Path, trace: Command) -> None:
    (tmp_path / "mine.py").write_text("def inner():\n    raise ValueError('of mine')\ndef main():\n    inner()\n")
    outcome = trace("mine.py::main", "--traceback", folder=tmp_path, columns=40)
    assert outcome.returncode == 1
    assert outcome.stdout == ""
    lines = outcome.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert [line.strip() for line in lines if line.startswith("    ")] == ["inner()", "raise ValueError('of mine')"]
    assert lines[-1].endswith("mine.py:2: main raised ValueError: of mine.")


def test_that_a_file_is_found_from_the_current_folder_and_what_it_prints_goes_to_stderr(
    tmp_path: Path, trace: Command
) -> None:
    write_own_file(tmp_path)
    assert_own_file_is_traced(trace("mine.py", folder=tmp_path, columns=60), tmp_path)


def test_that_a_process_of_its_own_does_the_same(tmp_path: Path) -> None:
    write_own_file(tmp_path)
    environment = {**os.environ, "COLUMNS": "60", "NO_COLOR": "1"}
    arguments = [sys.executable, str(ROOT / "main.py"), "trace", "mine.py"]
    outcome = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=110)
    assert_own_file_is_traced(outcome, tmp_path)


def write_own_file(folder: Path) -> None:
    text = (ROOT / EXAMPLES / "vector_add.py").read_text()
    (folder / "mine.py").write_text(text.replace("def main(n=98_432):", "def go(n=100):\n    print(n)"))


def assert_own_file_is_traced(outcome: Outcome | subprocess.CompletedProcess[str], folder: Path) -> None:
    assert outcome.returncode == 0, outcome.stderr
    assert "[stdout]\n100\n" in outcome.stderr
    assert "300 accesses, read 800 B, written 400 B, distinct 1.20 kB" in " ".join(outcome.stdout.split())
    assert not (folder / "__pycache__").exists()
