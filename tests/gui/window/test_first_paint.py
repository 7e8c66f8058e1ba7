"""What is imported before the window is seen: Qt, and nothing that a page needs or that reads the questions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LATER = ("pyqtgraph", "numpy", "pydantic", "distributed", "torch", "triton", "sqlite3", "pygments", "jinja2", "PIL")
LATER_OF_US = (
    *("core.topics.", "core.engine.engine", "core.fuzzy", "gui.pages.", "gui.charts.", "gui.palette.palette"),
    *("gui.demos.", "gui.devices.", "gui.tour.", "gui.home.review", "gui.page.live", "gui.window.tools"),
)
SCRIPT = """
import json, sys
import main
from gui.window import main_window

announce = main_window.MainWindow._announce_first_paint

def stop(window):
    print(json.dumps(sorted(sys.modules)))
    window.first_painted.disconnect()
    announce(window)
    window.close()

main_window.MainWindow._announce_first_paint = stop
main.open_window(language="zh", topic=sys.argv[1] or None)
"""


@pytest.mark.parametrize("view", ["", "masks"])
def test_that_what_pages_need_is_imported_after_the_window_is_seen(view: str, tmp_path: Path) -> None:
    homes = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")}
    printed = subprocess.check_output(
        [sys.executable, "-c", SCRIPT, view],
        cwd=ROOT,
        env={**os.environ, **homes, "QT_QPA_PLATFORM": "offscreen"},
        text=True,
        timeout=60,
    )
    imported: list[str] = json.loads(printed.splitlines()[-1])
    assert "gui.window.main_window" in imported
    assert [name for name in LATER if name in imported] == []
    assert [name for name in imported if name.startswith(LATER_OF_US)] == []
