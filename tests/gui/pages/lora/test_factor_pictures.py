"""W + s BA as pictures: where each part lies, cells read exactly, signs told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QColor

from core.topics.lora.result import Factors
from gui import theme as themes
from gui.pages.lora.factor_pictures import FactorPictures

W = np.linspace(-1, 1, 16 * 8).reshape(16, 8)
MATRIX = "layer 0 q_proj"
PICTURES = {"w": W, "b": np.ones((16, 2)), "a": -np.ones((2, 8)), "ba": -2 * np.ones((16, 8))}


def factors(**more: np.ndarray) -> Factors:
    return Factors({**PICTURES, **more}, (32, 8), 2, 4.0)


@pytest.fixture
def plot(qtbot: Any) -> FactorPictures:
    made = FactorPictures()
    qtbot.addWidget(made)
    made.resize(460, 260)
    made.show()
    made.set_factors(MATRIX, factors())
    return made


def test_that_the_title_writes_the_scaling_and_none_is_an_empty_state(plot: FactorPictures) -> None:
    assert plot.title.text() == "layer 0 q_proj: W + 4 BA"
    assert [str(factors().name(part)) for part in ("w", "ba", "delta")] == ["W", "4 BA", "ΔW, full"]
    plot.set_factors(MATRIX, None)
    assert plot.is_empty


def test_that_b_stands_left_of_the_product_and_a_above_it(plot: FactorPictures) -> None:
    boxes = plot.canvas.boxes()
    assert set(boxes) == {"w", "b", "a", "ba"}
    assert boxes["b"].right() < boxes["ba"].left()
    assert boxes["a"].bottom() < boxes["ba"].top()
    assert boxes["b"].height() == boxes["ba"].height() == boxes["w"].height()
    assert boxes["a"].width() == boxes["ba"].width()
    assert boxes["ba"].height() > boxes["ba"].width()
    assert boxes["w"].left() >= 0
    assert boxes["ba"].right() <= plot.canvas.width()


def test_that_the_full_update_has_its_place_only_where_there_is_one(plot: FactorPictures) -> None:
    plot.set_factors(MATRIX, factors(delta=W))
    boxes = plot.canvas.boxes()
    assert boxes["delta"].left() > boxes["ba"].right()
    assert boxes["delta"].right() <= plot.canvas.width()


def test_that_a_cell_is_read_with_the_elements_that_it_stands_for(plot: FactorPictures) -> None:
    boxes = plot.canvas.boxes()
    assert plot.canvas.describe(boxes["w"].left() + 1, boxes["w"].top() + 1) == "W[0–1, 0]: mean -1"
    assert plot.canvas.describe(boxes["a"].right() - 1, boxes["a"].bottom() - 1) == "A[1, 7]: -1"
    assert plot.canvas.describe(0, 0) is None


@pytest.mark.parametrize("name", themes.NAMES)
def test_that_signs_are_told_apart_in_both_themes(plot: FactorPictures, qapp: Any, name: str) -> None:
    themes.apply(qapp, name)
    theme = themes.current()
    first, last = (plot.canvas._images["w"].pixelColor(x, y) for x, y in ((0, 0), (7, 15)))
    assert first == QColor(theme.series[0])
    assert last == QColor(theme.series[4])
