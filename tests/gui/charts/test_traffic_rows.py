"""Bytes by tensor, kernel and way."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPointF, QRectF, Qt

from core.trace.kernel_traffic import TensorTraffic
from gui import theme as themes
from gui.charts import traffic_rows
from gui.charts.row_chart import RowChart
from gui.charts.row_chart_spec import Segment
from gui.charts.row_layout import lay_out, text_px
from gui.charts.row_words import words_of

KERNELS = (("standard", "Standard"), ("flash", "Flash"))
ROWS = (
    TensorTraffic("standard", "", "Q", 4_000_000, 0, 0),
    TensorTraffic("standard", "", "S", 8_000_000, 8_000_000, 0),
    TensorTraffic("flash", "", "Q", 2_000_000, 0, 0),
    TensorTraffic("flash", "", "S", 0, 0, 0),
    TensorTraffic("flash", "", "O", 0, 500_000, 0),
)


@pytest.fixture
def plot(qtbot: Any) -> RowChart:
    made = RowChart(traffic_rows.EMPTY, "HBM bytes")
    qtbot.addWidget(made)
    made.resize(500, 280)
    made.set_rows(traffic_rows.traffic_rows(KERNELS, ROWS))
    made.show()
    return made


def segments(plot: RowChart) -> dict[tuple[str, str, str | None], tuple[Segment, QRectF]]:
    """(segment, box) by kernel, way and tensor."""
    rows = plot.rows
    return {(rows[row].group, rows[row].name, s.key): (s, box) for row, s, box in plot.view.segments()}


def box(plot: RowChart, kernel: str, tensor: str, way: str) -> QRectF:
    return segments(plot)[kernel, way, tensor][1]


def test_that_no_bytes_are_not_plotted(plot: RowChart) -> None:
    plot.set_rows(traffic_rows.traffic_rows(KERNELS, [TensorTraffic("flash", "", "S", 0, 0, 0)]))
    assert plot.is_empty


def test_that_the_ratio_is_of_all_bytes(plot: RowChart) -> None:
    assert traffic_rows.total("standard", ROWS) == 20_000_000
    assert traffic_rows.ratio(KERNELS, ROWS) == pytest.approx(8.0)
    assert traffic_rows.ratio(KERNELS, ROWS[:2]) is None
    assert plot.spec is not None
    assert plot.spec.headline is not None
    assert plot.spec.headline.text == "8× fewer bytes"
    assert plot.spec.headline.rest == "20.0 MB → 2.50 MB"


def test_that_every_bar_shares_one_scale(plot: RowChart) -> None:
    q, s = box(plot, "Standard", "Q", "read"), box(plot, "Standard", "S", "read")
    assert s.width() == pytest.approx(2 * q.width())
    assert s.left() == pytest.approx(q.right())
    assert box(plot, "Flash", "Q", "read").width() == pytest.approx(q.width() / 2)
    assert ("Flash", "read", "S") not in segments(plot)


def test_that_bars_of_a_kernel_stand_closer_than_those_of_two(plot: RowChart) -> None:
    for size in ((480, 220), (900, 600)):
        plot.resize(*size)
        standard, written, flash, _ = plot.view.row_boxes
        assert written.top() == pytest.approx(standard.bottom())
        assert flash.top() > written.bottom() + 6


def test_that_hover_reads_exact_bytes_and_their_share(plot: RowChart) -> None:
    text = plot.view.describe_at(box(plot, "Standard", "S", "written").center())
    assert text == "Standard · S, written\n8.00 MB (8,000,000 B)\n40.0% of its HBM bytes"
    assert plot.view.describe_at(QPointF(1, 1)) is None


def test_that_a_tensor_that_the_second_kernel_never_moves_is_named(plot: RowChart) -> None:
    assert plot.rows[3].cells[0].extra == "S: 0 B"
    assert not any(row.cells[0].extra for row in plot.rows[:3])


def test_that_a_click_picks_the_tensor(plot: RowChart, qtbot: Any) -> None:
    centre = box(plot, "Flash", "Q", "read").center().toPoint()
    with qtbot.waitSignal(plot.picked) as caught:
        qtbot.mouseClick(plot.view.viewport(), Qt.MouseButton.LeftButton, pos=centre)
    assert caught.args == ["Q"]


def test_that_the_arrows_walk_over_tensors_too(plot: RowChart, qtbot: Any) -> None:
    qtbot.keyClick(plot.view, Qt.Key.Key_Down)
    assert plot.tip.text() == "Standard, read\n12.0 MB (12,000,000 B)"
    for _ in range(3):
        qtbot.keyClick(plot.view, Qt.Key.Key_Right)
    assert plot.tip.text().startswith("Standard · S, read")
    with qtbot.waitSignal(plot.picked) as caught:
        qtbot.keyClick(plot.view, Qt.Key.Key_Return)
    assert caught.args == ["S"]


def test_that_a_chosen_tensor_changes_the_picture_and_can_be_taken_back(plot: RowChart, qtbot: Any) -> None:
    plain = plot.grab().toImage()
    with qtbot.assertNotEmitted(plot.picked):
        plot.choose("S")
    assert plot.chosen == "S"
    assert plot.grab().toImage() != plain
    plot.choose(None)
    assert plot.grab().toImage() == plain


@pytest.mark.parametrize("width", [240, 330, 500])
def test_that_read_and_written_are_written_out_however_narrow_the_chart(plot: RowChart, width: int) -> None:
    assert plot.spec is not None
    words = words_of(plot.spec, lay_out(plot.spec, width, 220), themes.current(), None)
    names = [word for word in words if word.text in ("read", "written")]
    assert len(names) == 4
    for word in names:
        assert text_px(word.text, bold=word.bold) <= word.box.width()
