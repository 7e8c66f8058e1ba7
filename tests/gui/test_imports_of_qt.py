"""Importing beside PySide6 and pyqtgraph: as fast as Python's own imports, and with the same names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PLAIN = """
import json, linecache
import PySide6.QtWidgets
from gui.plain_imports import use_plain_imports
use_plain_imports()
from PySide6.QtCore import QObject
import colorsys
read = any("colorsys" in name for name in linecache.cache)
print(json.dumps({"read": read, "call": hasattr(QObject(), "objectName")}))
"""
PLOTTING = """
import json, sys
import PySide6.QtCore
from gui.plotting import import_pyqtgraph
listed = dir(PySide6.QtCore)
pyqtgraph = import_pyqtgraph()
from pyqtgraph.Qt import QtCore, QtGui, QtWidgets
made = [name for name in vars(QtWidgets) if name.startswith("Q")]
print(json.dumps({
    "made": len(made), "offered": len([name for name in dir(QtWidgets) if name.startswith("Q")]),
    "listed": set(dir(PySide6.QtCore)) == set(listed),
    "same": QtWidgets.QWizard is PySide6.QtWidgets.QWizard and QtCore.QRect is PySide6.QtCore.QRect,
    "missing": hasattr(QtGui, "QNothing"),
}))
"""


def _printed(script: str) -> dict[str, Any]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    printed = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, env=environment, text=True, timeout=60)
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def test_that_an_import_does_not_read_the_source_of_the_module() -> None:
    assert _printed(PLAIN) == {"read": False, "call": True}


def test_that_pyqtgraph_is_imported_without_making_every_class_of_qt() -> None:
    found = _printed(PLOTTING)
    assert found["made"] < found["offered"] / 2
    assert found["listed"]
    assert found["same"]
    assert not found["missing"]
