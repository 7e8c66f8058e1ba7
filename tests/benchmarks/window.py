"""The window that benchmarks drive, and the pulse of its thread."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, QTimer

if TYPE_CHECKING:
    from gui.page.engine_bridge import EngineBridge
    from gui.window.main_window import MainWindow


@contextmanager
def benchmark_window(size: tuple[int, int] | None = None) -> Iterator[tuple[MainWindow, EngineBridge]]:
    """A dark window without a display, with settings of its own, and the bridge to its engine, which is not started."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from gui.page.engine_bridge import EngineBridge
    from gui.window.app import build_app, make_engine
    from gui.window.garbage import collected_on_gui_thread
    from gui.window.main_window import MainWindow
    from gui.window.settings import Settings

    build_app("dark")
    with tempfile.TemporaryDirectory() as folder, collected_on_gui_thread():
        bridge = EngineBridge(make_engine)
        window = MainWindow(bridge, Settings(Path(folder) / "settings.ini"))
        if size is not None:
            window.resize(*size)
        window.show()
        yield window, bridge
        window.close()
        bridge.close()


@dataclass
class Heartbeat:
    """Beats of a timer on the GUI thread: where two are far apart, something held the thread."""

    times: list[float] = field(default_factory=list)
    """Seconds."""
    cpu_times: list[float] = field(default_factory=list)
    """Seconds of CPU time of this thread."""

    @contextmanager
    def beating(self, every_ms: int) -> Iterator[None]:
        timer = QTimer()
        timer.setTimerType(Qt.TimerType.PreciseTimer)
        timer.timeout.connect(self._beat)
        timer.start(every_ms)
        yield
        timer.stop()

    @property
    def gaps_ms(self) -> np.ndarray:
        """Milliseconds between two beats."""
        return np.diff(self.times) * 1e3

    @property
    def cpu_gaps_ms(self) -> np.ndarray:
        """What the thread itself worked between two beats: on a busy machine it also waits for its turn."""
        return np.diff(self.cpu_times) * 1e3

    def _beat(self) -> None:
        self.times.append(time.perf_counter())
        self.cpu_times.append(time.thread_time())
