"""`check` as a user or a CI job calls it: lines, exit codes, suppression comments, JSON, JUnit, SARIF and pytest."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.commands.conftest import Command, Outcome

pytest.importorskip("triton")

KERNELS = """\
import torch, triton, triton.language as tl

@triton.jit
def add_kernel(x, y, n, BLOCK: tl.constexpr):
    o = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + o, tl.load(x + o, mask=o < n) + 1, mask=o < n)

@triton.jit
def total_kernel(x, total, n, BLOCK: tl.constexpr):
    o = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x + o, mask=o < n, other=0.0), axis=0)
    tl.store(total, part){comment}

def add():
    x, y = torch.ones(100), torch.empty(100)
    add_kernel[(4,)](x, y, 100, BLOCK=32)
    return x, y

def total():
    x, out = torch.rand(100), torch.empty(1)
    total_kernel[(4,)](x, out, 100, BLOCK=32)
    return x, out

def again_and_again():
    while True:
        total()
"""
TESTS = """
import pytest

def test_add():
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    x, y = add()
    assert torch.equal(y, x + 1)

def test_total():
    x, out = total()
    torch.testing.assert_close(out[0], x.sum())
"""
ACCEPTED = "  # tilescope: ignore[write-write race, equal-stores] any of the parts will do"


@pytest.fixture
def check(command: Command, one_engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`check(comment, *arguments)` writes kernels.py and test_kernels.py into the current folder, and runs there."""

    def call(comment: str, *arguments: str) -> Outcome:
        text = KERNELS.replace("{comment}", comment)
        (tmp_path / "kernels.py").write_text(text)
        (tmp_path / "test_kernels.py").write_text(text + TESTS)
        monkeypatch.chdir(tmp_path)
        return command("check", *arguments)

    return call


def test_that_a_clean_function_prints_nothing_but_the_count(check: Command) -> None:
    outcome = check("", "kernels.py::add")
    assert (outcome.returncode, outcome.stdout) == (0, ""), outcome.stdout
    assert "1 launch of 1 kernel: 0 faults, 0 remarks." in outcome.stderr


def test_that_every_format_has_the_same_fault(check: Command) -> None:
    outcome = check("", "kernels.py::total", "--junit", "check.xml", "--sarif", "check.sarif")
    assert outcome.returncode == 1, outcome.stderr
    (line,) = [line for line in outcome.stdout.splitlines() if ": write-write race: " in line]
    assert line.startswith("kernels.py:12: write-write race: ")
    suite = ET.parse("check.xml").getroot()[0]
    failures = [case for case in suite if case.find("failure") is not None]
    assert int(suite.attrib["failures"]) == len(failures) >= 1
    assert "write-write race" in [case.find("failure").attrib["type"] for case in failures]  # type: ignore[union-attr]
    assert (suite[0].attrib["name"], len(suite[0])) == ("total_kernel", 0)
    run = json.loads(Path("check.sarif").read_text())["runs"][0]
    (result,) = [each for each in run["results"] if each["ruleId"] == "write-write-race"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "write-write-race"
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("kernels.py", 12)
    assert result["message"]["text"] in line


def test_that_a_comment_with_a_reason_suppresses_and_is_listed(check: Command) -> None:
    outcome = check(ACCEPTED, "kernels.py::total", "--json", "--sarif", "check.sarif", "--junit", "check.xml")
    assert outcome.returncode == 0, outcome.stdout
    report = json.loads(outcome.stdout)
    races = [each for each in report["findings"] if each["kind"] == "write-write race"]
    assert [each["suppressed"] for each in races] == ["any of the parts will do"]
    assert report["counts"]["suppressed"] >= 1
    results = json.loads(Path("check.sarif").read_text())["runs"][0]["results"]
    assert {"kind": "inSource", "justification": "any of the parts will do"} in [
        comment for each in results for comment in each.get("suppressions", [])
    ]
    assert ET.parse("check.xml").getroot().attrib["skipped"] != "0"


def test_that_a_time_limit_keeps_what_was_found(check: Command) -> None:
    outcome = check("", "kernels.py::again_and_again", "--time-limit", "1")
    assert outcome.returncode == 1
    assert ": write-write race: " in outcome.stdout
    assert "reached its time limit of 1 s" in " ".join(outcome.stderr.split())


def test_that_a_comment_without_a_reason_accepts_nothing(check: Command) -> None:
    outcome = check("  # tilescope: ignore[write-write race]", "kernels.py::total")
    assert outcome.returncode == 1
    assert "kernels.py:12: The suppression has no reason, so it is not accepted" in outcome.stderr


def test_that_a_test_file_runs_under_pytest_on_the_virtual_gpu(check: Command) -> None:
    outcome = check("", "--pytest", "test_kernels.py", "--", "-k", "test_add")
    assert (outcome.returncode, outcome.stdout) == (0, ""), outcome.stderr
    assert "1 launch of 1 kernel" in outcome.stderr


def test_that_a_failing_test_shows_the_finding_and_the_report_of_pytest(check: Command) -> None:
    outcome = check("", "--pytest", "test_kernels.py")
    assert outcome.returncode == 1
    assert "test_kernels.py:12: write-write race: " in outcome.stdout
    assert "1 failed, 1 passed" in outcome.stderr
    assert "Tests of " in outcome.stderr


def test_that_a_test_file_that_fails_by_itself_shows_the_report_of_pytest(check: Command, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name\n")
    outcome = check("", "--pytest", "test_broken.py")
    assert outcome.returncode == 1
    assert "No module named 'nothing_of_this_name'" in outcome.stderr
    assert "pytest ended with exit code 2" in " ".join(outcome.stderr.split())


def test_that_a_check_of_nothing_is_bad_input(command: Command) -> None:
    assert command("check").returncode == 2
