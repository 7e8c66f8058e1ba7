"""The triplets of a matrix: kept and pruned, exact numbers, picking, a step without scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from core.topics.lora.triplets import Triplets
from gui.pages.lora.triplet_view import TripletView

KEPT = np.array([True, False, True, True])
SCORES = np.array([0.5, 0.125, 0.25, 0.375])
VALUES = np.array([1.0, 0, -0.5, 2])
TRIPLETS = Triplets(9, 9, SCORES, SCORES / 10, SCORES / 20, VALUES, KEPT, 0.25)
MATRIX = "layer 0 q_proj"


@pytest.fixture
def plot(qtbot: Any) -> TripletView:
    made = TripletView()
    qtbot.addWidget(made)
    made.resize(420, 240)
    made.show()
    made.set_triplets(MATRIX, TRIPLETS)
    return made


def test_that_the_title_counts_what_is_kept_and_none_is_an_empty_state(plot: TripletView) -> None:
    assert plot.title.text() == "layer 0 q_proj, step 9: 3 of 4 triplets kept"
    plot.set_triplets(MATRIX, replace(TRIPLETS, step=12))
    assert plot.title.text() == "layer 0 q_proj, step 12 (scores of step 9): 3 of 4 triplets kept"
    plot.set_triplets(MATRIX, None)
    assert plot.is_empty


def test_that_a_triplet_is_read_exactly(plot: TripletView) -> None:
    assert plot.describe(2).splitlines() == [
        "triplet 2, kept",
        "importance: 0.250",
        "sensitivity of E: 0.0250, uncertainty of E: 0.0125",
        "singular value E: -0.500",
        "lowest score kept in all matrices: 0.250",
    ]
    assert plot.describe(1).startswith("triplet 1, pruned")


def test_that_a_click_picks_the_triplet_under_it_and_nothing_beside(plot: TripletView) -> None:
    picked: list[int] = []
    plot.triplet_picked.connect(picked.append)
    for index in (3, 0):
        QTest.mouseClick(plot.canvas, Qt.MouseButton.LeftButton, pos=QPoint(int(plot.canvas.x_of(index)), 40))
    QTest.mouseClick(plot.canvas, Qt.MouseButton.LeftButton, pos=QPoint(4, 40))
    assert picked == [3, 0]


def test_that_the_arrows_walk_within_the_triplets(plot: TripletView) -> None:
    picked: list[int] = []
    plot.triplet_picked.connect(picked.append)
    plot.triplet_picked.connect(plot.select_triplet)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Right):
        QTest.keyClick(plot.canvas, key)
    assert picked == [0, 1]


def test_that_selecting_from_outside_picks_nothing(plot: TripletView, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(plot.triplet_picked):
        plot.select_triplet(2)
    assert plot.triplet == 2


def test_that_a_step_without_scores_says_none_and_still_draws(plot: TripletView) -> None:
    none = np.full(4, np.nan)
    plot.set_triplets(MATRIX, Triplets(9, 9, none, none, none, np.zeros(4), np.ones(4, bool)))
    assert "importance: none" in plot.describe(0)
    assert not plot.grab().isNull()


def test_that_kept_and_pruned_bars_differ_in_colour(plot: TripletView) -> None:
    shot = plot.canvas.grab().toImage()
    high = int((plot.canvas.height() - 17 - 18 - 4) / 3)
    column_colours = [shot.pixelColor(int(plot.canvas.x_of(index)), high).name() for index in range(4)]
    assert column_colours[0] == column_colours[2] == column_colours[3] != column_colours[1]
