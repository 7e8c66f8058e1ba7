"""How long the window takes to show another language, with every page open and the results of runs in view.

Results are made up (tests/gui/pages); the time is from the switch to the painted window. Target: 200 ms.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication
from rich.console import Console
from rich.table import Table

SWITCHES = 12


def made_up_results(folder: Path) -> Mapping[str, Callable[[Any], Any]]:
    """A result for each page that has one, from the parameters of its form."""
    from tests.gui.pages.decoder.decoder_result import decoder_result
    from tests.gui.pages.fine_tuning.fine_tuning_result import run_of
    from tests.gui.pages.flash_attention.flash_result import flash_result
    from tests.gui.pages.kernel_lab.lab_result import SOURCE, lab_result
    from tests.gui.pages.lora.lora_result import lora_result
    from tests.gui.pages.masks.masks_result import mask_result
    from tests.gui.pages.quantization.quantization_result import checkpoint_result

    kernel = folder / "copy.py"
    kernel.write_text(SOURCE, encoding="utf-8")
    return {
        "flash-attention": lambda params: flash_result(params.changed(seq_len=256, heads=2, kv_heads=2, head_dim=32)),
        "masks": mask_result,
        "decoder": decoder_result,
        "quantization": checkpoint_result,
        "lora": lora_result,
        "fine-tuning": run_of,
        "kernel-lab": lambda _: lab_result(kernel),
    }


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
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from gui.page.engine_bridge import EngineBridge
    from gui.window.app import build_app, make_engine
    from gui.window.main_window import MainWindow
    from gui.window.settings import Settings

    table = Table("page in view", "median", "p95", "max", "switches", "target")
    build_app("dark")
    with tempfile.TemporaryDirectory() as folder:
        bridge = EngineBridge(make_engine)
        window = MainWindow(bridge, Settings(Path(folder) / "settings.ini"))
        window.resize(1600, 1000)
        window.show()
        results = made_up_results(Path(folder))
        for topic_id, result_of in results.items():
            opened = window.open_page(topic_id)
            assert opened is not None
            result = result_of(opened.page.params)
            opened.page.form.set_params(result.params)
            opened.controller.show_plan()
            opened.controller.show_result(result)
            settle(opened.page)
        for topic_id in results:
            opened = window.open_page(topic_id)
            assert opened is not None
            times = switched_ms(opened.page)
            row = (f"{value:.0f} ms" for value in (np.median(times), np.percentile(times, 95), times.max()))
            table.add_row(topic_id, *row, str(times.size), "max below 200 ms")
        window.close()
        bridge.close()
    Console().print(table)


if __name__ == "__main__":
    main()
