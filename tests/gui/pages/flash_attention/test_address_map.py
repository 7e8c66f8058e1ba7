"""Address over time, two kernels side by side."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PySide6.QtCore import Qt

from gui.pages.flash_attention import address_pane
from gui.pages.flash_attention.address_map import AddressMap
from gui.pages.flash_attention.raster import AddressRaster, Band


def raster(accesses: float, tensors: str, size: int = 1000) -> AddressRaster:
    bands = tuple(Band(t, i * size, (i + 1) * size - 1) for i, t in enumerate(tensors))
    reads = np.arange(60 * 80, dtype=np.uint32).reshape(60, 80) % 3
    writes = np.zeros_like(reads)
    writes[50:, :] = 2
    return AddressRaster("T", reads, writes, bands, accesses, size * len(tensors), np.linspace(0, accesses, 5))


@pytest.fixture
def plot(qtbot: Any) -> AddressMap:
    made = AddressMap()
    qtbot.addWidget(made)
    made.resize(600, 300)
    made.set_rasters([("standard", raster(400, "QKVSPO")), ("flash", raster(100, "QKVO"))])
    made.show()
    return made


def test_that_nothing_traced_asks_for_a_run(plot: AddressMap) -> None:
    plot.set_rasters([])
    assert plot.is_empty
    assert "Run" in plot.empty_sentence


def test_that_each_pane_has_its_own_extent_until_one_scale_is_asked_for(plot: AddressMap) -> None:
    def extents() -> list[tuple[float, float]]:
        ranges = [pane.chart.getViewBox().viewRange() for pane in plot.panes]
        return [(round(x[1], 3), round(y[1], 3)) for x, y in ranges]

    assert extents() == [(400, 6000), (100, 4000)]
    plot.same_scale.setChecked(True)
    assert extents() == [(400, 6000), (400, 6000)]
    plot.same_scale.setChecked(False)
    assert extents() == [(400, 6000), (100, 4000)]


def test_that_hover_reads_tensor_offset_access_program_and_counts(plot: AddressMap) -> None:
    text = plot.panes[1].describe(30, 1500)
    assert text is not None
    assert text.splitlines()[:2] == ["K + 500 B", "access 30 · program 1"]
    assert "reads" in text
    assert plot.panes[1].describe(300, 1500) is None


def test_that_a_selected_program_is_marked_in_its_kernel_only(plot: AddressMap) -> None:
    plot.select_program("flash", 2)
    standard, flash = plot.panes
    assert standard.marked_program is None
    marked = flash.marked_program
    assert marked is not None
    assert (marked.left(), marked.right()) == (50, 75)
    plot.select_program("flash", None)
    assert flash.marked_program is None


def test_that_a_click_picks_program_and_tensor(plot: AddressMap) -> None:
    picked: list[tuple[Any, ...]] = []
    plot.program_picked.connect(lambda *args: picked.append(args))
    plot.tensor_picked.connect(lambda *args: picked.append(args))
    plot.panes[1].chart.clicked.emit(60.0, 2500.0)
    plot.panes[1].chart.clicked.emit(600.0, 2500.0)
    assert picked == [("flash", 2), ("V",)]


def test_that_bands_are_stacked_without_gaps(plot: AddressMap) -> None:
    labels = plot.panes[0].band_labels()
    assert [band.tensor for band, _, _ in labels] == list("QKVSPO")
    for (_, top, _), (_, _, bottom) in pairwise(labels):
        assert top == pytest.approx(bottom)


def test_that_a_tensor_s_band_can_be_lit(plot: AddressMap) -> None:
    plot.select_tensor("S")
    assert [pane._band.isVisible() for pane in plot.panes] == [True, False]
    plot.select_tensor(None)
    assert not plot.panes[0]._band.isVisible()


def test_that_zooming_in_draws_the_part_in_view_and_a_double_click_all_of_it(plot: AddressMap, qtbot: Any) -> None:
    chart = plot.panes[0].chart
    chart.getViewBox().setRange(xRange=(100, 150), yRange=(0, 600), padding=0)
    qtbot.waitUntil(lambda: plot.panes[0]._image.image.shape[:2] == (6, 10))
    qtbot.mouseDClick(chart.viewport(), Qt.MouseButton.LeftButton, pos=chart.viewport().rect().center())
    assert chart.getViewBox().viewRange() == [[0, 400], [0, 6000]]


def test_that_each_pane_draws_once_however_often_it_is_moved(
    plot: AddressMap, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    qtbot.waitUntil(lambda: not plot._drawing.isActive())
    picture = Mock(wraps=address_pane.picture)
    monkeypatch.setattr(address_pane, "picture", picture)
    plot.set_rasters([("standard", raster(200, "QKVSPO")), ("flash", raster(50, "QKVO"))])
    plot.same_scale.setChecked(True)
    assert not picture.called
    qtbot.waitUntil(lambda: not plot._drawing.isActive())
    assert [call.args[0].accesses for call in picture.call_args_list] == [200, 50]


def test_that_a_map_that_comes_again_keeps_zoom_and_picture(plot: AddressMap, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not plot._drawing.isActive())
    box = plot.panes[0].chart.getViewBox()
    box.setRange(xRange=(100, 150), yRange=(0, 600), padding=0)
    plot.set_rasters([("standard", raster(400, "QKVSPO")), ("flash", raster(100, "QKVO"))])
    assert box.viewRange() == [[100, 150], [0, 600]]
    plot.set_rasters([("standard", raster(400, "QKVSPO")), ("flash", raster(101, "QKVO"))])
    assert box.viewRange() == [[0, 400], [0, 6000]]


def test_that_a_kernel_that_is_no_longer_there_has_no_say_in_the_scale(plot: AddressMap) -> None:
    plot.same_scale.setChecked(True)
    plot.set_rasters([("flash", raster(100, "QKVO"))])
    assert plot.panes[0].chart.getViewBox().viewRange() == [[0, 100], [0, 4000]]
    assert not plot.panes[1].isVisible()
