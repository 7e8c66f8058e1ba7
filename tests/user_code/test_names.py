"""A user's packages with the names of ours: each side imports its own."""

from __future__ import annotations

import builtins
import importlib
import sys
from pathlib import Path

import pytest

from core.contracts.errors import InvalidParams, RunFailed
from core.user_code import loading
from core.user_code.source import read_source


def package(folder: Path, **modules: str) -> None:
    """A package with an empty `__init__.py` unless `init` has its text."""
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(modules.pop("init", ""))
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)


def call(path: Path, text: str) -> None:
    path.write_text(text)
    loading.call(read_source(path), "main")


def test_that_a_users_core_is_imported_at_any_time_and_ours_is_back_afterwards(tmp_path: Path) -> None:
    package(
        tmp_path / "core",
        files="from core.sizes import SIZE\nWHOSE = 'theirs'\n",
        sizes="SIZE = 3\n",
        later="from . import sizes\n",
    )
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in ("core", "kernels")}
    call(
        tmp_path / "mine.py",
        """
import importlib
from core import files
import core.sizes

def main():
    from core.later import sizes
    assert (files.WHOSE, files.SIZE, core.sizes.SIZE, sizes.SIZE) == ("theirs", 3, 3, 3)
    assert importlib.import_module("core.sizes") is sizes is importlib.import_module(".sizes", "core")
""",
    )
    assert {name: sys.modules.get(name) for name in before} == before
    assert "core.later" not in sys.modules
    assert "core.sizes" not in sys.modules


def test_that_our_code_imports_ours_while_the_users_core_is_in_use(
    tmp_path: Path,
) -> None:
    package(tmp_path / "core", init="import kernels\n", bounded_output="raise AssertionError('theirs')\n")
    package(tmp_path / "kernels", errors="raise AssertionError('theirs')\n")
    (tmp_path / "mine.py").write_text("import core, kernels\ndef main(): pass\n")
    with loading.loaded(read_source(tmp_path / "mine.py")):
        theirs = sys.modules["core"]
        assert theirs.__file__ == str(tmp_path / "core/__init__.py")
        ours = our_late_imports()
        assert sys.modules["core"] is theirs
    assert ours == {"core.bounded_output", "kernels.errors", "core.units"}


def our_late_imports() -> set[str]:
    """This file is one of ours, as a module of core is."""
    from core import units
    from core.bounded_output import text_of
    from kernels.errors import KernelError

    assert importlib.import_module("core.units") is units
    return {text_of.__module__, KernelError.__module__, units.__name__}


def test_that_an_installed_package_of_the_same_name_is_what_others_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path / "installed/kernels", init="from .hub import get_kernel\n", hub="def get_kernel(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    monkeypatch.setattr(sys, "path", [*sys.path[1:], sys.path[0]])  # after ours
    import kernels

    call(tmp_path / "mine.py", "from kernels import get_kernel\ndef main(): assert get_kernel() == 1\n")
    assert sys.modules["kernels"] is kernels


def test_that_a_folder_without_init_is_the_users_package_too(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core/sizes.py").write_text("SIZE = 3\n")
    call(tmp_path / "mine.py", "from core.sizes import SIZE\nimport core\ndef main(): assert core.sizes.SIZE == 3\n")


def test_that_where_there_is_no_other_our_package_is_found(tmp_path: Path) -> None:
    call(tmp_path / "mine.py", "from kernels.errors import KernelError\ndef main(): KernelError\n")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import core.broken\ndef main(): pass", InvalidParams),
        ("import core\ndef main(): import core.broken", RunFailed),
        ("import core.no_such_module\ndef main(): pass", InvalidParams),
    ],
)
def test_that_names_and_imports_are_restored_after_a_failure(tmp_path: Path, text: str, error: type[Exception]) -> None:
    package(tmp_path / "core", broken="1 / 0\n")
    before = (sys.modules["core"], set(sys.modules), sys.path[:], builtins.__import__, importlib.import_module)
    with pytest.raises(error, match=r"ZeroDivision|no_such_module"):
        call(tmp_path / "mine.py", text)
    after = (sys.modules["core"], set(sys.modules), sys.path[:], builtins.__import__, importlib.import_module)
    assert after == before


def test_that_imports_are_untouched_where_no_name_is_shared(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def main(): pass\n")
    before = builtins.__import__, importlib.import_module
    with loading.loaded(read_source(tmp_path / "mine.py")):
        assert (builtins.__import__, importlib.import_module) == before
