"""`trace` as a user or a script calls it, and once in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.conftest import Command, Outcome

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


def test_that_each_launch_has_its_lines_and_its_tensors(trace: Command) -> None:
    outcome = trace(f"{EXAMPLES}/layer_norm.py::main", "--addresses-only")
    assert outcome.returncode == 0, outcome.stderr
    for kernel, grid in (("forward_kernel", "256"), ("backward_kernel", "64"), ("add_parts_kernel", "4")):
        assert f"{kernel}  grid {grid} x 1 x 1" in outcome.stdout
    (weights,) = [line for line in outcome.stdout.splitlines() if "layer_norm.py:24" in line]
    assert weights.split()[:9] == ["layer_norm.py:24", "load", "w_ptr", "128,000", "512", "kB", "2.00", "kB", "2.3%"]
    assert weights.rstrip().endswith("256×         99.2%  w = tl.load(w_ptr + column, mask=inside)")
    assert any(line.split()[:3] == ["dw_part_ptr", "float32", "[64,"] for line in outcome.stdout.splitlines())


def test_that_a_limit_that_was_reached_is_printed_after_the_launches(capsys: pytest.CaptureFixture[str]) -> None:
    from core.commands import trace as trace_command
    from core.contracts.result import Message
    from core.contracts.text import tr
    from core.topics.kernel_lab.params import KernelLabParams
    from core.topics.kernel_lab.result import KernelLabResult

    warning = Message("warning", tr("The limit of one trace is {limit:,} launches: launch fewer kernels.", limit=4096))
    trace_command._print(KernelLabResult(params=KernelLabParams(), messages=(warning,)))
    assert capsys.readouterr().out.rstrip().endswith("The limit of one trace is 4,096 launches: launch fewer kernels.")


def test_that_json_is_one_object_with_every_table(trace: Command) -> None:
    outcome = trace(f"{EXAMPLES}/vector_add.py", "--json")
    assert outcome.returncode == 0, outcome.stderr
    document = json.loads(outcome.stdout)
    assert {
        "topic",
        "params",
        "provenance",
        "metrics",
        "claims",
        "messages",
        "launches",
        "tensors",
        "lines",
        "faults",
        "sectors",
    } == set(document)
    assert document["metrics"]["read_bytes"] == {
        "value": 2 * 98_432 * 4, "unit": "bytes", "provenance": "traced", "note": "loads of all programs",
    }  # fmt: skip
    assert [row["line"] for row in document["lines"] if row["kind"] == "store"] != []
    assert document["params"]["function"] == "main"
    assert all(claim["verdict"] == "holds" for claim in document["claims"])


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
    assert "300 accesses, read 800 B, written 400 B, distinct 1.20 kB" in outcome.stdout
    assert not (folder / "__pycache__").exists()
