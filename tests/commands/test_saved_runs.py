"""Runs as files on the command line: saved by `run`, printed by `show`, opened by name."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import main
from core.commands import run, show
from core.contracts import registry
from core.contracts.claims import Finding
from core.contracts.result import Environment, Metric, Provenance
from core.run_files import SavedRun, read_run_file, write_run_file
from core.topics.masks.params import MasksParams
from tests.commands.conftest import Command
from tests.gui.pages.masks.masks_result import mask_result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    params = MasksParams(seq_len=64)
    there = Environment("cuda (NVIDIA H200)", "CUDA", {"tilescope": "1.2.0", "torch": "2.13.0"})
    metrics = {"sparse.hbm_bytes": Metric(2.3e5, "bytes", Provenance.TRACED)}
    result = replace(mask_result(params), environment=there, metrics=metrics)
    path = tmp_path / "run.tilescope"
    write_run_file(path, SavedRun(result, datetime(2026, 11, 28, 10, 12, tzinfo=UTC), 2.5, "lab-7"))
    return path


def test_that_a_run_is_saved_and_shown_again(
    command: Command, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = read_run_file(file).result
    monkeypatch.setattr(run, "engine_for", lambda _device: nullcontext((None, "cpu")))
    monkeypatch.setattr(run, "run_once", lambda *_: made)
    path = tmp_path / "masks.tilescope"
    ran = command("run", "masks", "--set", "seq_len=64", "--save", str(path), "--machine", "lab-7", "--json")
    shown = command("show", str(path), "--json")
    assert (ran.returncode, shown.returncode) == (0, 0)
    before, after = json.loads(ran.stdout), json.loads(shown.stdout)
    assert after["recorded"]["machine"] == read_run_file(path).machine == "lab-7"
    for key in ("topic", "params", "provenance", "claims"):
        assert after[key] == before[key]
    values = {name: metric["value"] for name, metric in before["metrics"].items()}
    assert {name: metric["value"] for name, metric in after["metrics"].items()} == values
    assert {metric["provenance"] for metric in after["metrics"].values()} == {"recorded"}


def test_that_show_says_where_the_run_was_made_before_its_numbers(command: Command, file: Path) -> None:
    lines = command("show", str(file)).stdout.splitlines()
    assert lines[:4] == [
        "A recorded run: nothing was run now.",
        "Device: cuda (NVIDIA H200)",
        "Machine: lab-7",
        "Kernels: CUDA",
    ]
    assert "Parameters: seq_len=64" in lines
    assert any("recorded" in line and "traced" in line for line in lines)


def test_that_what_cannot_be_saved_there_is_said_before_the_run(command: Command, tmp_path: Path) -> None:
    outcome = command("run", "masks", "--save", str(tmp_path / "none" / "run.tilescope"))
    assert outcome.returncode == 2
    assert outcome.stderr.strip().endswith("run.tilescope: choose a file in a folder that can be written.")


def test_that_a_file_that_is_no_run_is_one_sentence(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "other.tilescope"
    path.write_text("{}")
    outcome = command("show", str(path))
    assert outcome.returncode == 2
    assert outcome.stderr.startswith(f"{path} is no saved run: choose a file")


def test_that_the_values_of_no_run_are_one_sentence(command: Command, file: Path, monkeypatch: Any) -> None:
    def test(_: Any) -> Finding:
        raise IndexError

    topic = registry.topic("masks")
    odd = replace(topic, claims=(replace(topic.claims[0], test=test),))
    monkeypatch.setattr(show.registry, "topic", lambda *_: odd)
    outcome = command("show", str(file))
    assert outcome.returncode == 2
    assert outcome.stderr == f"{file} is damaged and cannot be opened: copy or save it again.\n"


@pytest.mark.parametrize("before", [[], ["open"], ["--theme", "light"]])
def test_that_a_file_in_place_of_a_command_opens_in_the_window(
    before: list[str], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(main, "open_window", lambda *arguments, file: opened.append((*arguments, file)) or 0)
    assert main.main([*before, str(file)]) == 0
    assert opened == [("light" if "light" in before else None, None, file)]
