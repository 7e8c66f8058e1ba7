"""Chips and text: every edit of the one is in the other, with the mouse and from the keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from core.masks import parse
from gui.pages.masks.chip_layout import Kind, pieces, placed
from gui.pages.masks.mask_composer import MaskComposer

TEXT = "causal & (window(4) | ~prefix(2)) & ~padding"


@pytest.fixture
def composer(qtbot: Any) -> MaskComposer:
    widget = MaskComposer()
    qtbot.addWidget(widget)
    widget.resize(1000, 90)
    widget.show()
    widget.show_mask(parse(TEXT))
    widget.show_expression(TEXT)
    widget.chips.setFocus()
    return widget


def press(composer: MaskComposer, *keys: Qt.Key, control: bool = False) -> str:
    """The text after some keys on the chips."""
    modifier = Qt.KeyboardModifier.ControlModifier if control else Qt.KeyboardModifier.NoModifier
    for key in keys:
        QTest.keyClick(composer.chips, key, modifier)
    return composer.line.text()


def middle(composer: MaskComposer, index: int) -> QPoint:
    return composer.chips._box(composer.chips._row[index]).center().toPoint()


def test_that_a_mask_is_a_row_of_pieces_that_wraps() -> None:
    row = pieces(parse(TEXT))
    assert [piece.text for piece in row] == [
        "causal", "and", "(", "window(4)", "or", "not prefix(2)", ")", "and", "not padding"
    ]  # fmt: skip
    _, lines = placed(row, lambda _: 50.0, 160.0, 5.0)
    assert lines == 3
    assert pieces(parse("~(causal | padding)"))[0].kind is Kind.OPEN


def test_that_arrows_walk_and_with_control_move(composer: MaskComposer) -> None:
    press(composer, Qt.Key.Key_Right)
    assert composer.chips.current is not None
    assert composer.chips.current.kind is Kind.OPERATOR
    press(composer, Qt.Key.Key_Home)
    assert press(composer, Qt.Key.Key_Right, control=True) == "(window(4) | ~prefix(2)) & causal & ~padding"
    assert composer.chips.current.text == "causal"
    assert press(composer, Qt.Key.Key_Left, control=True) == TEXT


def test_that_keys_remove_negate_switch_group_and_ungroup(composer: MaskComposer) -> None:
    assert press(composer, Qt.Key.Key_N).startswith("~causal &")
    assert press(composer, Qt.Key.Key_N) == TEXT
    press(composer, Qt.Key.Key_Right, Qt.Key.Key_Right)
    assert press(composer, Qt.Key.Key_U) == "causal & window(4) & ~prefix(2) & ~padding"
    press(composer, Qt.Key.Key_Home)
    assert press(composer, Qt.Key.Key_G) == "(causal | window(4)) & ~prefix(2) & ~padding"
    press(composer, Qt.Key.Key_End)
    assert press(composer, Qt.Key.Key_Delete) == "(causal | window(4)) & ~prefix(2)"
    press(composer, Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_Right)
    assert press(composer, Qt.Key.Key_Space) == "(causal & window(4)) & ~prefix(2)"


def test_that_removing_everything_leaves_a_mask_that_hides_nothing(composer: MaskComposer) -> None:
    for _ in range(8):
        press(composer, Qt.Key.Key_Home, Qt.Key.Key_Delete)
    assert composer.line.text() == "all"


def test_that_enter_edits_a_term_in_its_place(composer: MaskComposer, qtbot: Any) -> None:
    press(composer, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Return)
    assert composer.chips.editor.isVisible()
    composer.chips.editor.setText("windw(9)")
    QTest.keyClick(composer.chips.editor, Qt.Key.Key_Return)
    assert "did you mean window" in composer.message
    assert composer.line.text() == TEXT
    composer.chips.editor.setText("window(9)")
    QTest.keyClick(composer.chips.editor, Qt.Key.Key_Return)
    assert composer.line.text() == TEXT.replace("4", "9")
    assert composer.message == ""
    assert composer.chips.editor.isHidden()


def test_that_escape_leaves_the_term_as_it_was(composer: MaskComposer) -> None:
    press(composer, Qt.Key.Key_Return)
    composer.chips.editor.setText("none")
    QTest.keyClick(composer.chips.editor, Qt.Key.Key_Escape)
    assert composer.chips.editor.isHidden()
    assert composer.line.text() == TEXT


def test_that_a_chip_is_dragged_to_another_place(composer: MaskComposer) -> None:
    chips = composer.chips
    start, end = middle(composer, 0), middle(composer, 8) + QPoint(40, 0)
    QTest.mousePress(chips, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(chips, start + QPoint(20, 0))
    QTest.mouseMove(chips, end)
    assert not chips.grab().isNull()
    QTest.mouseRelease(chips, Qt.MouseButton.LeftButton, pos=end)
    assert composer.line.text() == "(window(4) | ~prefix(2)) & ~padding & causal"


def test_that_a_click_on_an_operator_switches_it(composer: MaskComposer) -> None:
    QTest.mouseClick(composer.chips, Qt.MouseButton.LeftButton, pos=middle(composer, 4))
    assert composer.line.text() == "causal & (window(4) & ~prefix(2)) & ~padding"


def test_that_a_term_is_added_from_the_menu(composer: MaskComposer) -> None:
    names = [action.text().split()[0] for action in composer.add_button.menu().actions()]
    assert "documents" in names
    composer.add_button.menu().actions()[names.index("documents")].trigger()
    assert composer.line.text() == f"{TEXT} & documents"


def test_that_only_what_a_person_does_is_announced(composer: MaskComposer, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(composer.expression_edited, wait=1):
        composer.show_mask(parse("causal"))
        composer.show_expression("causal")
        composer.show_warnings(["Everything is masked."], warning=True)
        composer.show_problem("No.")
    assert composer.message == "No."
    composer.show_problem("")
    assert composer.message == "Everything is masked."
    with qtbot.waitSignal(composer.expression_edited):
        QTest.keyClicks(composer.line, " ")
