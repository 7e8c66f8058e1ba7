"""How long hostile files hold up the GUI thread, and how much time the isolation of a user's file adds to its run."""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from tests.robustness import checkpoints, kernels

HEARTBEAT_MS = 5
TRACES = 15
_BLOCKS = "blocks.safetensors"
_WATCH_S = 3.0
"""For how long the window is watched after a file was chosen, unless its plan arrives before."""


def main() -> None:
    holds = hold_ups_ms()
    slowest = max(holds, key=lambda name: holds[name])
    print(f"Longest hold-up of the GUI thread, {len(holds)} choices: {holds[slowest]:.0f} ms ({slowest}).")
    for name, hold in holds.items():
        print(f"  {name}: {hold:.0f} ms")
    isolated, shared = trace_s(isolated=True), trace_s(isolated=False)
    print(
        f"Warm trace of a user's file, median of {TRACES}: {isolated:.2f} s in a process of its own, "
        f"{shared:.2f} s in the worker."
    )


def hold_ups_ms(only: str = "") -> dict[str, float]:
    """The longest time between two beats of a timer in the GUI thread, for each hostile file that is chosen."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from PySide6.QtCore import QEventLoop, Qt, QTimer, qInstallMessageHandler

    from gui.page.engine_bridge import EngineBridge
    from gui.window import app as application
    from gui.window.garbage import collected_on_gui_thread
    from gui.window.main_window import MainWindow
    from gui.window.settings import Settings

    qInstallMessageHandler(lambda *_: None)
    sys.setswitchinterval(application._SWITCH_S)  # as `run_window` does
    app = application.build_app("dark")
    beats: list[float] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: beats.append(time.perf_counter()))

    def turn(seconds: float, until: Callable[[], bool]) -> None:
        loop = QEventLoop()
        check = QTimer()
        check.timeout.connect(lambda: loop.quit() if until() else None)
        check.start(50)
        QTimer.singleShot(int(seconds * 1e3), loop.quit)
        loop.exec()
        check.stop()

    holds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, _opening_that_blocks(), collected_on_gui_thread():
        bridge = EngineBridge(application.make_engine)
        window = MainWindow(bridge, Settings(Path(folder) / "settings.ini"))
        window.resize(1600, 1000)
        window.show()
        for topic_id, field, name, path in _choices(Path(folder)):
            if only not in f"{topic_id}, {name}":
                continue
            opened = window.open_page(topic_id)
            assert opened is not None
            opened.page.form.propose(opened.page.topic.params())
            turn(1.5, lambda: False)
            beats.clear()
            timer.start(HEARTBEAT_MS)
            turn(0.05, lambda: False)
            opened.page.form.propose(opened.page.topic.params.parse({field: str(path)}))
            turn(0.1, lambda: False)
            turn(_WATCH_S, lambda c=opened.controller: not getattr(c, "planning", False))
            turn(0.3, lambda: False)
            timer.stop()
            gaps = [after - before for before, after in itertools.pairwise(beats)]
            holds[f"{topic_id}, {name}"] = max(gaps) * 1e3
        window.close()
        bridge.close()
    app.processEvents()
    return holds


def _choices(folder: Path) -> Iterator[tuple[str, str, str, Path]]:
    """Topic, parameter, what the file is, and its path."""
    rng = Random(13)

    def model(name: str, build: Callable[[Path], Any]) -> Path:
        path = folder / name
        path.mkdir()
        checkpoints._complete(path)
        build(path)
        return path

    def replaced(path: Path, file: str, put: Callable[[Path], Any]) -> None:
        (path / file).unlink()
        put(path / file)

    def header(path: Path, text: str) -> None:
        (path / checkpoints.WEIGHTS).write_bytes(checkpoints.encoded(text.encode(), bytes(4)))

    def tensors(count: int) -> Callable[[Path], None]:
        entry = ':{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
        return lambda path: header(path, "{" + ",".join(f'"t{n}"{entry}' for n in range(count)) + "}")

    weights = checkpoints.WEIGHTS
    shape = ",".join(["1"] * 300_000)
    dimensions = f'{{"w":{{"dtype":"F32","shape":[{shape}],"data_offsets":[0,4]}}}}'
    models = {
        "valid": model("valid", lambda path: None),
        "pipe": model("pipe", lambda path: replaced(path, weights, os.mkfifo)),
        "link to /dev/zero": model("zero", lambda path: replaced(path, weights, lambda f: f.symlink_to("/dev/zero"))),
        "300,000 dimensions": model("dimensions", lambda path: header(path, dimensions)),
        "199,999 tensors": model("many", tensors(199_999)),
        "1,500,000 tensors": model("too-many", tensors(1_500_000)),
        "a disk that does not answer": model("blocks", lambda path: (path / weights).rename(path / _BLOCKS)),
        "config.json is a pipe": model("config", lambda path: replaced(path, "config.json", os.mkfifo)),
        "1,000,000 layers": model(
            "layers",
            lambda path: (path / "config.json").write_text('{"model_type": "llama", "num_hidden_layers": 1000000}'),
        ),
        "damaged": model("damaged", lambda path: (path / weights).write_bytes(rng.randbytes(100_000))),
    }
    for name, path in models.items():
        yield "quantization", "checkpoint", name, path / _BLOCKS if "answer" in name else path
        if "answer" not in name:
            yield "lora", "model", name, path
            yield "fine-tuning", "model", name, path
    pipe, zero, blocks = folder / "pipe.py", folder / "zero.py", folder / f"{_BLOCKS}.py"
    os.mkfifo(pipe)
    zero.symlink_to("/dev/zero")
    blocks.write_text("def main(): pass")
    functions, depth = folder / "functions.py", folder / "depth.py"
    functions.write_text("\n".join(f"def f{n}(): pass" for n in range(50_000)))
    depth.write_text("x = " + "(" * 5_000)
    for name, path in (
        ("pipe", pipe),
        ("link to /dev/zero", zero),
        ("a disk that does not answer", blocks),
        ("50,000 functions", functions),
        ("deeply nested", depth),
    ):
        yield "kernel-lab", "file", name, path


@contextmanager
def _opening_that_blocks() -> Iterator[None]:
    """Opening a file of that name blocks, as on a network mount whose server is gone."""
    original, answered = os.open, threading.Event()

    def open_(path: Any, *rest: Any, **named: Any) -> int:
        if _BLOCKS in os.fspath(path if not isinstance(path, int) else ""):
            answered.wait()
        return original(path, *rest, **named)

    os.open = open_
    try:
        yield
    finally:
        answered.set()
        os.open = original


def trace_s(*, isolated: bool) -> float:
    """The median time of a warm run of a small kernel, through an engine of its own."""
    from core.engine import Engine

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "good.py"
        file.write_text(kernels.GOOD + "\ndef main():\n    launch()\n")
        package = "core.topics.kernel_lab" if isolated else "tests.robustness.shared_lab"
        engine = Engine(warm_up=False, topics={"kernel-lab": package})
        engine.start()
        times = []
        for _ in range(TRACES + 2):
            started = time.monotonic()
            engine.submit("kernel-lab", {"file": str(file)}, "cpu").result(120)
            times.append(time.monotonic() - started)
        engine.close()
    return statistics.median(times[2:])


if __name__ == "__main__":
    main()
