"""Rows with columns of values: to scale, walked, read out, picked, and drawn with the same items each time."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QRectF, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication

from gui import theme as themes
from gui.charts.row_chart import RowChart
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, LegendKey, Line, Row, RowSpec, Segment
from gui.charts.row_layout import Axis, even_ticks, lay_out

SHARES = (Segment(30.0, Ink("series.0")), Segment(10.0, Ink("series.1")), Segment(math.nan, Ink("series.2")))
FIRST = Row(
    "First", (Cell((SHARES,), texts=("40 MB, at length", "40 MB")), Cell(mark=1e3, limit=1e4)), "the first", "a"
)
SECOND = Row("Second", (Cell(((Segment(20.0, Ink("good")),),)), Cell(mark=1e5)), "the second", "b")
UNKEYED = Row("Third", (Cell(), Cell(mark=math.nan)), "the third")
NOTED = Row("Fourth", read_out="the fourth", key="d", note="not there")
COLUMNS = (Column(("bytes",), unit="bytes"), Column(("counts of everything on a log axis", "counts"), log=True))
SPEC = RowSpec(COLUMNS, (Band((FIRST, SECOND, UNKEYED, NOTED)),), ((LegendKey("one", Ink("good")),),))


@pytest.fixture
def chart(qtbot: Any) -> RowChart:
    made = RowChart("Rows appear here.", "Rows")
    qtbot.addWidget(made)
    made.resize(480, 220)
    made.set_rows(SPEC)
    made.show()
    return made


def test_that_bars_are_to_scale_follow_one_another_and_leave_out_what_is_not_known(chart: RowChart) -> None:
    (_, _, first), (_, _, second), (_, _, other) = chart.view.segments()
    assert first.width() == pytest.approx(3 * second.width())
    assert second.left() == pytest.approx(first.right())
    assert other.width() == pytest.approx(2 * second.width())
    assert second.right() < chart.view.width()


def test_that_counts_lie_on_a_log_axis() -> None:
    axis = Axis(Column(log=True), (1e3, 1e6), QRectF(0, 0, 300, 10), 300)
    assert [axis.x(count) for count in (1e3, 1e4, 1e5, 1e6)] == pytest.approx([0, 100, 200, 300])
    assert axis.x(0) == 0
    assert [text for _, text in axis.ticks()] == ["1 k", "10 k", "100 k", "1 M"]


def test_that_marks_and_limits_lie_where_the_axis_has_them(chart: RowChart) -> None:
    panel = chart.view.panels[1]
    assert list(panel.marks.getData()[0]) == pytest.approx([3.0, 5.0])
    assert list(panel.limits.opts["x"]) == pytest.approx([4.0])
    assert panel.view.viewRange()[0] == pytest.approx([3.0, 5.0])


def test_that_new_values_reuse_the_items(chart: RowChart) -> None:
    panels, items = list(chart.view.panels), len(chart.view.scene().items())
    chart.set_rows(replace(SPEC, bands=(Band((SECOND, FIRST)),)))
    assert chart.view.panels == panels
    assert len(chart.view.scene().items()) == items
    assert list(panels[1].marks.getData()[0]) == pytest.approx([5.0, 3.0])


def test_that_panels_come_and_go_with_the_columns(chart: RowChart) -> None:
    one = Row("Only", (Cell(mark=1.0),), "only")
    chart.set_rows(RowSpec((Column(),), (Band((one,)),)))
    assert len(chart.view.panels) == 1
    chart.set_rows(RowSpec((Column(),), (Band((one,)), Band((one,)))))
    assert len(chart.view.panels) == 2


@pytest.mark.parametrize("spec", [None, RowSpec(COLUMNS, ()), RowSpec(COLUMNS, (Band(()),))])
def test_that_no_rows_are_the_sentence_until_there_are_some(chart: RowChart, spec: RowSpec | None) -> None:
    chart.set_rows(spec)
    assert chart.is_empty
    assert chart.rows == ()
    chart.set_rows(SPEC)
    assert not chart.is_empty


def test_that_the_arrows_home_and_end_walk_and_return_picks(chart: RowChart, qtbot: Any) -> None:
    for key, text in (
        (Qt.Key.Key_Down, "the first"), (Qt.Key.Key_Down, "the second"), (Qt.Key.Key_End, "the fourth"),
        (Qt.Key.Key_Down, "the fourth"), (Qt.Key.Key_Up, "the third"), (Qt.Key.Key_Home, "the first"),
    ):  # fmt: skip
        qtbot.keyClick(chart.view, key)
        assert chart.tip.text() == text
        assert chart.tip.isVisible()
    with qtbot.waitSignal(chart.picked) as caught:
        qtbot.keyClick(chart.view, Qt.Key.Key_Return)
    assert caught.args == ["a"]
    chart.view.clearFocus()
    qtbot.waitUntil(chart.tip.isHidden)


def test_that_a_row_without_a_key_is_read_out_and_not_picked(chart: RowChart, qtbot: Any) -> None:
    place = chart.view.row_boxes[2].center().toPoint()
    with qtbot.assertNotEmitted(chart.picked):
        qtbot.mouseClick(chart.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        qtbot.keyClick(chart.view, Qt.Key.Key_Return)
    assert chart.view.describe_at(chart.view.row_boxes[2].center()) == "the third"


def test_that_a_click_picks_and_the_pointer_reads_out(chart: RowChart, qtbot: Any) -> None:
    place = chart.view.row_boxes[1].center().toPoint()
    with qtbot.waitSignal(chart.picked) as caught:
        qtbot.mouseClick(chart.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert caught.args == ["b"]
    qtbot.mouseMove(chart.view.viewport(), QPoint(100, round(chart.view.row_boxes[0].center().y())))
    qtbot.waitUntil(lambda: chart.tip.text() == "the first")


def test_that_a_segment_that_the_keyboard_was_on_may_go(chart: RowChart, qtbot: Any) -> None:
    keyed = tuple(replace(share, key=name) for share, name in zip(SHARES[:2], ("q", "k"), strict=True))
    cells = [(Cell((shares,)), Cell()) for shares in (keyed, keyed[:1])]
    both, one = (RowSpec(COLUMNS, (Band((replace(FIRST, cells=cell),)),)) for cell in cells)
    chart.set_rows(both)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Right):
        qtbot.keyClick(chart.view, key)
    with qtbot.waitSignal(chart.picked) as caught:
        qtbot.keyClick(chart.view, Qt.Key.Key_Return)
    assert caught.args == ["k"]
    chart.set_rows(one)
    with qtbot.waitSignal(chart.picked) as caught:
        qtbot.keyClick(chart.view, Qt.Key.Key_Return)
    assert caught.args == ["a"]


def test_that_left_and_right_still_play_after_a_click(chart: RowChart, qtbot: Any) -> None:
    def keeps(key: Qt.Key) -> bool:
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, Qt.KeyboardModifier.NoModifier)
        event.ignore()
        QApplication.sendEvent(chart.view, event)
        return event.isAccepted()

    keyed = replace(FIRST, cells=(Cell((tuple(replace(share, key="q") for share in SHARES),)), Cell()))
    chart.set_rows(RowSpec(COLUMNS, (Band((keyed, SECOND)),)))
    place = chart.view.row_boxes[0].center().toPoint()
    qtbot.mouseClick(chart.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert keeps(Qt.Key.Key_Down)
    assert not keeps(Qt.Key.Key_Right)
    qtbot.keyClick(chart.view, Qt.Key.Key_Home)
    assert keeps(Qt.Key.Key_Right), "the keyboard walks along the segments"
    qtbot.keyClick(chart.view, Qt.Key.Key_Down)
    assert not keeps(Qt.Key.Key_Left), "this row has none to pick"


def test_that_choosing_from_outside_emits_nothing_and_is_seen(chart: RowChart, qtbot: Any) -> None:
    before = chart.grab().toImage()
    with qtbot.assertNotEmitted(chart.picked):
        chart.choose("b")
    assert chart.grab().toImage() != before
    assert [word.text for word in chart.view.words if word.bold and word.size == "small"] == ["Second"]
    chart.choose(None)
    assert chart.grab().toImage() == before


def test_that_the_focus_is_seen(chart: RowChart, qtbot: Any) -> None:
    chart.view.clearFocus()
    without = chart.grab().toImage()
    chart.view.setFocus()
    qtbot.waitUntil(chart.view.hasFocus)
    assert chart.grab().toImage() != without
    assert chart.view.accessibleName() == "Rows"


def test_that_a_wording_gives_way_where_there_is_no_room(chart: RowChart) -> None:
    chart.resize(900, 220)
    assert "counts of everything on a log axis" in [word.text for word in chart.view.words]
    chart.resize(300, 220)
    assert "40 MB" in [word.text for word in chart.view.words]
    assert "counts of everything on a log axis" not in [word.text for word in chart.view.words]


def test_that_a_line_is_drawn_with_its_name_or_not_at_all() -> None:
    lines = (Line(10.0, "10"), Line(10.5, "10.5"), Line(30.0, "30"), Line(99.0, "99"))
    spec = RowSpec((Column(limits=(0.0, 40.0), lines=lines),), (Band((Row("a", (Cell(),)),)),))
    (axis,) = lay_out(spec, 400, 200)[0].axes
    assert [line.name for line, _ in axis.lines()] == ["10", "30"]


@pytest.mark.parametrize("high", [42e6, 1e6, 20e6, 3.3e9])
@pytest.mark.parametrize("width", [20.0, 70.0, 140.0])
def test_that_an_axis_has_a_number_besides_zero(high: float, width: float) -> None:
    ticks = Axis(Column(unit="bytes"), (0.0, high), QRectF(0, 0, width, 10), width).ticks()
    assert ticks[0][0] == 0
    assert 0 < ticks[1][0] <= high


@given(st.floats(-1e3, 0), st.floats(0, 1e3), st.integers(2, 12))
def test_that_ticks_are_even_within_the_limits_and_include_zero(low: float, high: float, most: int) -> None:
    if high - low < 1e-6:
        return
    ticks = even_ticks(low, high, most)
    assert 0.0 in ticks
    span = high - low
    assert low - 1e-6 * span <= min(ticks) <= max(ticks) <= high + 1e-6 * span
    steps = [b - a for a, b in pairwise(ticks)]
    assert all(step == pytest.approx(steps[0]) for step in steps)
    assert len(ticks) <= most + 2


@pytest.mark.parametrize("size", [(240, 120), (480, 220), (900, 500)])
def test_that_it_paints_at_any_size_in_both_themes(chart: RowChart, qapp: QApplication, size: tuple[int, int]) -> None:
    chart.resize(*size)
    dark = chart.grab().toImage()
    themes.apply(qapp, "light")
    assert chart.grab().toImage() != dark
    themes.apply(qapp, "dark")
    assert chart.grab().toImage() == dark


def test_that_an_axis_without_values_is_still_one() -> None:
    assert Column().range([Cell()]) == (0.0, 1.0)
    assert Column(log=True).range([Cell()]) is None


def test_that_a_narrow_log_axis_names_its_ends() -> None:
    axis = Axis(Column(log=True), (1e3, 1e6), QRectF(0, 0, 45, 10), 45)
    assert [text for _, text in axis.ticks()] == ["1 k", "1 M"]


def test_that_a_long_title_of_a_band_takes_the_place_of_column_titles(chart: RowChart) -> None:
    titled = [word.text for word in chart.view.words]
    chart.set_rows(replace(SPEC, bands=(*SPEC.bands, Band((FIRST,), "a title that is longer than every name"))))
    words = [word.text for word in chart.view.words]
    assert words.count("bytes") == titled.count("bytes") == 1


def test_that_more_rows_need_more_height_to_be_read(chart: RowChart) -> None:
    few = chart.readable_px
    chart.set_rows(replace(SPEC, bands=(*SPEC.bands, *SPEC.bands)))
    assert chart.readable_px > 1.5 * few
