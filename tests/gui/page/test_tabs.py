from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from core.contracts.text import tr
from core.contracts.topic import Topic
from gui.page.page_layout import layout_of, restore_layout
from gui.page.tabs import TabsBelow
from tests.gui.doubles import ToyPage


@pytest.fixture
def lower(qtbot: Any) -> TabsBelow:
    made = TabsBelow(QLabel("plots"), [(tr("Claims"), QLabel("claims")), (tr("Notes"), QLabel("notes"))])
    qtbot.addWidget(made)
    made.resize(800, 900)
    made.show()
    return made


def click(lower: TabsBelow, index: int) -> None:
    bar = lower.tabs.tabBar()
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(index).center())


def bar_height(lower: TabsBelow) -> int:
    return lower.tabs.tabBar().sizeHint().height() + 2


def test_that_the_tabs_collapse_to_their_bar_where_the_page_is_low_and_open_where_it_is_high(lower: TabsBelow) -> None:
    assert lower.is_open
    open_sizes = lower.sizes()
    lower.resize(800, 600)
    assert not lower.is_open
    assert not lower.tabs.currentWidget().isVisible()
    assert lower.sizes()[1] == bar_height(lower)
    lower.resize(800, 900)
    assert lower.is_open
    assert lower.sizes() == open_sizes


def test_that_a_click_on_the_open_tab_collapses_and_on_any_tab_opens(lower: TabsBelow) -> None:
    click(lower, 0)
    assert not lower.is_open
    click(lower, 0)
    assert lower.is_open
    click(lower, 0)
    click(lower, 1)
    assert lower.is_open
    assert lower.tabs.currentIndex() == 1


def test_that_a_click_on_another_tab_of_open_ones_is_no_choice_of_height(lower: TabsBelow) -> None:
    click(lower, 1)
    assert lower.chosen is None
    lower.resize(800, 600)
    assert not lower.is_open


def test_that_what_the_user_chose_holds_at_every_height(lower: TabsBelow) -> None:
    lower.resize(800, 600)
    click(lower, 0)
    assert lower.is_open
    assert lower.tabs.currentWidget().isVisible()
    lower.resize(800, 500)
    assert lower.is_open
    lower.toggle()
    lower.resize(800, 900)
    assert not lower.is_open


def test_that_the_chevron_works_with_the_keyboard(lower: TabsBelow) -> None:
    QTest.keyClick(lower.chevron, Qt.Key.Key_Space)
    assert not lower.is_open
    assert lower.chevron.accessibleName() == "Open the tabs"
    QTest.keyClick(lower.chevron, Qt.Key.Key_Space)
    assert lower.is_open


def test_that_sizes_the_user_dragged_come_back_when_the_tabs_open_again(lower: TabsBelow) -> None:
    lower.restore_sizes([500, 392])
    lower.set_open(False)
    assert lower.save_sizes() == [500, 392]
    lower.set_open(True)
    assert lower.sizes() == [500, 392]


@pytest.mark.parametrize("chosen", [None, True, False])
def test_that_a_page_remembers_whether_its_tabs_are_open(
    page: ToyPage, topic: Topic, qtbot: Any, chosen: bool | None
) -> None:
    page.tabs.setCurrentIndex(2)
    page.lower.set_open(chosen)
    other = ToyPage(topic)
    qtbot.addWidget(other)
    restore_layout(other, layout_of(page))
    assert other.lower.chosen is chosen
    assert other.tabs.currentIndex() == 2
