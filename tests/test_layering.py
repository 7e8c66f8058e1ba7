"""The rules of the house, and one deliberate violation of each that proves the guard bites."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

VIOLATIONS = {
    "kernels/oops.py": ("import core.contracts.params", "gui -> core -> kernels, never back"),
    "core/oops.py": ("import PySide6.QtCore", "Qt only in gui"),
    "gui/oops.py": ("import core.interpreter_oops", "the window's process never reaches torch"),
    "core/claims_oops.py": ("import torch", "torch and the kernels only where work runs in a worker"),
    "core/topics/flash_attention/oops.py": ("import core.topics.second.model", "one topic never imports another"),
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.fixture
def copy_of_the_house(tmp_path: Path) -> Path:
    for package in ("gui", "core", "kernels"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_that_the_import_contracts_hold() -> None:
    outcome = lint_imports(ROOT)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("path", VIOLATIONS)
def test_that_a_violation_of_each_contract_is_caught(copy_of_the_house: Path, path: str) -> None:
    statement, contract = VIOLATIONS[path]
    # What the violations lean on: a module outside the permitted rooms that reaches torch through a permitted one,
    # and a second topic.
    (copy_of_the_house / "core/interpreter_oops.py").write_text("import core.interpreter.oops\n")
    (copy_of_the_house / "core/interpreter/oops.py").write_text("import torch\n")
    second = copy_of_the_house / "core/topics/second"
    second.mkdir()
    (second / "__init__.py").touch()
    (second / "model.py").touch()
    assert lint_imports(copy_of_the_house).returncode == 0

    (copy_of_the_house / path).write_text(f"{statement}\n")
    outcome = lint_imports(copy_of_the_house)

    assert outcome.returncode == 1
    assert f"{contract} BROKEN" in outcome.stdout
