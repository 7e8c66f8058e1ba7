"""Headline numbers: equal columns, unless one would be cut while another has room."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import QWidget

from gui.widgets.metric_bar import MetricBar, Number, _edges, _value_font

CUT = Qt.TextElideMode.ElideRight
SHORT, LONG = Number("RMSE", "9 %"), Number("worst: layer 20 mlp.down_proj", "17 dB")


@pytest.fixture
def strip(qtbot: Any) -> MetricBar:
    made = MetricBar()
    qtbot.addWidget(made)
    made.set_numbers([SHORT, LONG, SHORT])
    made.show()
    return made


def widths(strip: MetricBar, width: int) -> list[float]:
    strip.setFixedWidth(width)
    columns = strip._strip._columns()
    assert columns[0][1].left() == 0
    assert columns[-1][1].right() == pytest.approx(width)
    return [box.width() for _, box in columns]


def test_that_columns_are_equal_where_all_texts_fit(strip: MetricBar) -> None:
    assert widths(strip, 3 * strip.needed_px) == pytest.approx([strip.needed_px] * 3)


def test_that_a_long_name_takes_the_room_that_others_do_not_need(strip: MetricBar) -> None:
    drawn = widths(strip, strip.needed_px + 30)
    assert drawn == pytest.approx([needed + 10 for needed in strip._strip.needed_px()], abs=0.5)
    assert drawn[1] > drawn[0] == drawn[2]


def drawn_values(strip: MetricBar, width: int) -> tuple[list[str], int]:
    """The texts that are drawn for the values in a bar of that width, and the size of their font in pixels."""
    columns, (_, size) = widths(strip, width), strip._strip._widths()
    font = _value_font(size)
    inside = [int(column - _edges()) + 1 for column in columns]
    texts = [number.value for number in strip.numbers]
    elided = [QFontMetrics(font).elidedText(*each) for each in zip(texts, itertools.repeat(CUT), inside, strict=False)]
    return elided, font.pixelSize()


def test_that_in_a_narrow_bar_names_are_cut_and_values_are_whole(strip: MetricBar) -> None:
    large = drawn_values(strip, strip.needed_px)[1]
    assert drawn_values(strip, strip.needed_px - 40) == (["9 %", "17 dB", "9 %"], large)
    assert drawn_values(strip, math.ceil(sum(strip._strip._values_px()))) == (["9 %", "17 dB", "9 %"], large)


def test_that_values_get_smaller_before_they_are_cut(strip: MetricBar) -> None:
    large = drawn_values(strip, strip.needed_px)[1]
    texts, size = drawn_values(strip, round(sum(strip._strip._values_px()) - 15))
    assert texts == ["9 %", "17 dB", "9 %"]
    assert size < large
    smallest = drawn_values(strip, 60)
    assert smallest[1] == int(large * 0.7)
    assert "17 dB" not in smallest[0], "never so small that nobody can read it"


def test_that_a_label_without_room_is_the_short_one_whole(qtbot: Any) -> None:
    number = Number("worst: layer 20 mlp.down_proj", "17 dB", short="worst tensor")
    metrics = QFontMetrics(QFont())
    whole, short = (metrics.horizontalAdvance(text) for text in (number.label, number.short))
    assert number.label_within(metrics, whole) == number.label
    assert number.label_within(metrics, whole - 1) == number.short
    assert number.label_within(metrics, short - 1).endswith("…")
    assert LONG.label_within(metrics, whole - 1).endswith("…"), "without a short one it is cut"


def test_that_a_read_out_of_several_lines_is_whole_although_the_bar_is_low(qtbot: Any) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(700, 400)
    bar = MetricBar(window)
    bar.set_numbers([Number("KL", "2 nats", "\n".join(["a line of the read-out"] * 6)), SHORT])
    bar.resize(700, bar.height())
    window.show()
    bar.tip.show_at(QPoint(40, 20), bar.numbers[0].detail)
    place = bar.tip.frameGeometry()
    assert place.height() > bar.height()
    assert window.geometry().contains(place)
    bar.hide()
    assert bar.tip.isHidden()


def test_that_a_long_line_of_a_read_out_is_wrapped(qtbot: Any) -> None:
    bar = MetricBar()
    qtbot.addWidget(bar)
    bar.show()
    bar.tip.show_at(QPoint(0, 0), "short")
    low = bar.tip.height()
    bar.tip.show_at(QPoint(0, 0), "a long sentence " * 20)
    assert bar.tip.width() < 500
    assert bar.tip.height() > 2 * low
    bar.tip.show_at(QPoint(0, 0), "short")
    assert bar.tip.height() == low
