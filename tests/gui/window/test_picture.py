from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel

from core.contracts.errors import TilescopeError
from core.contracts.result import Result
from core.contracts.topic import Topic
from gui.page.engine_bridge import EngineBridge
from gui.window.main_window import MainWindow
from gui.window.picture import save_picture
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine

PAGES = {"toy": "tests.gui.doubles:ToyPage"}


def test_that_the_footer_says_how_the_numbers_were_obtained(
    topic: Topic, result: Result, engine: FakeEngine, settings: Settings, qtbot: Any
) -> None:
    window = MainWindow(EngineBridge(lambda: engine), settings, {"toy": topic}, PAGES)
    qtbot.addWidget(window)
    assert window.footer == "Tilescope"
    opened = window.open_page("toy")
    assert window.footer.endswith("modelled, nothing was run")
    opened.controller.show_result(result)
    footer = window.footer
    assert footer == "Tilescope  ·  toy  ·  cpu  ·  lanes  ·  measured (CPU), traced  ·  torch 2.13.0"
    window.close()


@pytest.mark.parametrize("name", ["missing/a.png", "missing/a.svg", "a.docx", "a"])
def test_that_a_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path, qtbot: Any, name: str) -> None:
    content = QLabel("content")
    qtbot.addWidget(content)
    with pytest.raises(TilescopeError, match="cannot be written"):
        save_picture(content, "footer", tmp_path / name)
    assert not list(tmp_path.iterdir())
