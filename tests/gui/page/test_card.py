from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLabel

from core.contracts.errors import TilescopeError
from core.contracts.result import Provenance
from gui.page.card import Card
from gui.page.grid import PlotGrid
from gui.widgets.badge import ProvenanceBadge


@pytest.fixture
def grid(qtbot: Any) -> PlotGrid:
    made = PlotGrid()
    qtbot.addWidget(made)
    for row, column in ((0, 0), (0, 1), (1, 0)):
        made.add(Card(QLabel(f"{row}{column}"), f"Plot {row}{column}"), row, column, width=1 + column)
    made.resize(900, 600)
    made.show()
    return made


def test_that_the_badge_says_where_numbers_come_from_and_hides_when_there_are_none(qtbot: Any) -> None:
    badge = ProvenanceBadge()
    qtbot.addWidget(badge)
    assert badge.sizeHint().isEmpty()
    badge.set_provenance(Provenance.TRACED)
    assert badge.text == "traced"
    assert "IR" in badge.toolTip()


def test_that_a_picture_of_other_parameters_than_the_run_s_says_itself_whether_it_is_stale(grid: PlotGrid) -> None:
    card = grid.cards[0]
    card.set_outdated(True)
    card.set_provenance(Provenance.MEASURED_CPU)
    assert card.property("stale")
    card.set_provenance(Provenance.MEASURED_CPU, outdated=False)
    assert not card.property("stale")
    card.set_outdated(False)
    card.set_provenance(Provenance.MEASURED_CPU, outdated=True)
    assert card.property("stale")
    card.set_provenance(Provenance.MODELLED, outdated=True)
    assert not card.property("stale"), "what no run has measured is never out of date"
    card.set_provenance(Provenance.MEASURED_CPU)
    assert not card.property("stale"), "it goes with the page again"


def test_that_an_empty_card_says_what_to_do_and_is_never_stale(grid: PlotGrid) -> None:
    card = grid.cards[0]
    card.set_provenance(Provenance.TRACED)
    card.set_empty("Run to trace the kernels")
    card.set_outdated(True)
    assert card.is_empty
    assert not card.property("stale")
    card.set_empty(None)
    assert not card.is_empty
    assert card.property("stale")


def test_that_only_numbers_of_a_run_are_stale_when_parameters_change(grid: PlotGrid) -> None:
    card = grid.cards[0]
    card.set_outdated(True)
    for provenance in (None, *Provenance):
        card.set_provenance(provenance)
        assert bool(card.property("stale")) is (provenance is not None and provenance.is_of_a_run)
    card.set_provenance(Provenance.TRACED)
    card.set_outdated(False)
    assert not card.property("stale")


def test_that_columns_share_the_row_as_declared(grid: PlotGrid) -> None:
    narrow, wide = grid.cards[0].width(), grid.cards[1].width()
    assert wide == pytest.approx(2 * narrow, rel=0.1)


def test_that_a_maximised_card_stands_alone_until_it_is_restored(grid: PlotGrid) -> None:
    grid.maximise(grid.cards[1])
    assert [card.isVisible() for card in grid.cards] == [False, True, False]
    assert grid.maximised is grid.cards[1]
    grid.maximise(None)
    assert all(card.isVisible() for card in grid.cards)
    assert grid.maximised is None


def test_that_the_menu_of_a_card_maximises_and_restores_it(grid: PlotGrid) -> None:
    grid.cards[2].maximise_toggled.emit(True)
    assert grid.maximised is grid.cards[2]
    grid.cards[2].maximise_toggled.emit(False)
    assert grid.maximised is None


def test_that_sizes_are_restored_and_those_of_another_layout_ignored(grid: PlotGrid) -> None:
    state = [grid.save_state()[0], [300, 592], [892]]
    grid.restore_state(state)
    assert grid.save_state()[1] == pytest.approx([300, 592], abs=2)
    grid.restore_state([[1, 2, 3]])
    assert grid.save_state()[1] == pytest.approx([300, 592], abs=2)


def test_that_a_card_is_saved_as_png_and_svg(grid: PlotGrid, tmp_path: Path, qtbot: Any) -> None:
    card = grid.cards[0]
    card.save(tmp_path / "plot.png")
    card.save(tmp_path / "plot.svg")
    qtbot.waitUntil((tmp_path / "plot.svg").exists)
    assert QImage(str(tmp_path / "plot.png")).size() == card.size() * 2
    assert "Plot 00" in (tmp_path / "plot.svg").read_text()
    with qtbot.capture_exceptions() as raised:
        card.save(tmp_path / "missing" / "plot.png")
        qtbot.waitUntil(lambda: bool(raised))
    assert isinstance(raised[0][1], TilescopeError)
    assert "cannot be written" in str(raised[0][1])
