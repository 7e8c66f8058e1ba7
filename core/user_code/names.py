"""The names of this project's packages, while code of others runs in the same process.

A user may have packages that are called `core` or `kernels` too, and `kernels` is also a public package. While the
user's file runs, each side finds its own under these names: an import is answered by who asks. `sys.modules` holds the
modules of others meanwhile, and ours for as long as a module of ours imports something.

The process has one thread that imports while a user's file runs, so nothing here is locked.
"""

from __future__ import annotations

import builtins
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from core.installation import ROOT

OURS = ("core", "kernels", "gui", "tests", "main")
_IN_USE = ("core", "kernels")
"""What code of ours may import later. The others count only where they were imported already: in tests."""

_ROOTS = {ROOT, Path(__file__).parents[2]}
"""Twice the same folder, where a symbolic link leads to it."""

_FOLDERS = tuple(f"{root / name}{os.sep}" for root in _ROOTS for name in OURS)
_FILES = {str(root / name) for root in _ROOTS for name in ("main.py", "__main__.py")}


@contextmanager
def kept_apart(folder: Path) -> Iterator[None]:
    """Within, code of others finds its own packages under our names: those of `folder`, then those on `sys.path`.

    Where there are none, it finds ours.
    """
    kept_path = sys.path[:]
    others = [path for path in sys.path if Path(path).resolve() != ROOT]
    taken = frozenset(name for name in OURS if _is_known(name) and _is_taken(name, folder, others))
    for name in _IN_USE:
        importlib.import_module(name)  # `sys.path` no longer leads to them: a folder of that name would not win
    sys.path[:] = [str(folder), *others]
    try:
        with _Sides(taken).answering_imports() if taken else nullcontext():
            yield
    finally:
        sys.path[:] = kept_path


def _is_known(name: str) -> bool:
    return name in _IN_USE or name in sys.modules


def _is_taken(name: str, folder: Path, others: Sequence[str]) -> bool:
    """Whether the user's folder has a package or module of that name, or another package is installed."""
    if (folder / name).is_dir() or (folder / f"{name}.py").is_file():
        return not _is_ours(str(folder / name / "__init__.py"))
    found = PathFinder.find_spec(name, list(others))
    return found is not None and found.origin is not None and not _is_ours(found.origin)


def _is_ours(file: object) -> bool:
    return isinstance(file, str) and (file.startswith(_FOLDERS) or file in _FILES)


class _Sides:
    """Two sets of modules with the same names, ours and theirs, of which `sys.modules` holds one."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._aside: dict[str, ModuleType] = {}
        self._ours_in_place = True
        self._import: Callable[..., ModuleType] = builtins.__import__
        self._import_module: Callable[..., ModuleType] = importlib.import_module

    @contextmanager
    def answering_imports(self) -> Iterator[None]:
        """Within, an import of one of the names is answered by who asks."""
        self._import, self._import_module = builtins.__import__, importlib.import_module
        builtins.__import__, importlib.import_module = self._answer, self._answer_import_module
        try:
            with self._in_place(ours=False):
                yield
        finally:
            builtins.__import__, importlib.import_module = self._import, self._import_module

    def _answer(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """In place of `__import__`."""
        asking = globals or {}
        if not self._concerns(name if level == 0 else str(asking.get("__package__") or "")):
            return self._import(name, globals, locals, fromlist, level)
        with self._in_place(ours=_is_ours(asking.get("__file__"))):
            return self._import(name, globals, locals, fromlist, level)

    def _answer_import_module(self, name: str, package: str | None = None) -> ModuleType:
        """In place of `importlib.import_module`."""
        if not self._concerns(package or "" if name.startswith(".") else name):
            return self._import_module(name, package)
        with self._in_place(ours=_is_ours(sys._getframe(1).f_globals.get("__file__"))):
            return self._import_module(name, package)

    def _concerns(self, module: str) -> bool:
        return module.partition(".")[0] in self._names

    @contextmanager
    def _in_place(self, *, ours: bool) -> Iterator[None]:
        before = self._ours_in_place
        self._put(ours)
        try:
            yield
        finally:
            self._put(before)

    def _put(self, ours: bool) -> None:
        if ours != self._ours_in_place:
            present = {name: module for name, module in sys.modules.items() if self._concerns(name)}
            for name in present:
                del sys.modules[name]
            sys.modules.update(self._aside)
            self._aside, self._ours_in_place = present, ours
