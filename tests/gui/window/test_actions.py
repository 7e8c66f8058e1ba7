from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtGui import QKeySequence

from core.contracts import registry
from gui.page.engine_bridge import EngineBridge
from gui.window.actions import actions_in
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from gui.window.shortcuts import shortcuts
from tests.gui.doubles import FakeEngine


@pytest.fixture(scope="module")
def window(qapp: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainWindow]:
    """With all topics, before any page is built."""
    bridge = EngineBridge(FakeEngine)
    window = MainWindow(bridge, Settings(tmp_path_factory.mktemp("settings") / "settings.ini"))
    yield window
    window.close()
    bridge.close()
    window.deleteLater()


def test_that_each_action_has_an_id_and_keys_of_its_own(window: MainWindow) -> None:
    actions = list(actions_in(window.menus))
    assert {f"page.{topic}" for topic in registry.TOPICS} < {action.id for action in actions}
    for counted in (Counter(a.id for a in actions), Counter(key for a in actions for key in a.keys)):
        assert not [each for each, count in counted.items() if count > 1]


def test_that_keys_are_written_as_qt_writes_them(window: MainWindow) -> None:
    for action in actions_in(window.menus):
        for key in action.keys:
            assert QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText) == key


def test_that_every_page_has_a_key_and_none_is_a_mnemonic_of_a_menu(window: MainWindow) -> None:
    keys = {action.id: action.keys for action in actions_in(window.menus)}
    pages = [keys[f"page.{topic}"] for topic in registry.TOPICS]
    assert all(pages)
    assert [each for (each,) in pages[:11]] == [*(f"Ctrl+{n}" for n in range(1, 10)), "Alt+0", "Alt+1"]
    mnemonics = {QKeySequence.mnemonic(str(menu.title)).toString() for menu in window.menus}
    assert not mnemonics & {key for each in pages for key in each}


def test_that_no_menu_lists_a_name_twice(window: MainWindow) -> None:
    for code in ("en", "zh"):
        for menu in window.menus:
            names = [action.text.in_language(code) for action in menu.actions]
            assert len(names) == len(set(names))


def test_that_the_list_of_shortcuts_has_the_keys_of_every_action_and_one_row_for_the_pages(window: MainWindow) -> None:
    listed = dict(shortcuts(window.menus))
    assert str(listed["F5", "Ctrl+R"]) == "Run"
    for first in ("Ctrl+1", "Alt+0"):
        assert [str(text) for keys, text in listed.items() if first in keys] == ["Open a page"]
    for action in actions_in(window.menus):
        if action.keys and not action.id.startswith("page."):
            assert action.keys in listed
