from __future__ import annotations

import pytest

from core.contracts.topic import Topic
from gui.window.main_window import MainWindow
from tests.gui.doubles import ToyPage
from tests.gui.windows import Windows


@pytest.fixture
def window(toy_can_be_named: None, windows: Windows, topic: Topic) -> MainWindow:
    """With the toy page, which demos can name."""
    return windows.show({"toy": topic})


@pytest.fixture
def page(window: MainWindow) -> ToyPage:
    opened = window.open_page("toy")
    assert opened is not None
    return opened.page
