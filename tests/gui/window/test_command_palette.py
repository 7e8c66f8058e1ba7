"""The command palette in the window: what it finds, and where that leads."""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from core import language
from core.contracts.claims import Claim
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.palette.entry import Category
from gui.palette.palette import CommandPalette
from gui.window.history import HistoryKeeper
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.doubles import ToyPage, ToyParams, ToyResult
from tests.gui.windows import Windows

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def window(keeper: HistoryKeeper, windows: Windows, topic: Topic) -> MainWindow:
    """On the page toy; there is a second one like it."""
    window = windows.show({"toy": topic, "second": replace(topic, id="second", title=tr("Second"))}, keeper=keeper)
    window.open_page("toy")
    return window


@pytest.fixture
def page(window: MainWindow) -> ToyPage:
    assert window.current is not None
    assert isinstance(window.current.page, ToyPage)
    return window.current.page


@pytest.fixture
def palette(window: MainWindow, page: ToyPage) -> CommandPalette:
    """Open, on the page toy."""
    press(Qt.Key.Key_K, CTRL)
    palette = window.command_palette
    assert palette is not None
    return palette


def press(key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(QApplication.focusWidget(), key, modifier)


def ids(palette: CommandPalette) -> list[str]:
    return [palette.rows.at(row).entry.id for row in range(palette.rows.rowCount())]


def choose(query: str) -> None:
    """Type it into the open palette and press Enter."""
    QTest.keyClicks(QApplication.focusWidget(), query)
    press(Qt.Key.Key_Return)


def test_that_ctrl_k_opens_it_and_closes_it(window: MainWindow, page: ToyPage, palette: CommandPalette) -> None:
    assert palette.isVisible()
    assert palette.line.hasFocus()
    press(Qt.Key.Key_K, CTRL)
    assert palette.isHidden()
    assert page.hasFocus()


def test_that_ctrl_k_opens_it_from_a_text(window: MainWindow, page: ToyPage) -> None:
    text = QPlainTextEdit("some text", page)
    text.show()
    text.setFocus()
    press(Qt.Key.Key_K, CTRL)
    assert window.command_palette is not None
    assert window.command_palette.isVisible()
    assert text.toPlainText() == "some text"


def test_that_an_action_is_done(page: ToyPage, palette: CommandPalette) -> None:
    page.calls.clear()
    choose("step forward")
    assert page.calls == [("step", 1)]


def test_that_a_page_is_opened_and_is_the_first_choice_the_next_time(
    window: MainWindow, palette: CommandPalette, settings: Settings
) -> None:
    choose("second")
    assert window.current is not None
    assert window.current.page.topic.id == "second"
    press(Qt.Key.Key_K, CTRL)
    assert ids(palette)[0] == "action:page.second"
    assert settings.palette_recent == ["action:page.second"]


@pytest.mark.parametrize("query", ["seq_len 4096", "seq_len=4096", "Length 4096"])
def test_that_a_parameter_is_set_and_the_change_can_be_undone(
    page: ToyPage, palette: CommandPalette, query: str
) -> None:
    choose(query)
    assert page.params == ToyParams(seq_len=4096)
    page.form.undo_stack.undo()
    assert page.params == ToyParams()


def test_that_a_wrong_value_is_said_in_the_palette_and_nothing_changes(page: ToyPage, palette: CommandPalette) -> None:
    QTest.keyClicks(palette.line, "kv_heads 3")
    assert palette.sentence.text() == "kv_heads = 3 does not divide heads = 4."
    QTest.keyClicks(palette.line, "x")
    assert "kv_heads = 3x cannot be used" in palette.sentence.text()
    assert page.params == ToyParams()


def test_that_a_name_that_does_not_exist_is_said(palette: CommandPalette) -> None:
    QTest.keyClicks(palette.line, "seqlen = 3")
    assert palette.sentence.text().startswith("There is no parameter 'seqlen': did you mean seq_len?")


def test_that_a_parameter_of_another_page_opens_that_page(window: MainWindow, palette: CommandPalette) -> None:
    QTest.keyClicks(palette.line, "heads 8")
    press(Qt.Key.Key_Down)
    press(Qt.Key.Key_Return)
    assert window.current is not None
    assert window.current.page.topic.id == "second"
    assert window.current.page.params == ToyParams(heads=8)


def test_that_a_parameter_alone_has_the_focus(page: ToyPage, palette: CommandPalette) -> None:
    page.side.hide()
    choose("kv_heads")
    field = page.form.fields["kv_heads"]
    assert page.side.isVisible()
    assert field.isAncestorOf(QApplication.focusWidget())


def test_that_a_claim_is_selected_in_its_tab(page: ToyPage, palette: CommandPalette) -> None:
    claim: Claim = page.topic.claims[-1]
    choose(f"!{claim.statement}")
    assert page.lower.is_open
    assert page.tabs.currentWidget() is page.claims
    assert page.claims.statements[claim.id].selectedText() == str(claim.statement)


def test_that_an_action_that_needs_a_run_says_so(
    window: MainWindow, page: ToyPage, palette: CommandPalette, result: ToyResult
) -> None:
    choose("clear result")
    assert palette.isVisible()
    assert palette.sentence.text() == "This needs a run, and this page has none yet: press F5 to run it."
    assert window.current is not None
    window.current.controller.show_result(result)
    press(Qt.Key.Key_Return)
    assert palette.isHidden()
    assert window.current.controller.result is None


def test_that_an_action_on_a_page_says_that_there_is_none(
    window: MainWindow, page: ToyPage, palette: CommandPalette
) -> None:
    window.stack.setCurrentIndex(-1)
    window.stack.removeWidget(page)
    palette.open("run")
    press(Qt.Key.Key_Return)
    assert palette.sentence.text() == "This acts on the page in view, and there is none: open a page first."


@pytest.fixture
def whole(windows: Windows) -> MainWindow:
    """The window with all topics, and no page built."""
    return windows.show(None)


def test_that_everything_is_found_within_a_tenth_of_a_second_per_key(whole: MainWindow, qtbot: Any) -> None:
    whole.toggle_palette()
    palette = whole.command_palette
    assert palette is not None
    qtbot.waitUntil(lambda: "example:softmax.py" in ids(palette))
    categories = {palette.rows.at(row).entry.category for row in range(palette.rows.rowCount())}
    assert categories == {*Category} - {Category.FILE, Category.RUN}
    times_s = []
    for query in ("why is softmax stable", "序列长度 4096", "seq_len 4096", "quantisaton"):
        palette.line.clear()
        for key in query:
            began_s = time.process_time()  # what else the machine does says nothing about the palette
            palette.line.insert(key)
            QApplication.processEvents()
            times_s.append(time.process_time() - began_s)
    assert statistics.median(times_s) < 0.1


@pytest.mark.parametrize("code", ["en", "zh"])
def test_that_questions_notes_and_examples_are_found_in_both_languages(
    whole: MainWindow, qtbot: Any, code: str
) -> None:
    with language.using(code):
        whole.toggle_palette()
        palette = whole.command_palette
        assert palette is not None
        qtbot.waitUntil(lambda: "example:softmax.py" in ids(palette))
        for query, found in (
            ("two memories", "note:flash-attention/1"),
            ("两种存储", "note:flash-attention/1"),
            ("softmax.py", "example:softmax.py"),
            ("快捷键", "action:shortcuts"),
            ("keyboard shortcuts", "action:shortcuts"),
        ):
            palette.line.setText(query)
            assert found in ids(palette)[:3], query


def test_that_past_runs_are_found_and_reopened(
    window: MainWindow,
    page: ToyPage,
    palette: CommandPalette,
    keeper: HistoryKeeper,
    other_result: ToyResult,
    qtbot: Any,
) -> None:
    with qtbot.waitSignal(keeper.kept):
        keeper.keep(other_result, datetime(2026, 1, 2, tzinfo=UTC).timestamp(), 1.0)
    palette.open("/2026-01-02")
    qtbot.waitUntil(lambda: ids(palette)[:1] != [] and ids(palette)[0].startswith("run:"))
    press(Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.params == other_result.params)
    assert window.current is not None
    assert window.current.controller.result is not None
