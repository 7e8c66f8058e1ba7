"""Codebooks over the weights: what a bin reads, what clicks and arrows pick, and where the parts lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtTest import QTest

from core.topics.quantization.codebooks import Histogram
from gui.pages.quantization.codebook_rows import Geometry, LevelRow
from gui.pages.quantization.codebook_view import CodebookView

LEVELS = np.array([-1.0, -0.2, 0.0, 0.5, 1.0])
FEW = LevelRow("few", "Few", LEVELS, (LEVELS[1:] + LEVELS[:-1]) / 2, np.array([1, 2, 4, 2, 1]), 0, "20 dB")
MANY_LEVELS = np.linspace(-1, 1, 255)
MANY = LevelRow(
    "many", "Many", MANY_LEVELS, (MANY_LEVELS[1:] + MANY_LEVELS[:-1]) / 2, np.ones(255, int), 1, affine=True
)
WEIGHTS = Histogram(np.linspace(-1, 1, 9), np.arange(8), np.ones(8, int))


@pytest.fixture
def view(qtbot: Any) -> CodebookView:
    view = CodebookView()
    qtbot.addWidget(view)
    view.resize(520, 280)
    view.set_codebooks([FEW, MANY], WEIGHTS, "few")
    view.show()
    return view


def in_histogram(view: CodebookView, x: float) -> QPointF:
    parts = view.canvas.parts_geometry
    return QPointF(parts.x_of(x), parts.histogram.center().y())


def in_row(view: CodebookView, row: int, x: float) -> QPointF:
    parts = view.canvas.parts_geometry
    return QPointF(parts.x_of(x), parts.row_rect(row).center().y())


def click(view: CodebookView, position: QPointF) -> None:
    QTest.mouseClick(view.canvas, Qt.MouseButton.LeftButton, pos=position.toPoint())


def test_that_a_bin_reads_its_level_ends_and_share(view: CodebookView) -> None:
    text = view.describe(in_histogram(view, 0.3)) or ""
    assert "Few, code 3 of 5: level 0.5 of the block's absmax" in text
    assert "0.25 to 0.75" in text
    assert "20.00% of the weights: 2 of 10" in text
    of_affine = view.describe(in_row(view, 1, 0.999)) or ""
    assert "Many, code 254 of 255" in of_affine
    assert "minimum (-1) and maximum (1)" in of_affine
    parts = view.canvas.parts_geometry
    assert view.describe(QPointF(parts.histogram.left() - 20, parts.histogram.center().y())) is None
    assert view.describe(parts.axis.center()) is None


def test_that_a_click_on_a_row_asks_for_its_format_and_one_on_a_bin_picks_a_code(
    view: CodebookView, qtbot: Any
) -> None:
    with qtbot.waitSignal(view.format_picked) as format_:
        click(view, in_row(view, 1, 0.0))
    assert format_.args == ["many"]
    with qtbot.waitSignal(view.code_picked) as code:
        click(view, in_histogram(view, -0.3))
    assert code.args == [1]
    with qtbot.waitSignal(view.code_picked) as code:
        click(view, in_row(view, 0, 0.95))
    assert code.args == [4]


def test_that_arrows_walk_over_formats_and_codes(view: CodebookView) -> None:
    formats: list[str] = []
    codes: list[int] = []
    view.format_picked.connect(formats.append)
    view.code_picked.connect(codes.append)
    QTest.keyClick(view.canvas, Qt.Key.Key_Up)  # there is none above
    QTest.keyClick(view.canvas, Qt.Key.Key_Down)
    QTest.keyClick(view.canvas, Qt.Key.Key_Right)
    view.select_code(4)
    QTest.keyClick(view.canvas, Qt.Key.Key_Right)  # there is none to the right
    QTest.keyClick(view.canvas, Qt.Key.Key_Left)
    assert formats == ["many"]
    assert codes == [2, 3]


def test_that_a_picked_code_is_drawn_and_dropped_with_a_format_that_lacks_it(view: CodebookView) -> None:
    plain = view.grab().toImage()
    view.select_code(2)
    assert view.grab().toImage() != plain
    view.select_code(99)
    assert view.code is None
    view.set_codebooks([FEW, MANY], WEIGHTS, "many")
    view.select_code(200)
    assert view.code == 200
    view.set_codebooks([FEW, MANY], WEIGHTS, "few")
    assert view.code is None


def test_that_the_histogram_is_on_the_axis_of_the_chosen_format() -> None:
    assert WEIGHTS.shares(affine=FEW.affine).tolist() == pytest.approx((np.arange(8) / 28).tolist())
    assert WEIGHTS.shares(affine=MANY.affine).tolist() == pytest.approx([1 / 8] * 8)


def test_that_no_weights_and_no_formats_draw_without_an_error(view: CodebookView) -> None:
    nothing = np.zeros(8, int)
    row = LevelRow("few", "Few", LEVELS, FEW.boundaries, np.zeros(5, int), 0)
    view.set_codebooks([row], Histogram(WEIGHTS.edges, nothing, nothing), "few")
    assert not view.grab().isNull()
    assert "no weights were counted" in row.describe(2)
    view.set_codebooks([], WEIGHTS, "few")
    assert view.is_empty


@given(st.floats(-1, 1), st.integers(200, 900), st.integers(180, 500), st.integers(1, 8))
def test_that_places_and_values_are_each_other_s_inverse(x: float, width: int, height: int, rows: int) -> None:
    parts = Geometry.within(QRectF(0, 0, width, height), rows, 80, 60)
    assert parts.value_at(parts.x_of(x)) == pytest.approx(x, abs=1e-9)
    assert parts.histogram.bottom() <= parts.shares.top() <= parts.rows.top() <= parts.axis.top() <= height
    for row in range(rows):
        assert parts.row_at(parts.row_rect(row).center().y()) == row


@given(st.floats(-1, 1))
def test_that_a_weight_goes_to_the_nearest_level(x: float) -> None:
    code = FEW.code_at(x)
    assert abs(LEVELS[code] - x) == pytest.approx(np.abs(LEVELS - x).min())
    first, last = FEW.edges[code : code + 2]
    assert first <= x <= last
