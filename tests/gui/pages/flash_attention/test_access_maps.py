"""Address over time, two kernels side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt

from core.trace.affine import from_array
from core.trace.file import EncodedTrace
from core.trace.record import Access, Buffer, Launch
from gui.pages.flash_attention.access_maps import AccessMaps
from tests.gui.latest_work import join_latest_work

KERNELS = (("standard", "Standard"), ("flash", "Flash"))


def trace(accesses: int, tensors: str, size: int = 1000) -> EncodedTrace:
    """Four programs that each read their quarter of K; the other tensors are not touched."""
    each = accesses // 4
    buffers = tuple(Buffer(name, "uint8", 1, size, 4096 + index * size) for index, name in enumerate(tensors))
    offset = from_array(np.arange(accesses).reshape(4, each), 1)
    programs = np.arange(4)
    access = Access("load", tensors.index("K"), "k.py", 7, (), programs, (each,), offset, None, 1, 0)
    return EncodedTrace.of([Launch("k", "k.py", 1, "", "", (4, 1, 1), buffers, (access,))])


@pytest.fixture
def plot(qtbot: Any) -> Iterator[AccessMaps]:
    maps = AccessMaps(KERNELS, "QKVSPO")
    qtbot.addWidget(maps)
    maps.resize(600, 300)
    maps.show()
    show(maps, qtbot, {"standard": trace(400, "QKSPVO"), "flash": trace(100, "QKVO")})
    yield maps
    join_latest_work()


def show(plot: AccessMaps, qtbot: Any, traces: Mapping[str, EncodedTrace]) -> None:
    plot.set_traces(traces)
    settle(plot, qtbot)


def settle(plot: AccessMaps, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: plot.idle)


def extents(plot: AccessMaps) -> list[tuple[float, float]]:
    ranges = [trace_map.chart.getViewBox().viewRange() for trace_map in plot.maps.values()]
    return [(round(x[1], 3), round(y[1], 3)) for x, y in ranges]


def test_that_nothing_traced_asks_for_a_run_or_says_what_the_page_knows(plot: AccessMaps) -> None:
    plot.set_traces({})
    assert plot.is_empty
    assert "Run" in plot.empty_sentence
    plot.set_traces({}, "An older version kept this run.")
    assert plot.empty_sentence == "An older version kept this run."


def test_that_each_map_has_its_own_extent_until_one_scale_is_requested(plot: AccessMaps, qtbot: Any) -> None:
    assert extents(plot) == [(400, 6000), (100, 4000)]
    plot.same_scale.setChecked(True)
    assert extents(plot) == [(400, 6000), (400, 6000)]
    plot.maps["flash"].chart.setRange(xRange=(300, 350), yRange=(5000, 5500), padding=0)
    settle(plot, qtbot)
    assert not plot.maps["flash"].is_empty, "what lies beyond the data is empty, and can be drawn"
    plot.same_scale.setChecked(False)
    assert extents(plot) == [(400, 6000), (100, 4000)]


def test_that_hover_reads_tensor_offset_access_program_and_line(plot: AccessMaps) -> None:
    text = plot.maps["flash"].describe(30, 1500)
    assert text is not None
    assert text.splitlines() == ["K + 500 B", "access 30 · program 1", "load at k.py:7"]
    assert plot.maps["flash"].describe(300, 1500) is None


def test_that_a_selected_program_is_marked_in_its_kernel_only(plot: AccessMaps) -> None:
    plot.select_program("flash", 2)
    assert plot.maps["standard"].marked_program is None
    marked = plot.maps["flash"].marked_program
    assert marked is not None
    assert (marked.left(), marked.right()) == (50, 75)
    plot.select_program("flash", None)
    assert plot.maps["flash"].marked_program is None


def test_that_a_click_picks_the_access_and_its_tensor(plot: AccessMaps) -> None:
    picked: list[tuple[Any, ...]] = []
    plot.picked.connect(lambda *args: picked.append(args))
    plot.maps["flash"].chart.clicked.emit(60.0, 2500.0)
    plot.maps["flash"].chart.clicked.emit(600.0, 2500.0)
    ((kernel, function, moment, tensor),) = picked
    assert (kernel, function, moment.program, moment.access.line, tensor) == ("flash", "k", 2, 7, "V")


def test_that_bands_are_stacked_without_gaps_in_the_order_of_the_page(plot: AccessMaps) -> None:
    bands = plot.maps["standard"].band_extents()
    assert [name for name, _, _ in bands] == list("QKVSPO")
    for (_, top, _), (_, _, bottom) in pairwise(bands):
        assert top == pytest.approx(bottom)


def test_that_a_tensor_s_band_can_be_lit(plot: AccessMaps) -> None:
    plot.select_tensor("S")
    assert [trace_map._band_mark.isVisible() for trace_map in plot.maps.values()] == [True, False]
    plot.select_tensor(None)
    assert not plot.maps["standard"]._band_mark.isVisible()


def test_that_zooming_in_draws_the_part_in_view_and_a_double_click_all_of_it(plot: AccessMaps, qtbot: Any) -> None:
    trace_map = plot.maps["standard"]
    box = trace_map.chart.getViewBox()
    box.setRange(xRange=(100, 150), yRange=(0, 600), padding=0)
    settle(plot, qtbot)
    covered = trace_map._detail.mapRectToParent(trace_map._detail.boundingRect())
    assert (covered.left(), covered.right(), covered.top(), covered.bottom()) == pytest.approx((100, 150, 0, 600))
    centre = trace_map.chart.mapFromScene(box.mapViewToScene(QPointF(125, 300)))
    qtbot.mouseDClick(trace_map.chart.viewport(), Qt.MouseButton.LeftButton, pos=centre)
    assert box.viewRange() == [[0, 400], [0, 6000]]
    settle(plot, qtbot)


def test_that_a_trace_that_comes_again_keeps_the_zoom_and_another_one_does_not(plot: AccessMaps, qtbot: Any) -> None:
    box = plot.maps["standard"].chart.getViewBox()
    box.setRange(xRange=(100, 150), yRange=(0, 600), padding=0)
    show(plot, qtbot, {"standard": trace(400, "QKSPVO"), "flash": trace(100, "QKVO")})
    assert box.viewRange() == [[100, 150], [0, 600]]
    show(plot, qtbot, {"standard": trace(400, "QKSPVO"), "flash": trace(104, "QKVO")})
    assert box.viewRange() == [[0, 400], [0, 6000]]


def test_that_a_kernel_that_is_no_longer_there_has_no_say_in_the_scale(plot: AccessMaps, qtbot: Any) -> None:
    plot.same_scale.setChecked(True)
    show(plot, qtbot, {"flash": trace(100, "QKVO")})
    assert plot.maps["flash"].chart.getViewBox().viewRange() == [[0, 100], [0, 4000]]
    assert not plot.maps["standard"].isVisible()


def test_that_a_trace_that_cannot_be_read_says_so(plot: AccessMaps, qtbot: Any) -> None:
    show(plot, qtbot, {"flash": EncodedTrace(({"row": "nonsense"},), {})})
    assert plot.is_empty
    assert "damaged" in plot.empty_sentence
