"""The aligned rows: every token is in its line, is read out, picked, walked to, and shows what it sees."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest

from core.masks import Causal
from gui import theme
from gui.pages.dialogue.rows_view import BY_TURN, RowsView
from gui.pages.dialogue.token_lines import wrapped_in_lines
from gui.pages.dialogue.token_painting import GUTTER_PX
from gui.pages.dialogue.token_rows import TokenRows
from gui.pages.dialogue.token_source import Sight, visible_token
from gui.pages.dialogue.tracks import HEIGHT_PX, Track
from tests.gui.pages.dialogue.example_rows import SMALL_TALK, example_rows

WIDTH_PX, HEIGHT = 520, 260


@pytest.fixture
def rows(qtbot: Any) -> TokenRows:
    widget = TokenRows()
    qtbot.addWidget(widget)
    widget.resize(WIDTH_PX, HEIGHT)
    widget.set_tracks([Track.SEES, Track.SEEN_BY, Track.LOSS])
    widget.set_source(example_rows(SMALL_TALK * 4))
    widget.show()
    return widget


def centre(rows: TokenRows, token: int, track: Track = Track.TEXT) -> QPoint:
    """The middle of a token's cell in the viewport."""
    line = rows.lines.line_of(token)
    x = GUTTER_PX + rows.lines.left[token] + rows.lines.width[token] / 2
    y = 3 + line * rows.tracks.line_px + rows.tracks.top[track] + HEIGHT_PX[track] / 2
    return QPoint(round(x), round(y) - rows.area.verticalScrollBar().value())


def test_that_lines_are_as_full_as_they_can_be() -> None:
    widths = np.array([30.0, 30, 50, 10, 10, 200, 10])
    lines = wrapped_in_lines(widths, 100)
    assert lines.starts.tolist() == [0, 2, 5, 6, 7]
    assert lines.left.tolist() == [0, 30, 0, 50, 60, 0, 0]
    assert lines.width[5] == 100  # as wide as a line, and not wider
    for line in range(len(lines)):
        for cell in lines.cells_of(line):
            assert lines.line_of(cell) == line
            assert lines.at(line, lines.left[cell] + 0.5) == cell
    assert lines.at(0, 60.5) == lines.at(0, -1.0) == lines.at(9, 5) == -1


def test_that_a_line_begins_where_it_must() -> None:
    lines = wrapped_in_lines(np.full(6, 10.0), 25, np.array([1, 2, 5]))
    assert lines.starts.tolist() == [0, 1, 2, 4, 5, 6]


def test_that_up_and_down_go_to_the_nearest_cell() -> None:
    lines = wrapped_in_lines(np.array([40.0, 40, 20, 60, 20, 80]), 100)
    assert lines.above_or_below(1, 1) == 4
    assert lines.above_or_below(4, -1) == 1
    assert lines.above_or_below(0, -1) == 0


def test_that_every_token_is_in_one_line_in_order(rows: TokenRows) -> None:
    source = rows.source
    assert source is not None
    assert [cell for line in range(len(rows.lines)) for cell in rows.lines.cells_of(line)] == list(range(len(source)))
    right = rows.lines.left + rows.lines.width
    assert right.max() <= rows.area.room
    for line in range(len(rows.lines)):
        for one, other in pairwise(rows.lines.cells_of(line)):
            assert right[one] == pytest.approx(rows.lines.left[other])


def test_that_a_wider_window_has_fewer_lines(rows: TokenRows, qtbot: Any) -> None:
    before = len(rows.lines)
    rows.resize(2 * WIDTH_PX, HEIGHT)
    qtbot.waitUntil(lambda: len(rows.lines) < before)


def test_that_the_first_line_in_view_stays_when_lines_get_higher(rows: TokenRows) -> None:
    bar = rows.area.verticalScrollBar()
    bar.setValue(2 * rows.tracks.line_px)
    rows.set_tracks([Track.SEES, Track.SEEN_BY, Track.LOSS, Track.ID])
    assert bar.value() == 2 * rows.tracks.line_px
    rows.set_tracks([])
    assert bar.value() == min(2 * rows.tracks.line_px, bar.maximum())


def test_that_white_space_and_control_characters_are_visible() -> None:
    assert visible_token(" a\tb\n") == "·a⇥b⏎"
    assert visible_token("\x1b[2J") == "\\x1b[2J"
    assert "\u202e" not in visible_token("\u202eabc")
    assert len(visible_token("x" * 5000)) <= 48


