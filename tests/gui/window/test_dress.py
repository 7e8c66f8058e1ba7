"""The style sheet is the window's: with one on the application, a page takes twice as long to build."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import json
from PySide6.QtWidgets import QDialog, QLabel
from gui import theme
from tests.benchmarks.window import benchmark_window

with benchmark_window() as (window, _):
    app = theme.QApplication.instance()
    dialog, label = QDialog(window), QLabel(window.body)
    label.setProperty("role", "error")
    seen = {"app": app.styleSheet(), "dialog": [], "label": []}
    for name in ("dark", "light"):
        window.set_theme(name)
        for widget in (dialog, label):
            widget.ensurePolished()
        seen["dialog"].append(dialog.palette().window().color().name() == theme.current().background)
        seen["label"].append(label.palette().windowText().color().name() == theme.current().bad)
    window.change_text_size(3)
    seen["small"] = label.font().pixelSize() == theme.font_px("small") != theme.FONT_SIZES_PX["small"]
    print(json.dumps(seen))
"""


def test_that_a_window_and_its_dialogs_follow_theme_and_size_without_a_style_sheet_of_the_application(
    tmp_path: Path,
) -> None:
    homes = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TILESCOPE_DATA_DIR")}
    printed = subprocess.check_output(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={**os.environ, **homes, "QT_QPA_PLATFORM": "offscreen"},
        text=True,
        timeout=60,
    )
    seen = json.loads(printed.splitlines()[-1])
    assert seen == {"app": "", "dialog": [True, True], "label": [True, True], "small": True}
