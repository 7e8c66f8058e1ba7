"""The pointer that the arrow keys move over a plot."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.charts.axis import Axis
from gui.charts.chart import Chart


@pytest.fixture
def chart(qtbot: Any) -> Chart:
    made = Chart(Axis("x"), Axis("y"))
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.set_home((0, 100), (0, 10))
    made.show()
    made.activateWindow()
    qtbot.waitUntil(made.isActiveWindow)
    made.clearFocus()
    made.setFocus(Qt.FocusReason.TabFocusReason)
    return made


def test_that_arrows_read_out_from_the_middle_on_and_return_picks_there(chart: Chart, qtbot: Any) -> None:
    hovered: list[tuple[float, float]] = []
    chart.hovered.connect(lambda x, y, _: hovered.append((x, y)))
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Up):
        QTest.keyClick(chart, key)
    middle, right, up = hovered
    assert middle == pytest.approx((50, 5), abs=1)
    assert right[0] > middle[0]
    assert right[1] == pytest.approx(middle[1])
    assert up[1] > right[1]
    with qtbot.waitSignal(chart.clicked) as clicked:
        QTest.keyClick(chart, Qt.Key.Key_Return)
    assert clicked.args == pytest.approx(up)


def test_that_the_pointer_stays_inside_the_plot(chart: Chart) -> None:
    hovered: list[float] = []
    chart.hovered.connect(lambda x, _y, _: hovered.append(x))
    for _ in range(60):
        QTest.keyClick(chart, Qt.Key.Key_Right)
    assert len(hovered) == 60
    assert 95 < hovered[-1] <= 100


def test_that_plus_zooms_around_the_pointer_and_home_undoes_it(chart: Chart) -> None:
    QTest.keyClick(chart, Qt.Key.Key_Plus)
    low, high = chart.getViewBox().viewRange()[0]
    assert 0 < low < 50 < high < 100
    QTest.keyClick(chart, Qt.Key.Key_Home)
    assert chart.getViewBox().viewRange()[0] == pytest.approx([0, 100])


def test_that_a_plot_that_was_clicked_leaves_the_arrows_to_its_page(chart: Chart) -> None:
    chart.clearFocus()
    chart.setFocus(Qt.FocusReason.MouseFocusReason)
    hovered: list[float] = []
    chart.hovered.connect(lambda x, _y, _: hovered.append(x))
    QTest.keyClick(chart, Qt.Key.Key_Right)
    assert hovered == []


def test_that_the_read_out_ends_when_the_focus_leaves(chart: Chart, qtbot: Any) -> None:
    QTest.keyClick(chart, Qt.Key.Key_Right)
    with qtbot.waitSignal(chart.left):
        chart.clearFocus()
