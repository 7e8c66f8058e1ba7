"""A function that raises after its launches: what was traced until then is reported, with the exception."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Command

pytest.importorskip("triton")

FILE = """\
import torch, triton, triton.language as tl

@triton.jit
def total_kernel(x_ptr, total_ptr, n, BLOCK: tl.constexpr):
    offset = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x_ptr + offset, mask=offset < n, other=0.0), axis=0)
    tl.store(total_ptr, tl.load(total_ptr) + part)

def run(blocks):
    x, total = torch.ones(1000), torch.zeros(1)
    total_kernel[(blocks,)](x, total, 1000, BLOCK=256)
    return total

def racing():
    torch.testing.assert_close(run(4), torch.tensor([1000.0]))

def clean_but_wrong():
    assert run(1).item() == 1000, "a block is missing"

def before_the_launch():
    raise ValueError("too early")
    run(4)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "totals.py"
    path.write_text(FILE)
    return path


def test_that_findings_and_exception_are_both_reported(file: Path, command: Command, one_engine: None) -> None:
    outcome = command("trace", f"{file}::racing", "--json")
    assert outcome.returncode == 1, outcome.stderr
    report = json.loads(outcome.stdout)
    assert [row["function"] for row in report["launches"]] == ["total_kernel"]
    assert "write-write race" in [row["kind"] for row in report["faults"]]
    assert f"{file}:15: racing raised AssertionError: " in report["failure"]
    assert report["failure"] in [message["text"] for message in report["messages"]]


def test_that_an_exception_alone_stands_below_the_tables(file: Path, command: Command, one_engine: None) -> None:
    outcome = command("trace", f"{file}::clean_but_wrong", "--traceback")
    assert outcome.returncode == 1
    printed = " ".join(outcome.stdout.split())
    assert printed.index("total_kernel") < printed.index("clean_but_wrong raised AssertionError: a block is missing.")
    assert "in clean_but_wrong" in outcome.stderr


def test_that_an_earlier_exception_is_a_failed_run(file: Path, command: Command, one_engine: None) -> None:
    outcome = command("trace", f"{file}::before_the_launch")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "before_the_launch raised ValueError: too early." in " ".join(outcome.stderr.split())
