from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint

from core.trace.heatmap import TensorHeatmap
from gui.pages.kernel_lab.tensor_heatmap import HeatmapView


@pytest.fixture
def heatmap(qtbot: Any) -> HeatmapView:
    heatmap = HeatmapView()
    qtbot.addWidget(heatmap)
    heatmap.resize(400, 260)
    heatmap.show()
    heatmap.set_tensors([("a", "4 × 8 float32"), ("b", "16 float32")])
    reads, writes = np.arange(32.0).reshape(4, 8), np.zeros((4, 8))
    heatmap.set_heatmap(TensorHeatmap(reads, writes, 4, 8), "#3366cc")
    return heatmap


def test_that_untouched_elements_are_clear_and_the_busiest_brightest(heatmap: HeatmapView) -> None:
    image = heatmap._image.image
    assert image[0, 0, 3] == 0
    assert (image[..., 3].reshape(-1)[1:] == 255).all()
    heatmap.choose_way("writes")
    assert not heatmap._image.image[..., 3].any()


def test_that_a_single_touched_row_of_many_is_drawn(heatmap: HeatmapView) -> None:
    reads = np.zeros((512, 512))
    reads[137] = 1
    heatmap.set_heatmap(TensorHeatmap(reads, reads * 0, 512, 512), "#3366cc")
    drawn = heatmap._image.image
    assert drawn.shape[0] < 512
    assert (drawn[..., 3] > 0).all(axis=1).sum() == 1


def test_that_cells_of_uneven_size_are_counted_per_element(heatmap: HeatmapView) -> None:
    reads = np.array([[3.0, 2.0]])
    heatmap.set_heatmap(TensorHeatmap(reads, reads * 0, 1, 5), "#3366cc")
    colours = {tuple(pixel) for pixel in heatmap._image.image.reshape(-1, 4)}
    assert len(colours) == 1


def test_that_choosing_a_tensor_or_program_asks_for_its_counts(heatmap: HeatmapView, qtbot: Any) -> None:
    requests: list[str] = []
    heatmap.heat_requested.connect(lambda: requests.append(heatmap.tensor))
    with qtbot.waitSignal(heatmap.tensor_picked) as caught:
        heatmap.tensor_combo.setCurrentIndex(1)
    assert caught.args == ["b"]
    assert requests == ["b"]
    heatmap.select_tensor("b")
    assert requests == ["b"]
    heatmap.select_tensor("a")
    heatmap.select_tensor("nothing of the kind")
    assert requests == ["b", "a"]
    heatmap.select_program(3)
    heatmap.only_button.click()
    assert heatmap.only_picked
    heatmap.select_program(4)
    heatmap.select_program(None)
    assert not heatmap.only_picked
    assert requests == ["b", "a", "a", "a", "a"]


def test_that_the_read_out_says_which_element_and_how_often(heatmap: HeatmapView) -> None:
    assert heatmap.describe(2.5, 1.5) == "a[1, 2]\n10 reads, 0 writes"
    assert heatmap.describe(9, 1) is None


def test_that_its_data_has_a_row_for_each_cell_that_is_accessed(heatmap: HeatmapView) -> None:
    table = heatmap.data_table()
    assert table.columns == ("tensor", "row", "column", "reads", "writes")
    assert len(table.rows) == 31, "element 0 is read 0 times"
    assert table.rows[9] == ("a", 1, 2, 10, 0)


def test_that_nothing_in_its_bar_overlaps_in_a_narrow_card(heatmap: HeatmapView) -> None:
    heatmap.set_tensors([("weight_ptr", "4 × 8 float32")])
    heatmap.select_program(123)
    heatmap.resize(250, 200)
    widgets = (heatmap.tensor_combo, *heatmap.way_buttons.values())
    places = [(widget.mapTo(heatmap, QPoint()).x(), widget.width()) for widget in widgets]
    assert all(left + width <= after for (left, width), (after, _) in pairwise(places))
    for widget in (*widgets, heatmap.only_button):  # which is in the row below
        assert widget.mapTo(heatmap, QPoint()).x() + widget.width() <= heatmap.width()
    assert heatmap.tensor == "weight_ptr"
