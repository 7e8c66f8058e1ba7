"""The editor tells what the user changed, and shows what the form has: both directions, with mouse and keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from core.chat.messages import Conversation, Message
from core.contracts.text import tr
from gui.pages.dialogue import turn_parts
from gui.pages.dialogue.conversation_editor import ConversationEditor
from gui.pages.dialogue.turn_parts import Kind

TALK = Conversation((Message("user", "What?"), Message("assistant", "This."), Message("user", "Why?")))


class Form:
    """Keeps what the editor told, and gives it back as the page does."""

    def __init__(self, editor: ConversationEditor) -> None:
        self.told: list[tuple[Conversation, str]] = []
        self._editor = editor
        editor.edited.connect(self._take)

    def _take(self, conversation: Conversation, merged: str) -> None:
        self.told.append((conversation, merged))
        self._editor.set_conversation(conversation)

    @property
    def contents(self) -> list[str]:
        return [message.content for message in self.told[-1][0].messages]


@pytest.fixture
def editor(qtbot: Any) -> ConversationEditor:
    widget = ConversationEditor()
    qtbot.addWidget(widget)
    widget.resize(420, 300)
    widget.set_conversation(TALK)
    widget.show()
    return widget


@pytest.fixture
def form(editor: ConversationEditor) -> Form:
    return Form(editor)


def open_text(editor: ConversationEditor, message: int) -> Any:
    editor.go_to(message)
    QTest.keyClick(editor.turns, Qt.Key.Key_Return)
    assert editor.turns.editor is not None
    return editor.turns.editor


def shown(editor: ConversationEditor) -> list[str]:
    return [part.text for part in editor.turns.turns.parts]


def test_that_typing_tells_the_conversation_and_what_it_merges_with(
    editor: ConversationEditor, form: Form, qtbot: Any
) -> None:
    text = open_text(editor, 1)
    QTest.keyClicks(text, " Or that.")
    qtbot.waitUntil(lambda: bool(form.told))
    assert form.contents == ["What?", "This. Or that.", "Why?"]
    assert form.told[-1][1]
    assert text.isVisible()


def test_that_keys_typed_ahead_of_the_page_are_not_lost(editor: ConversationEditor, form: Form, qtbot: Any) -> None:
    text = open_text(editor, 1)
    QTest.keyClicks(text, "a")
    qtbot.waitUntil(lambda: len(form.told) == 1)
    QTest.keyClicks(text, "b")
    editor.set_conversation(form.told[-1][0])  # the page answers to the first key
    assert text.toPlainText() == "This.ab"
    qtbot.waitUntil(lambda: form.contents[1] == "This.ab")


def test_that_an_undo_of_the_form_changes_the_text_that_is_edited(
    editor: ConversationEditor, form: Form, qtbot: Any
) -> None:
    text = open_text(editor, 1)
    QTest.keyClicks(text, "x")
    qtbot.waitUntil(lambda: bool(form.told))
    editor.set_conversation(TALK)
    assert text.toPlainText() == "This."
    assert len(form.told) == 1


def test_that_showing_a_conversation_tells_nothing(editor: ConversationEditor, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(editor.edited), qtbot.assertNotEmitted(editor.picked):
        editor.set_conversation(Conversation((Message("user", "Else"),)))
        editor.go_to(0)
    assert shown(editor) == ["Else"]


def test_that_the_list_is_edited_with_the_keyboard_alone(editor: ConversationEditor, form: Form) -> None:
    turns = editor.turns
    editor.go_to(0)
    QTest.keyClick(turns, Qt.Key.Key_Down)
    QTest.keyClick(turns, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert form.contents == ["This.", "What?", "Why?"]
    QTest.keyClick(turns, Qt.Key.Key_Delete)
    assert form.contents == ["What?", "Why?"]
    QTest.keyClick(turns, Qt.Key.Key_R)
    assert form.told[-1][0].messages[0].role == "assistant"
    QTest.keyClick(turns, Qt.Key.Key_T)
    assert form.told[-1][0].messages[0].tool_calls
    assert turns.current is not None
    assert turns.current.kind is Kind.CALL


def test_that_ctrl_return_goes_on_with_the_next_turn(editor: ConversationEditor, form: Form, qtbot: Any) -> None:
    text = open_text(editor, 2)
    QTest.keyClicks(text, "?")
    QTest.keyClick(text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    following = editor.turns.editor
    assert following is not None
    QTest.keyClicks(following, "So.")
    qtbot.waitUntil(lambda: form.contents == ["What?", "This.", "Why??", "So."])
    assert form.told[-1][0].messages[-1].role == "assistant"


def test_that_return_alone_is_a_line_end(editor: ConversationEditor, form: Form, qtbot: Any) -> None:
    text = open_text(editor, 0)
    QTest.keyClick(text, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(form.told))
    assert form.contents[0] == "What?\n"


def test_that_buttons_move_and_remove_the_current_turn(editor: ConversationEditor, form: Form) -> None:
    editor.go_to(2)
    editor.up.click()
    assert form.contents == ["What?", "Why?", "This."]
    editor.remove.click()
    assert form.contents == ["What?", "This."]


def test_that_a_broken_tool_call_is_said_and_told_to_nobody(editor: ConversationEditor, form: Form, qtbot: Any) -> None:
    editor.go_to(1)
    QTest.keyClick(editor.turns, Qt.Key.Key_T)
    text, told = editor.turns.editor, len(form.told)
    assert text is not None
    QTest.keyClicks(text, "!")
    qtbot.waitUntil(lambda: bool(editor.problem.text()))
    assert len(form.told) == told
    QTest.keyClick(text, Qt.Key.Key_Backspace)
    qtbot.waitUntil(lambda: not editor.problem.isVisible())


def test_that_json_is_pasted_and_copied(editor: ConversationEditor, form: Form) -> None:
    QGuiApplication.clipboard().setText('[{"role": "user", "content": "Pasted"}]')
    editor.paste.click()
    assert form.contents == ["Pasted"]
    QTest.keyClick(editor.turns, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert turn_parts.pasted(QGuiApplication.clipboard().text()) == form.told[-1][0]


def test_that_a_paste_that_is_none_is_said_and_changes_nothing(editor: ConversationEditor, form: Form) -> None:
    QGuiApplication.clipboard().setText("{broken")
    editor.turns.setFocus()
    QTest.keyClick(editor.turns, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert editor.problem.isVisible()
    assert "JSON" in editor.problem.text()
    assert form.told == []


def test_that_the_last_conversation_stays_while_the_form_has_none(editor: ConversationEditor) -> None:
    editor.set_conversation(None, tr("The page is not valid."))
    assert shown(editor) == ["What?", "This.", "Why?"]
    assert editor.problem.text() == "The page is not valid."
    editor.set_conversation(TALK)
    assert not editor.problem.isVisible()


def test_that_going_to_a_turn_is_told(editor: ConversationEditor, qtbot: Any) -> None:
    editor.go_to(0)
    with qtbot.waitSignal(editor.picked) as picked:
        QTest.keyClick(editor.turns, Qt.Key.Key_Down)
    assert picked.args == [1]
