"""The architecture rules, and a deliberate violation of each, which proves that the check works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

VIOLATIONS = {
    "kernels/oops.py": ("import core.contracts.params", "gui -> core -> kernels, never back"),
    "core/qt_oops.py": ("import PySide6.QtCore", "Qt only in gui"),
    "gui/torch_oops.py": ("import core.interpreter_oops", "the window's process never reaches torch"),
    "core/claims_oops.py": ("import torch", "torch and the kernels only where work runs in a worker"),
    "core/topics/flash_attention/oops.py": ("import core.topics.second.model", "one topic never imports another"),
    "gui/widgets/oops.py": (
        "import gui.charts.chart",
        "gui: window, demos, pages, page, charts, widgets, theme and icons",
    ),
}

FIND_CIRCLES = """
import json, grimp
graph = grimp.build_graph("gui", "core", "kernels", cache_dir=None)
above = {module: graph.find_upstream_modules(module) for module in graph.modules}
circles = {tuple(sorted({other for other in above[module] if module in above[other]} | {module})) for module in above}
print(json.dumps(sorted(circle for circle in circles if len(circle) > 1)))
"""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def import_circles(folder: Path) -> list[list[str]]:
    """Groups of modules in which each imports all others, directly or through other modules."""
    command = [sys.executable, "-c", FIND_CIRCLES]
    circles: list[list[str]] = json.loads(subprocess.check_output(command, cwd=folder, text=True, timeout=60))
    return circles


@pytest.fixture(scope="module")
def copy_of_the_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With what the violations need: a module that reaches torch through a permitted package without being in one, and
    a second topic."""
    folder = tmp_path_factory.mktemp("code")
    for package in ("gui", "core", "kernels"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "core/interpreter_oops.py").write_text("import core.interpreter.oops\n")
    (folder / "core/interpreter/oops.py").write_text("import torch\n")
    second = folder / "core/topics/second"
    second.mkdir()
    (second / "__init__.py").touch()
    (second / "model.py").touch()
    return folder


@pytest.fixture(scope="module")
def broken_contracts(copy_of_the_code: Path) -> dict[str, str]:
    """The report on each contract, with all violations in the copy at once. Without them, the copy is clean."""
    assert lint_imports(copy_of_the_code).returncode == 0
    for path, (statement, _) in VIOLATIONS.items():
        (copy_of_the_code / path).write_text(f"{statement}\n")
    outcome = lint_imports(copy_of_the_code)
    for path in VIOLATIONS:
        (copy_of_the_code / path).unlink()
    assert outcome.returncode == 1
    details = outcome.stdout.split("Broken contracts", 1)[1]
    _, *sections = re.split(r"^(.+)\n-{3,}\n", details, flags=re.MULTILINE)
    return dict(zip(sections[::2], sections[1::2], strict=True))


def test_that_the_import_contracts_hold() -> None:
    outcome = lint_imports(ROOT)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize("path", VIOLATIONS)
def test_that_a_violation_of_each_contract_is_caught(broken_contracts: dict[str, str], path: str) -> None:
    _, contract = VIOLATIONS[path]
    assert path.removesuffix(".py").replace("/", ".") in broken_contracts[contract]


def test_that_no_modules_import_each_other_in_a_circle() -> None:
    assert import_circles(ROOT) == []


def test_that_a_circle_is_caught_wherever_its_imports_are(copy_of_the_code: Path) -> None:
    first, second, third = (copy_of_the_code / f"{name}_oops.py" for name in ("core/a", "core/trace/b", "core/c"))
    first.write_text("import core.trace.b_oops\n")
    second.write_text("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import core.c_oops\n")
    third.write_text("def later() -> None:\n    import core.a_oops\n")
    try:
        circles = import_circles(copy_of_the_code)
    finally:
        for file in (first, second, third):
            file.unlink()
    assert ["core.a_oops", "core.c_oops", "core.trace.b_oops"] in circles
