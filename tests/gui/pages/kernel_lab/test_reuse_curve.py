from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from gui import theme
from gui.pages.kernel_lab.reuse_curve import ReuseCurve, ReuseLine


@pytest.fixture
def curve(qtbot: Any) -> ReuseCurve:
    made = ReuseCurve(x=("size of a cache", "bytes"), y=("requests served", "%"), log_x=True)
    qtbot.addWidget(made)
    made.set_lines([ReuseLine("hits", np.array([128.0, 1280.0]), np.array([0.0, 50.0]), 0)], "a note")
    return made


def test_that_the_read_out_interpolates_along_the_logarithm(curve: ReuseCurve) -> None:
    assert curve.describe(np.log10(128) + 0.5, 0) == "size of a cache: 405 B\nhits: 25%"


def test_that_no_line_is_one_sentence(curve: ReuseCurve) -> None:
    assert not curve.is_empty
    curve.set_lines([ReuseLine("hits", np.zeros(0), np.zeros(0), 0)])
    assert curve.is_empty
    assert curve.describe(1, 1) is None


def test_that_lines_take_the_colours_of_the_theme(curve: ReuseCurve, qapp: QApplication) -> None:
    theme.apply(qapp, "light")
    assert curve.legend.entries[0].colour == theme.current().series[0]
    theme.apply(qapp, "dark")
