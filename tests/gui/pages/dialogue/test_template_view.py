"""The template: its source, the range that wrote a token, its error, and edits of a copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from core.contracts.text import EMPTY, tr, verbatim
from gui.pages.dialogue.jinja_view import JinjaView, line_of
from gui.pages.dialogue.template_view import TemplateView

SOURCE = "{% for m in messages %}\n🙂{{ m.role }}: {{ m.content }}\n{% endfor %}"
CHOICES = {"one": verbatim("One"), "pasted": tr("pasted Jinja")}


@pytest.fixture
def view(qtbot: Any) -> TemplateView:
    widget = TemplateView(CHOICES, "pasted")
    qtbot.addWidget(widget)
    widget.resize(420, 240)
    widget.set_template("one", SOURCE)
    widget.show()
    return widget


def highlighted(code: JinjaView) -> list[str]:
    return [selection.cursor.selectedText() for selection in code.extraSelections()]


def test_that_the_range_of_a_token_is_highlighted_also_behind_wide_characters(view: TemplateView) -> None:
    start = SOURCE.index("{{ m.content")
    view.code.set_range(start, start + 15)
    assert highlighted(view.code) == ["{{ m.content }}"]
    view.code.set_range(-1, -1)
    assert highlighted(view.code) == []


def test_that_a_click_tells_the_character_of_the_source(view: TemplateView, qtbot: Any) -> None:
    line = view.code.document().findBlockByNumber(1)
    box = view.code.blockBoundingGeometry(line).translated(view.code.contentOffset())
    with qtbot.waitSignal(view.position_picked) as picked:
        QTest.mouseClick(view.code.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(200, round(box.center().y())))
    assert SOURCE.index("\n") < picked.args[0] <= SOURCE.rindex("\n")
    assert line_of(SOURCE, picked.args[0]) == 2


def test_that_lines_tell_how_many_tokens_they_wrote(view: TemplateView) -> None:
    content = SOURCE.index("{{ m.content")
    view.code.set_counts(np.array([content, content, -1, 0, SOURCE.rindex("\n")]))
    assert view.code._annotations == {1: "1", 2: "3"}


def test_that_the_broken_line_is_marked_and_the_problem_said(view: TemplateView) -> None:
    view.set_template("one", SOURCE, tr("The template is broken."), 2)
    assert view.problem.isVisible()
    assert len(highlighted(view.code)) == 1
    view.set_template("one", SOURCE, EMPTY, None)
    assert not view.problem.isVisible()
    assert highlighted(view.code) == []


def test_that_only_pasted_jinja_is_edited(view: TemplateView, qtbot: Any) -> None:
    assert view.code.isReadOnly()
    with qtbot.waitSignal(view.copied) as copied:
        view.copy.click()
    assert copied.args == [SOURCE]
    view.set_template("pasted", SOURCE)
    assert not view.code.isReadOnly()
    assert not view.copy.isVisible()
    QTest.keyClicks(view.code, "x")
    with qtbot.waitSignal(view.typed) as typed:
        QTest.keyClicks(view.code, "y")
    assert typed.args == [f"xy{SOURCE}"]


def test_that_keys_typed_ahead_of_the_page_are_not_lost(view: TemplateView, qtbot: Any) -> None:
    view.set_template("pasted", SOURCE)
    with qtbot.waitSignal(view.typed) as typed:
        QTest.keyClicks(view.code, "x")
    QTest.keyClicks(view.code, "y")
    view.set_template("pasted", typed.args[0])
    assert view.code.toPlainText() == f"xy{SOURCE}"
    with qtbot.waitSignal(view.typed):
        pass


def test_that_showing_a_template_tells_nothing(view: TemplateView, qtbot: Any) -> None:
    with qtbot.assertNotEmitted(view.typed), qtbot.assertNotEmitted(view.chosen):
        view.set_template("pasted", "other")
        view.set_template("one", SOURCE)
    assert view.code.toPlainText() == SOURCE


def test_that_choosing_another_template_is_told(view: TemplateView, qtbot: Any) -> None:
    with qtbot.waitSignal(view.chosen) as chosen:
        view.combo.activated.emit(1)
    assert chosen.args == ["pasted"]
