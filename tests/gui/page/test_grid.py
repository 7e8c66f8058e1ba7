"""Cards one under another in a column: shared out, maximised, remembered."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtWidgets import QLabel

from gui.page.card import Card
from gui.page.grid import PlotGrid


@pytest.fixture
def grid(qtbot: Any) -> PlotGrid:
    made = PlotGrid()
    qtbot.addWidget(made)
    left, upper, lower, last = (Card(QLabel(name), name) for name in ("left", "upper", "lower", "last"))
    made.add(left, 0, 0, width=2)
    made.add(upper, 0, 1)
    made.add_under(lower, upper, heights=(2, 1))
    made.add(last, 0, 2)
    made.resize(1200, 900)
    made.show()
    return made


def test_that_a_card_lies_under_the_other_in_its_column_and_takes_its_share(grid: PlotGrid) -> None:
    left, upper, lower, last = grid.cards
    x = [card.mapTo(grid, card.rect().topLeft()).x() for card in grid.cards]
    assert x[0] < x[1] == x[2] < x[3]
    assert upper.width() == lower.width() == pytest.approx(last.width(), abs=12)
    assert left.width() == pytest.approx(2 * upper.width(), rel=0.05)
    assert upper.height() == pytest.approx(2 * lower.height(), rel=0.05)
    assert upper.height() + lower.height() < left.height() <= 900


def test_that_any_card_of_a_stack_can_be_alone_and_all_come_back(grid: PlotGrid) -> None:
    left, _, lower, _ = grid.cards
    for alone in (lower, left):
        grid.maximise(alone)
        assert [card for card in grid.cards if card.isVisible()] == [alone]
        assert grid.maximised is alone
        assert alone.height() == pytest.approx(900, abs=2)
    grid.maximise(None)
    assert all(card.isVisible() for card in grid.cards)


def test_that_sizes_are_remembered(grid: PlotGrid) -> None:
    state = grid.save_state()
    state[-1] = [500, 392]
    grid.restore_state(state)
    assert grid.cards[2].height() == pytest.approx(392, abs=3)
    grid.restore_state([[1], [1]])  # of another layout
    assert grid.cards[2].height() == pytest.approx(392, abs=3)
