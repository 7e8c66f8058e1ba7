"""Tilescope as a wheel and as a source archive, installed, and started in a folder that has packages of our names.

Not part of `make test`: run it with `make test-install`. The dependencies are those of this environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.install.environments import ROOT, Environment, built, linked_environment

pytestmark = [pytest.mark.install, pytest.mark.slow, pytest.mark.timeout(900)]

OPENS_ONE_PAGE = """
import sys
from PySide6.QtCore import QTimer
from tilescope.__main__ import start
from tilescope import __main__ as program
sys.path.insert(0, program.__file__.rpartition("/")[0])
from gui.window import app

class Window(app.MainWindow):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.first_painted.connect(self.look)

    def look(self):
        if self.current is None:
            QTimer.singleShot(20, self.look)
        else:
            print("page", self.current.page.topic.id, self.current.page.grab().width() > 400)
            self.close()

app.MainWindow = Window
sys.argv = ["tilescope", "--lang", "zh", "--topic", "masks"]
sys.exit(start())
"""

TRACED = """
import torch, triton, triton.language as tl
from core.sizes import SIZE
import kernels

@triton.jit
def double_kernel(x_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    tl.store(x_ptr + offsets, 2 * tl.load(x_ptr + offsets))

def main():
    double_kernel[(1,)](torch.ones(SIZE), BLOCK=SIZE)
    assert kernels.WHOSE == "another package"
"""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return built(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module", params=["wheel", "source archive"])
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, archives: tuple[Path, Path]
) -> Environment:
    environment = linked_environment(tmp_path_factory.mktemp("installed") / "environment")
    environment.install(archives[request.param != "wheel"])
    other = environment.packages / "kernels"  # as the public package of that name
    other.mkdir()
    (other / "__init__.py").write_text("WHOSE = 'another package'\n")
    return environment


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every name of ours is something else."""
    folder = tmp_path_factory.mktemp("有 空格 and 'quotes'")
    for name in ("core", "gui", "kernels", "resources", "tilescope", "rich"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise AssertionError('of the folder')\n")
    for name in ("json", "main", "site_packages"):
        (folder / f"{name}.py").write_text("raise AssertionError('of the folder')\n")
    return folder


def run(environment: Environment, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DISPLAY"))}
    return subprocess.run(
        command,
        cwd=folder,
        env={**variables, **environment.home, "LANGUAGE": "en", "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_that_the_wheel_has_every_file_that_is_needed_and_one_name_at_its_top(archives: tuple[Path, Path]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "core", "gui", "kernels", "resources"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    with zipfile.ZipFile(archives[0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    expected = {f"tilescope/{name}" for name in tracked if not name.startswith("resources/screenshots/")}
    assert names == expected | {"tilescope/__main__.py"}


def test_that_no_other_program_finds_our_packages(installed: Environment, folder: Path) -> None:
    program = (
        "import importlib.util as util, kernels; print(kernels.WHOSE, *(name for name in "
        "('core', 'gui', 'main', 'resources', 'tests') if util.find_spec(name)))"
    )
    outcome = run(installed, folder, str(installed.python), "-P", "-c", program)
    assert (outcome.stdout, outcome.stderr) == ("another package\n", "")


def test_that_the_doctor_finds_nothing_missing(installed: Environment, folder: Path) -> None:
    outcome = run(installed, folder, str(installed.command), "doctor", "--json")
    assert outcome.returncode == 0, outcome.stderr
    checks = {check["name"]: check for check in json.loads(outcome.stdout)}
    assert checks["Worker"]["state"] == "ok"
    assert "missing" not in {check["state"] for check in checks.values()}


def test_that_a_topic_runs(installed: Environment, folder: Path) -> None:
    outcome = run(installed, folder, str(installed.command), "run", "masks", "--json")
    assert (outcome.returncode, outcome.stderr.strip()) == (0, "")
    found = json.loads(outcome.stdout)
    assert found["provenance"]["tilescope"] == "0.1.0"
    assert found["metrics"]["cells"]["value"] == 4096


def test_that_the_window_opens_a_page(installed: Environment, folder: Path) -> None:
    outcome = run(installed, folder, str(installed.python), "-P", "-c", OPENS_ONE_PAGE)
    told = set(outcome.stderr.splitlines()) - {"This plugin does not support propagateSizeHints()"}
    assert (outcome.returncode, outcome.stdout, told) == (0, "page masks True\n", set())


def test_that_the_package_itself_can_be_run(installed: Environment, tmp_path: Path) -> None:
    outcome = run(installed, tmp_path, str(installed.python), "-m", "tilescope", "run", "no-such-topic")
    assert outcome.returncode == 2
    assert "no-such-topic" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_that_a_users_file_imports_its_own_core_and_an_installed_package_named_kernels(
    installed: Environment, tmp_path: Path
) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "sizes.py").write_text("SIZE = 16\n")
    (tmp_path / "mine.py").write_text(TRACED)
    outcome = run(installed, tmp_path, str(installed.command), "trace", "mine.py", "--json")
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout)["metrics"]["accesses"]["value"] == 32


def test_that_an_example_is_traced_by_its_short_name(installed: Environment, tmp_path: Path) -> None:
    outcome = run(installed, tmp_path, str(installed.command), "trace", "resources/examples/out_of_bounds.py")
    assert outcome.returncode == 1
    assert "out of bounds: resources/examples/out_of_bounds.py:18" in outcome.stdout


def test_that_hints_name_the_installed_command(installed: Environment, tmp_path: Path) -> None:
    outcome = run(installed, tmp_path, str(installed.command), "--no-such-option")
    assert outcome.returncode == 2
    assert "See tilescope --help." in outcome.stderr
