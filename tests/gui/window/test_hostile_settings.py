"""Settings that are damaged or forged: the window opens with defaults and says so."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tries
from hypothesis import strategies as st

from core.contracts.topic import Topic
from gui.page.engine_bridge import EngineBridge
from gui.page.page_layout import restore_layout
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine, ToyPage, ToyParams

PAGES = {"toy": "tests.gui.doubles:ToyPage"}
NAMES = ("params", "plots", "vertical", "tab", "tabs_open", "side", "device")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(10**40), 10**40) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
STATES = JSON | st.dictionaries(st.sampled_from(NAMES), JSON)
FORGED = {
    "garbage": b"garbage",
    "binary": bytes(range(256)) * 40,
    "an unfinished section": b"[General\ntheme=light",
    "a forged size": b"geometry=@Variant(\\0\\0\\0\\t\\x7f\\xff\\xff\\xff)\n",
    "a forged size in a list": b"theme=dark, @Variant(\\0\\0\\0\\t\\x7f\\xff\\xff\\xff)\n",
}


@given(state=STATES)
@tries(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_remembered_layout_is_restored_or_ignored(page: ToyPage, state: Any) -> None:
    restore_layout(page, state)
    assert 0 <= page.tabs.currentIndex() < page.tabs.count()


@given(state=STATES)
@tries(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_remembered_state_is_an_object_or_nothing(settings: Settings, state: Any) -> None:
    settings._store.setValue("pages/toy", json.dumps(state))
    remembered = settings.page_state("toy")
    assert remembered is None if not isinstance(state, dict) else isinstance(remembered, dict)


def opened(settings: Settings, topic: Topic, qtbot: Any) -> MainWindow:
    settings.page = "toy"
    window = MainWindow(EngineBridge(FakeEngine), settings, {"toy": topic}, PAGES)
    qtbot.addWidget(window)
    window.open_last_page()
    return window


@pytest.mark.parametrize(
    "text",
    ["{not json", "[1]", "[" * 100_000, '{"tab": 1e400}', '{"tab": "x"}', '{"vertical": [1e9, -1]}', '{"side": []}',
     '{"plots": [[100000000000000000000]]}', '{"params": []}', '{"params": {"heads": 999}}'],
)  # fmt: skip
def test_that_a_page_whose_state_cannot_be_used_has_defaults_and_says_so(
    text: str, settings: Settings, topic: Topic, qtbot: Any
) -> None:
    settings._store.setValue("pages/toy", text)
    window = opened(settings, topic, qtbot)
    assert window.current is not None
    page = window.current.page
    assert page.params == ToyParams()
    assert not page.side.isHidden()
    assert "it has its defaults" in page.banner.sentence
    window.close()


@pytest.mark.parametrize("case", FORGED)
def test_that_a_damaged_file_is_set_aside_with_a_notice(case: str, tmp_path: Path, topic: Topic, qtbot: Any) -> None:
    file = tmp_path / "settings.ini"
    file.write_bytes(FORGED[case])
    settings = Settings(file)
    assert (settings.theme, settings.geometry, settings.page) == ("dark", None, "")
    window = opened(settings, topic, qtbot)
    assert "starts with its defaults" in window.current.page.banner.sentence
    window.close()
    assert (tmp_path / "settings.ini.damaged").read_bytes() == FORGED[case]
    assert Settings(file).problem is None


@pytest.mark.parametrize(
    "put", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir], ids=["pipe", "device", "folder"]
)
def test_that_no_settings_are_read_from_what_is_no_file(put: Callable[[Path], object], tmp_path: Path) -> None:
    put(tmp_path / "settings.ini")
    settings = Settings(tmp_path / "settings.ini")
    assert settings.problem is not None
    settings.theme = "light"
    settings.sync()
    assert Settings(tmp_path / "settings.ini").theme == "light"
