"""How long the window takes to show another language, with every page open and the results of runs in view.

The results are made up (tests/gui/example_pages.py). The time is from the switch to the painted window. Target: 200 ms.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication
from rich.console import Console
from rich.table import Table

from tests.benchmarks.window import benchmark_window

SWITCHES = 12


def switched_ms(page: Any) -> np.ndarray:
    """Milliseconds from a switch of the language to the painted window [switches]."""
    from core import language
    from gui import translation

    settle(page)
    times = []
    for _ in range(SWITCHES):
        start = time.perf_counter()
        translation.use(language.following())
        QApplication.processEvents()
        times.append((time.perf_counter() - start) * 1e3)
        settle(page)
    return np.array(times)


def settle(page: Any, rest_ms: int = 50) -> None:
    """Wait until nothing is drawn any more."""
    loop = QEventLoop()
    while True:
        QTimer.singleShot(rest_ms, loop.quit)
        loop.exec()
        if not page.drawing:
            return


def main() -> None:
    from tests.gui.example_pages import EXAMPLES

    table = Table("page in view", "median", "p95", "max", "switches", "target")
    with tempfile.TemporaryDirectory() as folder, benchmark_window((1600, 1000)) as (window, _):
        for topic_id, example in EXAMPLES.items():
            opened = window.open_page(topic_id)
            assert opened is not None
            params, result = example(Path(folder))
            opened.page.form.set_params(params)
            opened.controller.show_plan()
            opened.controller.show_result(result)
            settle(opened.page)
        for topic_id in EXAMPLES:
            opened = window.open_page(topic_id)
            assert opened is not None
            times = switched_ms(opened.page)
            row = (f"{value:.0f} ms" for value in (np.median(times), np.percentile(times, 95), times.max()))
            table.add_row(topic_id, *row, str(times.size), "max below 200 ms")
    Console().print(table)


if __name__ == "__main__":
    main()
