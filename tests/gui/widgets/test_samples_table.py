"""Samples: right and wrong are told apart, a variant is chosen from either side, and the user's row stays."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontMetrics
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gui import theme
from gui.widgets.samples_table import BEFORE, RIGHT, UNKNOWN, WRONG, Sample, SamplesTable, Variant

VARIANTS = (Variant("before", "Before", "before"), Variant("lora", "LoRA", "LoRA"), Variant("full", "Full", "full"))
SAMPLES = (
    Sample("Ann, Education, Oxford", "Ann studied at Oxford.", {"before": "Ann", "lora": " Ann studied at Oxford. "}),
    Sample("Bob, Town, Ely", "Bob lives in Ely.", {"before": "", "lora": "Bob lives in Rye.", "full": None}, "unseen"),
)


@pytest.fixture
def table(qtbot: Any) -> SamplesTable:
    made = SamplesTable("Samples appear here after a run.")
    qtbot.addWidget(made)
    made.resize(620, 240)
    made.set_samples(VARIANTS, SAMPLES, "lora")
    made.show()
    return made


def text(table: SamplesTable, row: int, column: int) -> str:
    return str(table.model.index(row, column).data())


def test_that_without_samples_there_is_one_sentence(table: SamplesTable) -> None:
    assert not table.is_empty
    table.set_samples(VARIANTS, ())
    assert table.is_empty


def test_that_an_answer_is_right_only_where_it_is_the_expected_one() -> None:
    assert [SAMPLES[0].mark(key) for key in ("before", "lora", "full")] == [WRONG, RIGHT, UNKNOWN]
    assert [SAMPLES[1].mark(key) for key in ("before", "lora", "full")] == [WRONG, WRONG, UNKNOWN]


def test_that_the_chosen_variants_answers_stand_in_full_and_its_colour_says_right_or_wrong(
    table: SamplesTable,
) -> None:
    assert [table.model.headerData(column, Qt.Orientation.Horizontal) for column in range(4)] == [
        "Prompt", "Expected", "Before", "LoRA",
    ]  # fmt: skip
    assert text(table, 0, 3) == "Ann studied at Oxford."
    assert text(table, 1, 2) == "(nothing)"
    foreground = table.model.index(0, 3).data(Qt.ItemDataRole.ForegroundRole)
    assert foreground == QColor(theme.current().good)
    assert table.model.index(1, 3).data(Qt.ItemDataRole.ForegroundRole) == QColor(theme.current().bad)
    assert [text(table, 1, column) for column in (4, 5, 6)] == [WRONG, WRONG, UNKNOWN]


def test_that_choosing_from_outside_emits_nothing_and_an_unknown_one_changes_nothing(
    table: SamplesTable, qtbot: Any
) -> None:
    with qtbot.assertNotEmitted(table.variant_picked), qtbot.assertNotEmitted(table.row_picked):
        table.select_row(1)
        table.choose("full")
        table.choose("nobody")
    assert table.chosen == "full"
    assert text(table, 1, 3) == "—"
    table.choose("before")
    assert table.model.texts == 3


def test_that_a_click_on_a_mark_picks_its_variant_and_its_row(table: SamplesTable, qtbot: Any) -> None:
    place = table.view.visualRect(table.model.index(1, 6)).center()
    with qtbot.waitSignal(table.variant_picked) as variant, qtbot.waitSignal(table.row_picked) as row:
        QTest.mouseClick(table.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert (variant.args, row.args) == (["full"], [1])


def test_that_the_keyboard_walks_rows_and_picks_a_variant(table: SamplesTable, qtbot: Any) -> None:
    table.select_row(0)
    table.view.setFocus()
    with qtbot.waitSignal(table.row_picked) as caught:
        qtbot.keyClick(table.view, Qt.Key.Key_Down)
    assert caught.args == [1]
    table.view.setCurrentIndex(table.model.index(1, 5))
    with qtbot.waitSignal(table.variant_picked) as caught:
        qtbot.keyClick(table.view, Qt.Key.Key_Return)
    assert caught.args == ["lora"]


def test_that_new_answers_keep_the_row_and_the_choice(table: SamplesTable, qtbot: Any) -> None:
    table.select_row(1)
    more = (*SAMPLES[:1], Sample("Bob, Town, Ely", "Bob lives in Ely.", {"lora": "Bob lives in Ely."}))
    with qtbot.assertNotEmitted(table.row_picked):
        table.set_samples(VARIANTS, more)
    assert table.view.currentIndex().row() == 1
    assert table.chosen == "lora"
    assert text(table, 1, 5) == RIGHT


def test_that_rows_are_high_enough_for_three_lines_and_not_for_an_endless_answer(table: SamplesTable) -> None:
    short, long = Sample("Ann", "Yes.", {}), Sample("Ann", "word " * 80, {})
    table.set_samples(VARIANTS, (short, long, Sample("Ann", "word " * 800, {})))
    heights = [table.view.rowHeight(row) for row in range(3)]
    assert heights[1] > 2 * heights[0]
    assert heights[2] == heights[1]
    assert table.model.index(1, 0).data(Qt.ItemDataRole.ToolTipRole).count("word") == 80


def test_that_a_narrow_table_leaves_out_the_answers_from_before(table: SamplesTable, qtbot: Any) -> None:
    assert not table.view.isColumnHidden(2)
    table.resize(360, 240)
    qtbot.waitUntil(lambda: table.view.isColumnHidden(2))
    assert table.view.columnWidth(0) > 60
    table.choose("before")
    assert not table.view.isColumnHidden(2)
    table.choose("lora")
    table.resize(900, 240)
    qtbot.waitUntil(lambda: not table.view.isColumnHidden(2))


def test_that_the_read_out_says_everything(table: SamplesTable) -> None:
    tip = table.model.index(1, 5).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == "unseen\nprompt: Bob, Town, Ely\nexpected: Bob lives in Ely.\nLoRA, wrong: Bob lives in Rye."
    assert "1 of 2 right" in table.model.headerData(3, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)


def test_that_it_follows_the_theme(table: SamplesTable, qapp: QApplication) -> None:
    dark = table.grab().toImage()
    theme.apply(qapp, "light")
    assert table.grab().toImage() != dark
    theme.apply(qapp, "dark")


def test_that_heads_of_marks_are_names_where_there_is_room_and_brief_where_there_is_not(
    table: SamplesTable, qtbot: Any
) -> None:
    def heads() -> list[str]:
        return [table.model.headerData(column, Qt.Orientation.Horizontal) for column in range(4, 4 + len(variants))]

    variants = (BEFORE, *(Variant(name, name, f"Method {name}", name) for name in "1234"))
    table.set_samples(variants, SAMPLES, "1")
    table.resize(900, 240)
    qtbot.waitUntil(lambda: heads() == ["Before", "Method 1", "Method 2", "Method 3", "Method 4"])
    table.resize(460, 240)
    qtbot.waitUntil(lambda: heads() == ["0", "1", "2", "3", "4"])
    assert table.model.headerData(5, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole).startswith("1: ")


def test_that_the_answer_from_before_is_explained_in_its_read_outs_only(table: SamplesTable) -> None:
    table.set_samples((BEFORE, *VARIANTS[1:]), SAMPLES, "lora")
    for column, is_before in ((2, True), (3, False), (4, True), (5, False)):
        head = table.model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
        cell = table.model.index(0, column).data(Qt.ItemDataRole.ToolTipRole)
        assert (str(BEFORE.about) in head) == (str(BEFORE.about) in cell) == is_before


def test_that_a_heading_is_whole_where_the_others_have_room_to_give(table: SamplesTable) -> None:
    long = "A method of a long name"
    table.set_samples((*VARIANTS[:1], Variant("long", long, "7")), SAMPLES, "long")
    table.resize(500, 240)
    header = table.view.horizontalHeader()
    (column,) = (c for c in range(4) if table.model.headerData(c, Qt.Orientation.Horizontal) == long)
    assert header.sectionSize(column) > QFontMetrics(theme.ui_font("body", bold=True)).horizontalAdvance(long)
    assert header.length() <= table.view.viewport().width()
    table.resize(300, 240)
    assert header.length() <= table.view.viewport().width(), "where there is none, each has its share"
