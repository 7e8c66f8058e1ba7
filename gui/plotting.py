"""How pyqtgraph is imported: as fast as its own code allows.

For old programs, pyqtgraph copies all names of QtCore, QtGui and QtWidgets into modules of its own
(`pyqtgraph.Qt._copy_attrs`). PySide6 makes a class when it is first asked for, so this makes all of them, which takes
half of the import. Here, those modules pass a name on when it is asked for.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_COPIED = ("QtCore", "QtGui", "QtWidgets")


def import_pyqtgraph() -> ModuleType:
    """The module pyqtgraph; not before the first paint. Whoever imports it by other means gets the same, later."""
    if "pyqtgraph" not in sys.modules:
        originals = [importlib.import_module(f"PySide6.{name}") for name in _COPIED]
        for name, original in zip(_COPIED, originals, strict=True):
            sys.modules[f"pyqtgraph.Qt.{name}"] = _mirror_of(name, original)
        with _nothing_listed(originals):
            importlib.import_module("pyqtgraph")
    return sys.modules["pyqtgraph"]


def _mirror_of(name: str, original: ModuleType) -> ModuleType:
    mirror = ModuleType(f"pyqtgraph.Qt.{name}")

    def find(attribute: str) -> Any:
        found = getattr(original, attribute)
        setattr(mirror, attribute, found)
        return found

    mirror.__dict__.update(__getattr__=find, __dir__=lambda: dir(original))
    return mirror


@contextmanager
def _nothing_listed(modules: Sequence[ModuleType]) -> Iterator[None]:
    """While active, `dir` finds no names in `modules`: nothing is copied."""
    before = [module.__dict__.get("__dir__") for module in modules]
    for module in modules:
        module.__dict__["__dir__"] = list
    try:
        yield
    finally:
        for module, listing in zip(modules, before, strict=True):
            if listing is None:
                del module.__dict__["__dir__"]
            else:
                module.__dict__["__dir__"] = listing
