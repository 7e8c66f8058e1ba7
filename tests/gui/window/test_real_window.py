from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.xserver import is_available, x_server

ROOT = Path(__file__).resolve().parents[3]
MARK = "TILESCOPE_TEST_SESSION"
END_S = 5.0


def processes_of(session: str) -> list[psutil.Process]:
    """Every process that inherited the session's mark, whatever its parent is now."""
    marked = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == session:
                marked.append(process)
    return marked


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not is_available(), reason="needs Xvfb, a display without a screen")
def test_that_a_whole_session_at_a_real_window_goes_well_and_leaves_nothing_behind(tmp_path: Path) -> None:
    session = uuid4().hex
    folders = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "TILESCOPE_DATA_DIR")
    with x_server() as display:
        marked = {**dict.fromkeys(folders, str(tmp_path)), MARK: session, "PYTHONPATH": str(ROOT)}
        outcome = subprocess.run(
            [sys.executable, "-m", "tests.gui.window.real_window"],
            cwd=ROOT,
            env={**os.environ, **marked, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"},
            capture_output=True,
            text=True,
            timeout=270,
        )
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stderr == ""
    seen = json.loads(outcome.stdout)
    sentence = seen.pop("banner after kill")
    assert "SIGKILL" in sentence
    assert sentence.count(".") == 1
    assert sentence.endswith(".")
    assert seen.pop("first run").startswith("Done on cpu")
    assert seen.pop("last run").startswith("Done on cpu")
    assert seen.pop("cancelled run") == "Cancelled"
    assert seen.pop("claims").startswith("Claims ")
    assert seen == {
        "platform": "xcb",
        "maps": True,
        "banner after cancel": "",
        "themes differ": True,
        "last banner": "",
    }
    _, left = psutil.wait_procs(processes_of(session), timeout=END_S)
    assert not left