def test_that_tokens_of_one_character_are_numbered() -> None:
    source = example_rows((("user", "a b c"),))
    rows = replace(source.rows, start=source.rows.start.copy(), end=source.rows.end.copy())
    rows.start[2], rows.end[2] = rows.start[1], rows.end[1]
    shared = replace(source, rows=rows, texts=(*source.texts[:2], source.texts[1], *source.texts[3:]))
    assert shared.shown[1:4] == ("a₁", "a₂", "·c")


def test_that_a_click_picks_the_token_under_it_and_beside_all_none(rows: TokenRows, qtbot: Any) -> None:
    for token in (0, 7, 12):
        with qtbot.waitSignal(rows.picked) as picked:
            QTest.mouseClick(rows.area.viewport(), Qt.MouseButton.LeftButton, pos=centre(rows, token))
        assert picked.args == [token]
    with qtbot.waitSignal(rows.picked) as picked:
        QTest.mouseClick(rows.area.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(4, 10))
    assert picked.args == [-1]


def test_that_arrow_keys_walk_over_all_tokens(rows: TokenRows) -> None:
    walked: list[int] = []
    rows.picked.connect(lambda token: (walked.append(token), rows.select(token)))
    rows.select(3)
    keys = (Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_End, Qt.Key.Key_Home)
    for key in keys:
        QTest.keyClick(rows.area, key)
    below = rows.lines.above_or_below(3, 1)
    back = rows.lines.above_or_below(below, -1)
    assert walked == [4, 3, below, back, rows.lines.cells_of(0).stop - 1, 0]
    QTest.keyClick(rows.area, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
    assert walked[-1] == len(rows.source or ()) - 1
    assert rows.area.verticalScrollBar().value() == rows.area.verticalScrollBar().maximum()
    QTest.keyClick(rows.area, Qt.Key.Key_Right)
    assert walked[-1] == len(rows.source or ()) - 1
    QTest.keyClick(rows.area, Qt.Key.Key_PageUp)
    lines_up = rows.lines.line_of(walked[-2]) - rows.lines.line_of(walked[-1])
    assert lines_up == rows.area.lines_in_view


def test_that_selecting_emits_nothing_and_brings_the_token_into_view(rows: TokenRows, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(rows.picked):
        rows.select(len(rows.source or ()) - 1)
    y = centre(rows, rows.selected.token).y()
    assert 0 <= y <= rows.area.viewport().height()


def test_that_everything_about_a_token_is_read_out(rows: TokenRows) -> None:
    source = rows.source
    assert source is not None
    lost = replace(source, loss=np.arange(len(source), dtype=np.float32))
    rows.set_source(lost)
    token = 17
    assert source.is_target[token]
    text = rows.describe(token)
    assert text is not None
    assert f"id {source.rows.id[token]}" in text
    assert "assistant, message 2, position 17" in text
    assert "target, weight 1" in text
    assert "loss 17 nats" in text
    assert "put in by the template's 70–90" in text
    assert "sees 18 tokens" in text
    assert "no target" in (rows.describe(2) or "")
    assert rows.describe(-1) is rows.describe(len(source)) is None


def test_that_a_token_sees_its_own_document_up_to_itself() -> None:
    source = example_rows(SMALL_TALK, SMALL_TALK)
    half = len(source) // 2
    token = half + 3
    sight = source.sees(token)
    assert np.flatnonzero(sight == Sight.SEEN).tolist() == list(range(half, token + 1))
    assert set(sight[:half]) == {Sight.OTHER_DOCUMENT}
    assert set(sight[token + 1 :]) == {Sight.LATER}
    assert np.flatnonzero(source.seen_by(token)).tolist() == list(range(token, 2 * half))


def test_that_without_the_document_mask_a_token_sees_the_others_and_it_is_said(rows: TokenRows) -> None:
    source = replace(example_rows(SMALL_TALK, SMALL_TALK), mask=Causal())
    half = len(source) // 2
    rows.set_source(source)
    assert f"sees {half + 1} tokens, {half} of other documents" in (rows.describe(half) or "")


def pixel(rows: TokenRows, token: int, track: Track) -> QColor:
    """The colour in the upper half of a track."""
    return rows.area.viewport().grab().toImage().pixelColor(centre(rows, token, track) - QPoint(0, 2))


def test_that_targets_have_a_bar_as_high_as_their_weight(rows: TokenRows) -> None:
    good = QColor(theme.current().good)
    assert pixel(rows, 17, Track.TARGET) == good
    assert pixel(rows, 2, Track.TARGET) != good
    source = rows.source
    assert source is not None
    light = source.rows.weight.copy()
    light[17] = 0.1
    rows.set_source(replace(source, rows=replace(source.rows, weight=light)))
    assert pixel(rows, 17, Track.TARGET) != good
    assert pixel(rows, 18, Track.TARGET) == good


def test_that_the_strip_shows_what_the_selected_token_sees(rows: TokenRows) -> None:
    seen = QColor(theme.current().tiles["full"])
    rows.select(5)
    assert pixel(rows, 2, Track.SEES) == seen
    assert pixel(rows, 7, Track.SEES) != seen
    assert pixel(rows, 7, Track.SEEN_BY) == seen
    assert pixel(rows, 2, Track.SEEN_BY) != seen


def test_that_the_strip_of_another_document_has_the_colour_of_a_leak(rows: TokenRows) -> None:
    source = replace(example_rows(SMALL_TALK[:2], SMALL_TALK[:2]), mask=Causal())
    rows.set_source(source)
    rows.select(len(source) // 2)
    assert pixel(rows, 1, Track.SEES) == QColor(theme.current().bad)


def test_that_only_lines_in_view_are_painted(rows: TokenRows, monkeypatch: pytest.MonkeyPatch) -> None:
    from gui.pages.dialogue.token_painting import TokenPainter

    painted: list[int] = []
    original = TokenPainter.paint_line

    def paint_line(self: TokenPainter, painter: Any, line: int, top: float) -> None:
        painted.append(line)
        original(self, painter, line, top)

    rows.set_source(example_rows(SMALL_TALK * 200))
    monkeypatch.setattr(TokenPainter, "paint_line", paint_line)
    rows.area.verticalScrollBar().setValue(100 * rows.tracks.line_px)
    rows.area.viewport().repaint()
    assert painted
    assert len(painted) <= 2 * (HEIGHT // rows.tracks.line_px + 2)
    assert min(painted) in (99, 100)  # the first may show its gap only


def test_that_a_packed_row_shows_its_documents(rows: TokenRows) -> None:
    assert Track.SEGMENT not in rows.tracks
    rows.set_source(example_rows(SMALL_TALK, SMALL_TALK))
    assert Track.SEGMENT in rows.tracks


def test_that_nothing_to_show_is_said(rows: TokenRows) -> None:
    rows.set_source(None)
    assert rows.is_empty
    assert rows.empty_sentence


@pytest.fixture
def view(qtbot: Any) -> RowsView:
    widget = RowsView()
    qtbot.addWidget(widget)
    widget.resize(820, 300)
    widget.show()
    widget.set_source(example_rows())
    return widget


def test_that_switches_change_the_tracks(view: RowsView) -> None:
    assert Track.ID not in view.rows.tracks
    view.switches["id"].click()
    assert Track.ID in view.rows.tracks
    view.switches["attention"].click()
    assert Track.SEES not in view.rows.tracks
    before = len(view.rows.lines)
    view.switches[BY_TURN].click()
    assert len(view.rows.lines) > before


def test_that_there_is_no_track_for_losses_that_nobody_measured(view: RowsView) -> None:
    assert not view.switches["loss"].isEnabled()
    assert Track.LOSS not in view.rows.tracks
    source = example_rows()
    view.set_source(replace(source, loss=np.ones(len(source), np.float32)))
    assert view.switches["loss"].isEnabled()
    assert Track.LOSS in view.rows.tracks


def test_that_the_selected_token_is_told_below_the_rows(view: RowsView) -> None:
    view.select(17)
    assert "id" in view.facts.text()
    assert "sees 18 tokens" in view.more.text()
    view.select(-1)
    assert "Click a token" in view.facts.text()
    assert not view.more.text()


def test_that_what_is_cut_off_sees_nothing_and_is_not_seen() -> None:
    source = example_rows()
    kept = np.arange(len(source)) >= 6
    cut = replace(source, rows=replace(source.rows, kept=kept))
    assert np.flatnonzero(cut.sees(9) == Sight.SEEN).tolist() == [6, 7, 8, 9]
    assert np.flatnonzero(cut.seen_by(9)).tolist() == list(range(9, len(source)))
    assert not (cut.sees(3) == Sight.SEEN).any()
    assert not cut.seen_by(3).any()
    assert cut.layout.query_len == len(source) - 6
