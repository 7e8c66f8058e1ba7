"""Screens are faked by their available geometry: the window of the tests has one of 800 x 800."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRect, QSize

from gui.window.geometry import centred, fitted

SMALL = QRect(0, 0, 1280, 720)
LAPTOP = QRect(0, 25, 1440, 875)
LARGE = QRect(1280, 0, 2560, 1440)


@pytest.mark.parametrize("screen", [SMALL, LAPTOP, LARGE])
def test_that_the_first_window_is_whole_on_its_screen_and_in_its_middle(screen: QRect) -> None:
    placed = centred(QSize(1600, 1000), screen)
    assert screen.contains(placed)
    assert placed.top() > screen.top()  # space for the title bar
    assert abs(placed.center().x() - screen.center().x()) <= 1
    assert placed.width() == min(1600, screen.width())


def test_that_a_window_that_fits_stays_where_it_was() -> None:
    remembered = QRect(1400, 100, 1600, 1000)
    assert fitted(remembered, [SMALL, LARGE]) == remembered


@pytest.mark.parametrize(
    "remembered",
    [
        QRect(100, 100, 1600, 1000),  # too large
        QRect(-200, 300, 800, 600),  # half outside
        QRect(5000, 4000, 1600, 1000),  # on a screen that is gone
        QRect(0, 0, 900, 500),  # its title bar would be outside
    ],
)
def test_that_a_window_that_no_longer_fits_is_moved_and_made_smaller(remembered: QRect) -> None:
    placed = fitted(remembered, [SMALL])
    assert SMALL.contains(placed)
    assert placed.size() == remembered.size().boundedTo(QSize(1280, placed.height()))


def test_that_a_window_goes_to_the_screen_that_shows_most_of_it() -> None:
    assert LARGE.contains(fitted(QRect(1100, 100, 1600, 1000), [SMALL, LARGE]))


def test_that_a_window_on_no_screen_goes_to_the_middle_of_the_primary_one() -> None:
    assert fitted(QRect(9000, 9000, 800, 600), [LARGE, SMALL]).center().x() == pytest.approx(LARGE.center().x(), abs=1)
