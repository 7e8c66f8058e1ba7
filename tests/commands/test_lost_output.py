"""Output that cannot be written: one sentence on stderr and exit code 1, also at the end of the interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.test_command_line import ROOT, environment

FULL = Path("/dev/full")
QUICK = ["run", "masks", "--set", "seq_len=16", "--set", "heads=1"]
SHOW = ["show", "resources/recorded_runs/masks.tilescope"]
COMMANDS = {
    "help": ["--help"],
    "help of a command": ["run", "--help"],
    "tables of a run": SHOW,
    "JSON of a run": [*SHOW, "--json"],
    "doctor": ["doctor"],
}
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def started(arguments: list[str], stdout: object, stderr: object = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "main.py", "--lang", "en", *arguments],
        cwd=ROOT,
        env=environment(),
        stdout=stdout,  # type: ignore[call-overload]
        stderr=stderr,
        text=True,
        timeout=110,
    )


@needs_full
@pytest.mark.parametrize(
    "arguments", [*COMMANDS.values(), [*QUICK, "--json"]], ids=[*COMMANDS, "a run with its worker"]
)
def test_a_full_disk_behind_stdout_is_one_sentence(arguments: list[str]) -> None:
    with FULL.open("w") as full:
        outcome = started(arguments, full)
    assert outcome.returncode == 1
    assert outcome.stderr.strip() == "The output could not be written (no space left on the disk)."


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_closed_pipe_behind_stdout_is_one_sentence(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        outcome = started(arguments, writer)
    finally:
        os.close(writer)
    assert outcome.returncode == 1
    assert outcome.stderr.strip() == "The output could not be written (the program that reads it has ended)."


def test_a_reader_that_takes_one_line_gets_it() -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "main.py", *SHOW, "--json"], cwd=ROOT, env=environment(), stdout=writer, text=True,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(writer)
    with os.fdopen(reader) as lines:
        assert lines.readline() == "{\n"
    _, errors = process.communicate(timeout=110)
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


@needs_full
def test_messages_that_are_lost_do_not_end_a_command() -> None:
    with FULL.open("w") as full:
        outcome = started(QUICK, subprocess.PIPE, full)
        assert outcome.returncode == 0
        assert "masks" in outcome.stdout.lower()
        assert started(["dance"], subprocess.PIPE, full).returncode == 2
