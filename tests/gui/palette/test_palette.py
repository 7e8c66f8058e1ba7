from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QKeySequence, QPaintEvent, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMainWindow, QWidget

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.palette.entry import Category, Entry
from gui import theme
from gui.palette.key_caps import caps_of
from gui.palette.palette import CommandPalette


class Source:
    """Thirty actions that note when they are done, one that refuses, and one that fails."""

    def __init__(self) -> None:
        self.page = ""
        self.recent: Sequence[str] = ()
        self.done: list[str] = []
        self.settable: list[Entry] = []

    def entries(self) -> list[Entry]:
        plain = [
            self.entry(f"Item {number}", lambda number=number: self.done.append(str(number))) for number in range(30)
        ]
        return [
            *plain,
            self.entry("Refused", lambda: self.done.append("refused"), tr("Not now.")),
            self.entry("Fails", self.fail),
        ]

    def entry(self, title: str, work: Any, refusal: Text = EMPTY) -> Entry:
        return Entry(title, Category.ACTION, verbatim(title), work, keys=("Ctrl+K",), refusal=lambda: refusal)

    def fail(self) -> None:
        raise TilescopeError(tr("It does not go."))

    def typed(self, query: str) -> tuple[Sequence[Entry], str, Text]:
        return (self.settable, "item", EMPTY) if query == "set" else ((), query, EMPTY)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def window(qtbot: Any) -> QMainWindow:
    """With a line that has the focus, and a shortcut for Esc, as the real one has."""
    window = QMainWindow()
    window.setCentralWidget(QLineEdit())
    window.escaped = []  # type: ignore[attr-defined]
    QShortcut(QKeySequence("Esc"), window).activated.connect(lambda: window.escaped.append(1))  # type: ignore[attr-defined]
    window.resize(900, 600)
    qtbot.addWidget(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    window.centralWidget().setFocus()
    return window


@pytest.fixture
def palette(source: Source, window: QMainWindow) -> CommandPalette:
    palette = CommandPalette(source, window)
    palette.open()
    return palette


def press(*keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(QApplication.focusWidget(), key)


def write(text: str) -> None:
    QTest.keyClicks(QApplication.focusWidget(), text)


def selected(palette: CommandPalette) -> str:
    assert palette.selected is not None
    return palette.selected.id


def test_that_typing_filters_and_enter_chooses(palette: CommandPalette, source: Source, window: QMainWindow) -> None:
    chosen: list[str] = []
    palette.chose.connect(chosen.append)
    write("item 17")
    assert selected(palette) == "Item 17"
    press(Qt.Key.Key_Return)
    assert (source.done, chosen) == (["17"], ["Item 17"])
    assert palette.isHidden()
    assert window.centralWidget().hasFocus(), "the focus is where it was"


def test_that_keys_move_the_selection_and_one_step_goes_around(palette: CommandPalette) -> None:
    press(Qt.Key.Key_Down, Qt.Key.Key_Down)
    assert selected(palette) == "Item 2"
    press(Qt.Key.Key_PageDown)
    assert selected(palette) == "Item 12"
    press(Qt.Key.Key_PageUp, Qt.Key.Key_PageUp)
    assert selected(palette) == "Item 0"
    press(Qt.Key.Key_Up)
    assert selected(palette) == "Fails"
    press(Qt.Key.Key_Down)
    assert selected(palette) == "Item 0"


def test_that_escape_closes_the_palette_and_nothing_else(palette: CommandPalette, window: Any) -> None:
    press(Qt.Key.Key_Escape)
    assert palette.isHidden()
    assert window.escaped == []
    assert window.centralWidget().hasFocus()
    press(Qt.Key.Key_Escape)
    assert window.escaped == [1]


def test_that_it_closes_when_the_focus_goes_elsewhere(palette: CommandPalette, window: QMainWindow) -> None:
    window.centralWidget().setFocus()
    assert palette.isHidden()


def test_that_a_refusal_is_said_in_the_palette(palette: CommandPalette, source: Source) -> None:
    write("refused")
    press(Qt.Key.Key_Return)
    assert palette.isVisible()
    assert palette.sentence.text() == "Not now."
    assert source.done == []
    write("x")
    assert palette.sentence.text() != "Not now."


def test_that_an_error_leaves_the_palette_open_with_its_query(palette: CommandPalette) -> None:
    chosen: list[str] = []
    palette.chose.connect(chosen.append)
    write("fails")
    press(Qt.Key.Key_Return)
    assert palette.isVisible()
    assert palette.line.hasFocus()
    assert (palette.line.text(), palette.sentence.text(), chosen) == ("fails", "It does not go.", [])


def test_that_nothing_found_is_said(palette: CommandPalette) -> None:
    write("xyzzy plugh")
    assert palette.rows.rowCount() == 0
    assert palette.sentence.isVisible()
    press(Qt.Key.Key_Down, Qt.Key.Key_Return)
    assert palette.isVisible()


def test_that_what_the_query_stands_for_goes_first_and_tab_completes(palette: CommandPalette, source: Source) -> None:
    source.settable = [
        Entry("p", Category.PARAMETER, verbatim("Set p"), lambda: source.done.append("set"), completion="p 8")
    ]
    write("set")
    assert selected(palette) == "p"
    assert palette.rows.rowCount() == 31
    press(Qt.Key.Key_Tab)
    assert palette.line.text() == "p 8"
    assert palette.line.hasFocus()


def test_that_a_prefix_can_be_clicked_and_clicked_away(palette: CommandPalette) -> None:
    write("item")
    palette._prefixes["?"].click()
    assert (palette.line.text(), palette._prefixes["?"].isChecked()) == ("?item", True)
    palette._prefixes["?"].click()
    assert (palette.line.text(), palette._prefixes["?"].isChecked()) == ("item", False)


def test_that_more_entries_leave_the_query_and_the_selection(palette: CommandPalette) -> None:
    write("item")
    press(Qt.Key.Key_Down, Qt.Key.Key_Down)
    before = selected(palette)
    palette.refresh_entries()
    assert (palette.line.text(), selected(palette)) == ("item", before)


class Below(QWidget):
    """Counts how often it is painted."""

    paints = 0

    def paintEvent(self, event: QPaintEvent) -> None:
        self.paints += 1


def test_that_typing_paints_nothing_below(source: Source, qtbot: Any) -> None:
    window, below = QMainWindow(), Below()
    window.setCentralWidget(below)
    window.resize(900, 600)
    qtbot.addWidget(window)
    window.show()
    palette = CommandPalette(source, window)
    palette.open()
    qtbot.wait(20)
    before = below.paints
    for text in ("i", "item 1", "xyzzy plugh", "refused", "set", ""):
        palette.line.setText(text)
        QApplication.processEvents()
        assert below.paints == before, text


def test_that_it_paints_its_own_background(source: Source, qtbot: Any) -> None:
    window, below = QMainWindow(), QWidget()
    below.setStyleSheet("background: red;")
    window.setCentralWidget(below)
    window.resize(900, 600)
    qtbot.addWidget(window)
    window.show()
    palette = CommandPalette(source, window)
    palette.open()
    QApplication.processEvents()
    image = window.screen().grabWindow(window.winId()).toImage()  # what is on the screen: `grab` paints backgrounds
    margin = QPoint(palette.width() // 2, 3)
    assert image.pixelColor(palette.pos() + margin) == QColor(theme.current().surface)


@pytest.mark.parametrize("size", [(320, 240), (1600, 1000)])
def test_that_it_stays_inside_of_the_window(
    palette: CommandPalette, window: QMainWindow, size: tuple[int, int]
) -> None:
    window.resize(*size)
    QApplication.processEvents()
    assert window.rect().contains(palette.geometry())


def test_that_keys_are_shown_cap_by_cap() -> None:
    assert caps_of("Ctrl+Shift+P") == ["Ctrl", "Shift", "P"]
    assert caps_of("Ctrl++") == ["Ctrl", "+"]
    assert caps_of("Up") == ["↑"]
