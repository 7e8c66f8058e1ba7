"""A line of small print: the longest wording that fits, never a cut one."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt

from gui.widgets.fitted_label import FittedLabel

LONG, SHORT = "256 reads of 4 × 64 float32", "256 reads"


@pytest.fixture
def label(qtbot: Any) -> FittedLabel:
    made = FittedLabel(LONG, SHORT)
    qtbot.addWidget(made)
    made.show()
    return made


def width(label: FittedLabel, text: str) -> int:
    return label.fontMetrics().horizontalAdvance(text)


def test_that_the_longest_wording_that_fits_is_shown_and_all_of_it_said(label: FittedLabel) -> None:
    label.resize(width(label, LONG), 20)
    assert label.shown == LONG
    label.resize(width(label, LONG) - 1, 20)
    assert label.shown == SHORT
    assert label.text() == label.toolTip() == LONG


def test_that_the_last_wording_ends_with_an_ellipsis_where_even_it_is_too_long(label: FittedLabel) -> None:
    label.resize(width(label, SHORT) - 4, 20)
    assert label.shown.endswith("…")
    label.resize(width(label, SHORT[:3]), 20)
    assert label.shown == "", "a few letters say nothing"
    ending = FittedLabel(SHORT, elide=Qt.TextElideMode.ElideLeft, parent=label)
    ending.resize(width(label, SHORT) - 4, 20)
    assert ending.shown.startswith("…")
    label.set_wordings(LONG, "")
    assert label.shown == ""
    label.set_wordings()
    assert label.text() == ""


def test_that_it_is_painted(label: FittedLabel) -> None:
    label.resize(width(label, LONG), 20)
    picture = label.grab().toImage()
    label.set_wordings(SHORT)
    assert label.grab().toImage() != picture
