"""The strip of tokens: clicks, keyboard navigation, and highlights of the output change."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from gui.pages.decoder.token_strip import StripCell, StripRow, TokenStrip

ROWS = (
    StripRow("source", "Source", tuple(StripCell(text, f"source {text}") for text in ("the", "cat", "<eos>"))),
    StripRow("target", "Target", tuple(StripCell(text, f"target {text}") for text in ("<bos>", "cat"))),
    StripRow(
        "", "Output change", (StripCell("exactly 0", "moved by 0", 0.0, short="0"), StripCell("3.7", "moved", 1.0)),
        follows="target",
    ),
)  # fmt: skip


@pytest.fixture
def strip(qtbot: Any) -> TokenStrip:
    strip = TokenStrip(hint="Click a token.")
    qtbot.addWidget(strip)
    strip.resize(700, 80)
    strip.set_rows(ROWS)
    strip.show()
    return strip


@pytest.fixture
def signals(strip: TokenStrip) -> list[tuple[str, str, int]]:
    heard: list[tuple[str, str, int]] = []
    strip.clicked.connect(lambda row, position: heard.append(("clicked", row, position)))
    strip.moved.connect(lambda row, position: heard.append(("moved", row, position)))
    return heard


def at(strip: TokenStrip, row: int, position: int) -> QPoint:
    return strip.canvas.cell_rect(row, position).center().toPoint()


def test_that_texts_are_clicked_and_what_came_out_only_leads_there(
    strip: TokenStrip, signals: list[tuple[str, str, int]]
) -> None:
    for row, position in ((0, 2), (1, 1), (2, 0)):
        QTest.mouseClick(strip.canvas, Qt.MouseButton.LeftButton, pos=at(strip, row, position))
    QTest.mouseClick(strip.canvas, Qt.MouseButton.LeftButton, pos=at(strip, 1, 2))  # beyond the target's end
    QTest.mouseClick(strip.canvas, Qt.MouseButton.LeftButton, pos=QPoint(20, at(strip, 0, 0).y()))  # a title
    assert signals == [("clicked", "source", 2), ("clicked", "target", 1), ("moved", "target", 0)]


def test_that_arrows_walk_between_texts_and_enter_clicks(
    strip: TokenStrip, signals: list[tuple[str, str, int]]
) -> None:
    keys = (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Return)
    for key in keys:
        QTest.keyClick(strip.canvas, key)
    assert [entry[2] for entry in signals[:4]] == [0, 1, 2, 2]
    assert signals[4:] == [("moved", "target", 1), ("clicked", "target", 1)]


def test_that_the_read_out_is_the_cell_s_own(strip: TokenStrip) -> None:
    QTest.mouseMove(strip.canvas, at(strip, 2, 0))
    assert strip.tip.text() == "moved by 0"
    assert strip.describe((0, 1)) == "source cat"


def test_that_lit_cells_unlike_dark_ones_are_bright(strip: TokenStrip) -> None:
    image, (dark, lit) = strip.canvas.grab().toImage(), (at(strip, 2, 0), at(strip, 2, 1))
    beside = QPoint(-int(strip.canvas.pitch / 2) + 6, 0)
    assert image.pixelColor(lit + beside).lightness() > image.pixelColor(dark + beside).lightness() + 40


def test_that_a_mark_is_drawn_on_the_token_and_below_it_and_emits_nothing(
    strip: TokenStrip, signals: list[tuple[str, str, int]]
) -> None:
    def cell(row: int, position: int) -> QImage:
        return strip.canvas.grab(strip.canvas.cell_rect(row, position).toRect()).toImage()

    places = [(row, position) for row, row_of in enumerate(ROWS) for position in range(len(row_of.cells))]
    before = {place: cell(*place) for place in places}
    strip.mark(target=1)
    changed = {place for place in places if cell(*place) != before[place]}
    assert {(1, 1), (2, 1)} <= changed
    assert not changed & {(0, 0), (0, 1), (0, 2)}
    strip.mark(target=None)
    assert {place: cell(*place) for place in places} == before
    assert not signals


def test_that_a_long_text_fits_and_each_of_its_tokens_is_found(strip: TokenStrip) -> None:
    strip.set_rows([StripRow("source", "Source", tuple(StripCell(str(index)) for index in range(131)))])
    for position in (0, 64, 130):
        centre = strip.canvas.cell_rect(0, position).center()
        assert strip.canvas.place_at(centre.x(), centre.y()) == (0, position)
        assert strip.canvas.rect().contains(centre.toPoint())
    assert not strip.grab().isNull()


def test_that_no_rows_are_a_sentence(strip: TokenStrip) -> None:
    strip.set_rows([])
    assert strip.is_empty
    strip.set_rows(ROWS[:1])
    assert not strip.is_empty
    assert strip.height() < 40
