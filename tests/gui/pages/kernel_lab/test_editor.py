from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gui.pages.kernel_lab.editor import CodeEditor, LineNotes
from gui.pages.kernel_lab.traffic_source import SourceFile, TrafficSource
from tests.gui.doubles import SOURCE

NOTES = LineNotes({2: "1 kB", 5: "2 kB"}, {2: 0.5, 5: 1.0}, {5: "A fault."})


@pytest.fixture
def editor(qtbot: Any) -> CodeEditor:
    editor = CodeEditor(SOURCE)
    qtbot.addWidget(editor)
    editor.show()
    editor.set_notes(NOTES)
    return editor


def backgrounds(editor: CodeEditor) -> dict[int, str]:
    return {
        selection.cursor.blockNumber() + 1: selection.format.background().color().name()
        for selection in editor.extraSelections()
    }


def test_that_warm_lines_faults_and_the_picked_line_are_told_apart(editor: CodeEditor) -> None:
    editor.pick(3)
    assert set(backgrounds(editor)) == {2, 3, 5}
    assert len(set(backgrounds(editor).values())) == 3


def test_that_notes_stay_with_their_lines_while_one_types(editor: CodeEditor) -> None:
    editor.pick(3)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert editor.notes.texts == {2: "1 kB", 6: "2 kB"}
    assert editor.notes.faults == {6: "A fault."}
    QTest.keyClick(editor, Qt.Key.Key_Backspace)
    assert editor.notes.texts == NOTES.texts


def test_that_a_new_line_is_indented_as_the_last_and_further_after_a_colon(qtbot: Any) -> None:
    editor = CodeEditor("")
    qtbot.addWidget(editor)
    for text in ("if a:", "b", "c"):
        QTest.keyClicks(editor, text)
        QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.keyClick(editor, Qt.Key.Key_Tab)
    assert editor.toPlainText() == "if a:\n    b\n    c\n" + " " * 8


def test_that_a_string_that_is_opened_colours_the_lines_below(qtbot: Any) -> None:
    editor = CodeEditor("x = 1\ny = 2\nz = 3\n")
    qtbot.addWidget(editor)
    editor.show()
    before = editor.document().findBlockByNumber(2).layout().formats()
    editor.textCursor().insertText('"""')
    after = editor.document().findBlockByNumber(2).layout().formats()
    assert [(f.start, f.length) for f in after] == [(0, 5)]
    assert len(before) > 1


def test_that_ctrl_s_in_the_editor_is_the_editor_s(editor: CodeEditor, qtbot: Any) -> None:
    with qtbot.waitSignal(editor.save_requested):
        QTest.keyClick(editor, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)


def test_that_a_read_only_file_takes_no_keys(qtbot: Any) -> None:
    editor = CodeEditor("x", editable=False)
    qtbot.addWidget(editor)
    QTest.keyClicks(editor, "abc")
    QTest.keyClick(editor, Qt.Key.Key_Tab)
    assert editor.toPlainText() == "x"


@pytest.fixture
def source(qtbot: Any) -> TrafficSource:
    code = TrafficSource()
    qtbot.addWidget(code)
    code.resize(600, 400)
    code.show()
    code.set_files([SourceFile("/k/a.py", SOURCE, editable=True), SourceFile("/lib/b.py", "import a\n")])
    return code


def test_that_only_the_user_s_file_can_be_edited(source: TrafficSource) -> None:
    assert source.editor is not None
    assert not source.editor.isReadOnly()
    assert source.save_button.isVisible()
    assert not source.save_button.isEnabled()
    source.bring_front("/lib/b.py")
    assert source.editor.isReadOnly()
    assert not source.save_button.isVisible()


def test_that_picking_a_line_brings_its_file_to_the_front_silently(source: TrafficSource, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(source.line_picked):
        source.pick("/lib/b.py", 1)
    assert source.front == "/lib/b.py"
    assert source.editor is not None
    assert source.editor.picked_line == 1
    source.pick(None, None)
    assert source.editor.picked_line is None


def test_that_saving_says_where_and_what(source: TrafficSource, qtbot: Any) -> None:
    assert source.editor is not None
    source.editor.insertPlainText("#")
    assert source.modified
    with qtbot.waitSignal(source.save_requested) as caught:
        source.save_button.click()
    assert caught.args == ["/k/a.py", "#" + SOURCE]
    source.mark_saved("/k/a.py", "#" + SOURCE)
    assert not source.modified
    source.editor.insertPlainText("#")
    source.revert()
    assert source.editor.toPlainText() == "#" + SOURCE


def test_that_an_edited_file_keeps_its_notes_until_it_runs_again(source: TrafficSource) -> None:
    source.set_notes({"/k/a.py": NOTES})
    assert source.editor is not None
    source.editor.insertPlainText("\n")
    source.set_notes({"/k/a.py": LineNotes({1: "other"})})
    assert source.editor.notes.texts == {3: "1 kB", 6: "2 kB"}
