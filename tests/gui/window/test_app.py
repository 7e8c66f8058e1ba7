from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core.contracts.errors import TilescopeError, UnknownName
from core.contracts.text import Text
from gui.page.engine_bridge import EngineBridge
from gui.window.app import run_window, start_engine, unexpected_errors_go_to
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine

ROOT = Path(__file__).resolve().parents[3]

# A window with the real topics, whose engine starts no process; it prints what has been imported.
SCRIPT = """
import sys
from PySide6.QtCore import QTimer
from core.engine.state import EngineState, Phase
from gui.window import app

class Engine:
    def __init__(self, address): pass
    state = EngineState(Phase.READY, device="cpu")
    def start(self): QTimer.singleShot({after_ms}, {then})
    def on_state(self, callback): pass
    def close(self): print("closed")

def leave():
    window = next(w for w in app.QApplication.topLevelWidgets() if isinstance(w, app.MainWindow))
    print("page", window.current is not None, window.current.page.params.heads)
    # The formats of kernels/quantization are numpy and may be imported; a kernel would import torch.
    print("imported", [name for name in ("torch", "triton", "distributed") if name in sys.modules])
    window.close()

def ready():
    print("ready", flush=True)

app.make_engine = Engine
print("code", app.run_window(theme="light", topic="flash-attention", assignments=["heads=8"]))
"""


def environment(tmp_path: Path) -> dict[str, str]:
    homes = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")}
    return {**os.environ, **homes, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}


def test_that_the_window_opens_its_page_with_the_given_parameters_and_imports_nothing_heavy(tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(after_ms=50, then="leave")],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert outcome.stdout.splitlines() == ["page True 8", "imported []", "closed", "code 0"], outcome.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals cannot be sent to one process on Windows")
@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM"])
def test_that_ctrl_c_and_a_request_to_terminate_close_the_window_in_order(tmp_path: Path, ending: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(after_ms=0, then="ready")],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.Signals[ending])
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert out.splitlines() == ["closed", "code 0"], err
    assert "Traceback" not in err
    assert not list(tmp_path.rglob("sessions/*.json")), "the next start would take it for a crash"


def test_that_an_unknown_theme_or_topic_is_refused_before_anything_opens(settings: Settings) -> None:
    with pytest.raises(UnknownName, match="themes are dark, light"):
        run_window(theme="sepia", settings=settings)
    with pytest.raises(UnknownName, match="There is no topic 'nothing'"):
        run_window(topic="nothing", settings=settings)


def test_that_an_unexpected_error_of_any_thread_is_shown_in_place(qtbot: Any, capsys: Any) -> None:
    shown: list[tuple[str, str]] = []

    class Banner:
        def show(self, sentence: Text, detail: str) -> None:
            shown.append((str(sentence), detail))
            assert threading.current_thread() is threading.main_thread()

    banner = Banner()
    hooks = sys.excepthook, threading.excepthook
    with unexpected_errors_go_to(banner.show):
        sys.excepthook(TilescopeError, TilescopeError("It does not fit."), None)
        sys.excepthook(KeyError, KeyError("rows"), None)
        # The thread's own excepthook is what Python calls; pytest's would fail the test, so it is called by hand.
        hook = threading.excepthook
        arguments = threading.ExceptHookArgs((ValueError, ValueError("x"), None, None))
        thread = threading.Thread(target=hook, args=(arguments,))
        thread.start()
        thread.join()
        qtbot.waitUntil(lambda: len(shown) == 3)
    assert shown[0][0] == "It does not fit."
    assert shown[1][0].startswith("Something went wrong (KeyError)")
    assert "ValueError: x" in shown[2][1]
    assert (sys.excepthook, threading.excepthook) == hooks
    assert "KeyError" in capsys.readouterr().err


def test_that_a_storm_of_errors_stays_one_banner_and_is_quick(page: Any) -> None:
    started = time.monotonic()
    with unexpected_errors_go_to(page.show_error):
        for number in range(200):
            sys.excepthook(ValueError, ValueError(number), None)
    assert page.banner.sentence.startswith("Something went wrong")
    assert time.monotonic() - started < 5


def test_that_objects_from_before_the_engine_starts_are_skipped_by_the_garbage_collector(
    engine: FakeEngine, qapp: Any
) -> None:
    bridge = EngineBridge(lambda: engine)
    try:
        before_start = [object()]
        assert is_tracked_by_collector(before_start)
        start_engine(bridge)
        assert not is_tracked_by_collector(before_start)
        before_ready = [object()]
        become_ready(engine, qapp)
        assert not is_tracked_by_collector(before_ready)
        after_ready = [object()]
        become_ready(engine, qapp)  # only the first time counts: later, results must not be frozen
        assert is_tracked_by_collector(after_ready)
    finally:
        gc.unfreeze()
        bridge.close()
    assert engine.started


def is_tracked_by_collector(target: object) -> bool:
    """Whether the garbage collector still visits this very object: frozen ones are not among its objects."""
    return any(tracked is target for tracked in gc.get_objects())


def become_ready(engine: FakeEngine, qapp: Any) -> None:
    for phase in ("busy", "ready"):
        engine.tell(phase)
        qapp.processEvents()
