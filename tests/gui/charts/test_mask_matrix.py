"""A mask as a matrix: exact at every zoom, reads out cell and reason, axis labels aligned, never the whole at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from core.masks import Layout, parse, rasterise, row_counts, tile_classes, visible_matrix
from gui.charts.mask_matrix import MaskMatrix
from gui.charts.mask_picture import MatrixColours, MatrixSource, binned_rows, label_step, paint, window

COLOURS = MatrixColours((0, 0, 250), (200, 0, 200), (60, 0, 60), (10, 10, 10))


def source(text: str = "causal", rows: int = 64, cols: int | None = None, block: int = 16) -> MatrixSource:
    mask, layout = parse(text), Layout.of(rows, cols)
    return MatrixSource(
        rows=layout.query_len,
        cols=layout.key_len,
        raster=lambda r, c, width, height: rasterise(mask, layout, r, c, width, height),
        row_counts=row_counts(mask, layout),
        classes=tile_classes(mask, layout, block, block),
        block_q=block,
        block_kv=block,
        row_labels=[f"q{i}" for i in range(layout.query_len)],
        col_labels=[f"k{j}" for j in range(layout.key_len)],
        explain=lambda row, col: f"because of {row}, {col}",
    )


@pytest.fixture
def matrix(qtbot: Any) -> MaskMatrix:
    widget = MaskMatrix()
    qtbot.addWidget(widget)
    widget.resize(620, 460)
    widget.set_source(source())
    widget.show()
    return widget


@pytest.mark.parametrize(("rows", "cols"), [(64, 64), (63, 41), (1, 1), (1, 200)])
def test_that_each_cell_has_the_colour_of_its_tile_and_of_what_it_is(rows: int, cols: int) -> None:
    text = "causal | prefix(3)"
    mask_source = source(text, rows, cols)
    image = paint(mask_source, (0, rows), (0, cols), (rows, cols), COLOURS).image
    cells = visible_matrix(parse(text), Layout.of(rows, cols))
    for row, col in np.ndindex(rows, cols):
        kind = mask_source.classes[row // 16, col // 16]
        expected = {0: COLOURS.empty, 1: COLOURS.full, 2: COLOURS.partial if cells[row, col] else COLOURS.wasted}[
            int(kind)
        ]
        assert tuple(image[row, col]) == expected


def test_that_a_pixel_of_many_cells_is_their_share() -> None:
    mask_source = source("causal", 8192, block=128)
    image = paint(mask_source, (0, 8192), (0, 8192), (256, 256), COLOURS).image
    assert image.shape == (256, 256, 3)
    assert tuple(image[200, 10]) == COLOURS.full
    assert tuple(image[10, 200]) == COLOURS.empty
    share = np.tril(np.ones((32, 32))).mean()
    assert image[9, 9, 0] == pytest.approx(COLOURS.wasted[0] + share * (COLOURS.partial[0] - COLOURS.wasted[0]), abs=1)


def test_that_the_window_holds_whole_cells_within_the_matrix() -> None:
    assert window(source(), (3.2, 9.1), (-5.0, 900.0)) == ((0, 64), (3, 10))
    assert window(source(), (70.0, 90.0), (0.0, 0.5)) == ((0, 1), (63, 64))


def test_that_bars_average_the_rows_that_share_a_pixel() -> None:
    edges, means = binned_rows(np.arange(10), (2, 10), 4)
    assert edges.tolist() == [2, 4, 6, 8, 10]
    assert means.tolist() == [2.5, 4.5, 6.5, 8.5]
    assert binned_rows(np.arange(3), (0, 3), 100)[1].tolist() == [0, 1, 2]
    assert label_step(64, 384, 12) == 2


def test_that_hovering_reads_out_tokens_reason_and_tile(matrix: MaskMatrix) -> None:
    text = matrix.describe(40.5, 3.2)
    assert text is not None
    assert text.splitlines() == ["query 3 'q3' → key 40 'k40'", "because of 3, 40", "tile (0, 2): empty, skipped"]
    assert matrix.describe(64.0, 0.0) is None
    box = matrix.chart.getViewBox().sceneBoundingRect()
    read_out = matrix.row_counts.describe(box.top() + box.height() * 3.5 / 64)
    assert read_out == "query 3 'q3'\nsees 4 of 64 keys"


def test_that_a_row_that_sees_nothing_says_what_comes_out(matrix: MaskMatrix) -> None:
    matrix.set_source(source("none"))
    assert "zeros" in (matrix.row_counts.describe(matrix.row_counts.height() / 2) or "")


def test_that_a_click_picks_the_cell_under_it(matrix: MaskMatrix, qtbot: Any) -> None:
    box = matrix.chart.getViewBox().sceneBoundingRect()
    point = QPoint(int(box.left() + box.width() * 20.5 / 64), int(box.top() + box.height() * 40.5 / 64))
    with qtbot.waitSignal(matrix.cell_picked) as picked:
        QTest.mouseClick(matrix.chart.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert picked.args == [40, 20]


def test_that_marks_outside_the_matrix_are_not_drawn(matrix: MaskMatrix) -> None:
    matrix.select_cell(3, 4)
    assert matrix.cell == (3, 4)
    matrix.select_cell(3, 400)
    assert matrix.cell == (3, -1)
    matrix.select_cell(64, 1)
    assert matrix.cell is None
    matrix.select_tile(9, 9)
    matrix.set_source(None)
    assert matrix.is_empty


def test_that_a_large_mask_is_drawn_beside_the_gui_thread_and_asks_for_what_is_in_view(
    matrix: MaskMatrix, qtbot: Any
) -> None:
    requests: list[tuple[tuple[int, int], tuple[int, int]]] = []
    large = source("causal & window(512)", 8192, block=128)
    raster = large.raster

    def watched(rows: tuple[int, int], cols: tuple[int, int], width: int, height: int) -> np.ndarray:
        requests.append((rows, cols))
        return raster(rows, cols, width, height)

    object.__setattr__(large, "raster", watched)
    matrix.set_source(large)
    qtbot.waitUntil(lambda: matrix.idle and bool(requests))
    assert requests[-1] == ((0, 8192), (0, 8192))
    matrix.zoom_to(5000, 4900, 20)
    qtbot.waitUntil(lambda: matrix.idle and requests[-1][0][1] - requests[-1][0][0] <= 22)
    assert requests[-1][1][0] >= 4889
    assert matrix.describe(4900.5, 5000.5) is not None
    assert not matrix.grab().isNull()


@pytest.mark.parametrize("text", ["causal", "window(5) | prefix(3)", "causal & !prefix(2)"])
def test_that_data_name_the_keys_that_each_query_sees(matrix: MaskMatrix, text: str, qtbot: Any) -> None:
    matrix.set_source(source(text, 40, 33))
    table = matrix.data_table()
    assert table is not None
    cells = visible_matrix(parse(text), Layout.of(40, 33))
    for (query, token, count, keys), row in zip(table.rows, cells, strict=True):
        spans = [tuple(map(int, span.split("-"))) for span in str(keys).split(", ") if span]
        seen = [key for span in spans for key in range(span[0], span[-1] + 1)]
        assert seen == np.flatnonzero(row).tolist()
        assert (token, count) == (f"q{query}", len(seen))
    qtbot.waitUntil(lambda: matrix.idle)


def test_that_data_of_a_long_mask_count_the_keys(matrix: MaskMatrix, qtbot: Any) -> None:
    matrix.set_source(source("causal", 2048, block=128))
    table = matrix.data_table()
    assert table is not None
    assert table.columns == ("query", "token", "visible_keys")
    assert [row[2] for row in table.rows] == list(range(1, 2049))
    qtbot.waitUntil(lambda: matrix.idle)
