"""A text of any length: typed at once, pasted whole, never laid out beyond its beginning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import QMimeData
from PySide6.QtTest import QTest

from core.contracts.text import EMPTY
from core.topics.masks.params import MasksParams
from gui.page.form.fields import field_for
from gui.page.form.parameter_form import ParameterForm
from gui.page.form.passage_field import PassageField

LONG = "an attention mask 掩码 " * 11_000


@pytest.fixture
def field(qtbot: Any) -> PassageField:
    spec = next(spec for spec in MasksParams.specs() if spec.name == "query_text")
    made = field_for(spec)
    assert isinstance(made, PassageField)
    qtbot.addWidget(made)
    made.show()
    return made


def test_that_an_empty_text_says_what_it_stands_for(field: PassageField, qtbot: Any) -> None:
    assert field.editor.placeholderText() == "the text of the preset"
    other = field_for(replace(field.spec, if_empty=EMPTY))
    qtbot.addWidget(other)
    assert isinstance(other, PassageField)
    assert other.editor.placeholderText() == ""


def mime(text: str) -> QMimeData:
    made = QMimeData()
    made.setText(text)
    return made


def test_that_typing_counts_without_return(field: PassageField, qtbot: Any) -> None:
    with qtbot.waitSignal(field.edited) as edited:
        QTest.keyClicks(field.editor, "cats nap")
    assert edited.args == ["cats nap"]
    with qtbot.assertNotEmitted(field.edited, wait=30):
        field.set_value("dogs run")
    assert field.editor.toPlainText() == "dogs run"


def test_that_a_paste_of_200_000_characters_is_kept_whole_and_shown_in_part(field: PassageField, qtbot: Any) -> None:
    assert len(LONG) > 200_000
    field.set_value("before: ")
    field.editor.moveCursor(field.editor.textCursor().MoveOperation.End)
    with qtbot.waitSignal(field.edited) as edited:
        field.editor.insertFromMimeData(mime(LONG))
    assert edited.args == [f"before: {LONG}"]
    assert field.value() == f"before: {LONG}"
    assert len(field.editor.toPlainText()) < 5_000
    assert field.editor.isReadOnly()
    with qtbot.waitSignal(field.edited):
        field.clear.click()
    assert field.value() == ""
    assert not field.editor.isReadOnly()
    field.editor.insertFromMimeData(mime("short"))
    assert field.value() == "short"


def test_that_the_form_undoes_a_paste(qtbot: Any) -> None:
    form = ParameterForm(MasksParams)
    qtbot.addWidget(form)
    field = form.fields["query_text"]
    assert isinstance(field, PassageField)
    field.editor.insertFromMimeData(mime(LONG))
    assert form.params.model_dump()["query_text"] == LONG
    form.undo_stack.undo()
    assert field.value() == ""
    assert field.editor.toPlainText() == ""
