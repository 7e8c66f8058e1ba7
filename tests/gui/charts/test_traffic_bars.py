"""Bytes by tensor, kernel and way."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt

from gui.charts.traffic_bars import TensorBytes, TrafficBars

KERNELS = (("standard", "Standard"), ("flash", "Flash"))
ROWS = (
    TensorBytes("standard", "Q", 4_000_000, 0),
    TensorBytes("standard", "S", 8_000_000, 8_000_000),
    TensorBytes("flash", "Q", 2_000_000, 0),
    TensorBytes("flash", "S", 0, 0),
    TensorBytes("flash", "O", 0, 500_000),
)


@pytest.fixture
def bars(qtbot: Any) -> TrafficBars:
    made = TrafficBars()
    qtbot.addWidget(made)
    made.resize(500, 280)
    made.set_rows(KERNELS, ROWS)
    made.show()
    return made


def box(bars: TrafficBars, kernel: str, tensor: str, way: str) -> Any:
    return next(b for row, w, b in bars.bars._segments() if (row.kernel, row.tensor, w) == (kernel, tensor, way))


def test_that_no_bytes_are_not_plotted(bars: TrafficBars) -> None:
    bars.set_rows(KERNELS, [TensorBytes("flash", "S", 0, 0)])
    assert bars.is_empty


def test_that_the_ratio_is_of_all_bytes(bars: TrafficBars) -> None:
    assert bars.total("standard") == 20_000_000
    assert bars.ratio == pytest.approx(8.0)
    bars.set_rows(KERNELS, ROWS[:2])
    assert bars.ratio is None


def test_that_every_bar_shares_one_scale(bars: TrafficBars) -> None:
    q, s = box(bars, "standard", "Q", "read"), box(bars, "standard", "S", "read")
    assert s.width() == pytest.approx(2 * q.width())
    assert box(bars, "flash", "Q", "read").width() == pytest.approx(q.width() / 2)
    assert not [row for row, _, _ in bars.bars._segments() if (row.kernel, row.tensor) == ("flash", "S")]


def test_that_hover_reads_exact_bytes_and_their_share(bars: TrafficBars) -> None:
    centre = box(bars, "standard", "S", "written").center()
    text = bars.describe(centre.x(), centre.y())
    assert text == "Standard · S written\n8.00 MB (8,000,000 B)\n40.0% of its HBM bytes"
    assert bars.describe(1, 1) is None


def test_that_a_click_picks_the_tensor(bars: TrafficBars, qtbot: Any) -> None:
    centre = box(bars, "flash", "Q", "read").center()
    with qtbot.waitSignal(bars.tensor_picked) as caught:
        qtbot.mouseClick(bars.bars, Qt.MouseButton.LeftButton, pos=QPoint(round(centre.x()), round(centre.y())))
    assert caught.args == ["Q"]


def test_that_a_highlight_changes_the_picture_and_can_be_taken_back(bars: TrafficBars) -> None:
    plain = bars.grab().toImage()
    bars.highlight("S")
    assert bars.highlighted == "S"
    assert bars.grab().toImage() != plain
    bars.highlight(None)
    assert bars.grab().toImage() == plain
