"""The index: searching, choosing and opening questions, and the verdicts of this machine beside them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from core import language
from core.contracts.claims import Verdict
from core.contracts.place import Place
from core.questions.question import Question
from gui import translation
from gui.home import index_rows
from gui.home.index_rows import LINE_PX
from tests.gui.home.home_doubles import Opened
from tests.questions.asked import flash_result

KEY = Qt.Key


def question(opened: Opened, question_id: str) -> Question:
    found = opened.home.book.get(question_id)
    assert found is not None
    return found


def press(opened: Opened, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(opened.home.browser.search, key)


def shown(opened: Opened) -> list[str]:
    return [row.question.id for row in opened.home.browser.index.questions.rows if row.question is not None]


def test_that_all_questions_are_there_under_the_titles_of_their_groups(opened: Opened) -> None:
    rows = opened.home.browser.index.questions.rows
    assert shown(opened) == [each.id for each in opened.home.book]
    assert sum(row.heading is not None for row in rows) == len(opened.home.book.groups)
    assert opened.home.browser.detail.question is opened.home.book.groups[0].questions[0]


@pytest.mark.parametrize(
    ("typed", "best"),
    [("kv cache size", "kv-cache-size"), ("kv cahce siez", "kv-cache-size"), ("为什么缓存", "why-kv-cache")],
)
def test_that_what_is_typed_is_searched_in_both_languages(opened: Opened, typed: str, best: str) -> None:
    opened.home.browser.search.setText(typed)
    assert shown(opened)[0] == best
    assert opened.home.browser.detail.question is question(opened, best)


def test_that_a_key_costs_one_search_and_the_painting_of_the_rows_in_view(
    opened: Opened, qapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches, painted = [], []
    find, paint = opened.home.browser._searching.find, index_rows.paint_chip
    monkeypatch.setattr(opened.home.browser._searching, "find", lambda query: searches.append(query) or find(query))
    monkeypatch.setattr(index_rows, "paint_chip", lambda *arguments: painted.append(1) or paint(*arguments))
    asked = opened.keeper.asked
    for key in "the":
        QTest.keyClick(opened.home.browser.search, key)
        qapp.processEvents()
    assert searches == ["t", "th", "the"]
    in_view = opened.home.browser.index.viewport().height() // 44 + 2
    assert 0 < len(painted) <= 3 * 2 * in_view
    assert opened.keeper.asked == asked


def test_that_words_that_no_question_has_are_said_and_escape_clears_them(opened: Opened) -> None:
    opened.home.browser.search.setText("qqqqq zzzzz")
    assert "qqqqq zzzzz" in opened.home.browser._no_match.text()
    assert opened.home.browser._found.currentIndex() == 1
    assert opened.home.browser.detail.question is None
    opened.home.dismiss()
    assert len(shown(opened)) == len(opened.home.book)


def test_that_a_group_shows_its_questions_and_a_search_looks_everywhere(opened: Opened) -> None:
    group = opened.home.book.groups[2]
    opened.home.browser.groups.setCurrentRow(3)
    assert shown(opened) == [each.id for each in group.questions]
    opened.home.browser.search.setText("kv cache size")
    assert "kv-cache-size" in shown(opened)


def test_that_the_keys_of_the_search_field_choose_and_open(opened: Opened) -> None:
    visits: list[tuple[Place, str]] = []
    opened.home.visit_requested.connect(lambda place, run_id: visits.append((place, run_id)))
    press(opened, KEY.Key_Down, KEY.Key_Down, KEY.Key_Up, KEY.Key_Return)
    second = opened.home.book.groups[0].questions[1]
    assert visits == [(second.place, "")]


def test_that_a_double_click_and_a_click_on_the_page_open_it_and_a_click_elsewhere_chooses(opened: Opened) -> None:
    view = opened.home.browser.index
    visits: list[Place] = []
    opened.home.visit_requested.connect(lambda place, _: visits.append(place))
    row = view.visualRect(view.questions.index(3))
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=row.topLeft() + QPoint(30, 10))
    assert not visits
    assert opened.home.browser.detail.question is view.questions.rows[3].question
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=row.bottomLeft() + QPoint(30, -10))
    QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=row.topLeft() + QPoint(30, 10))
    assert visits == [view.questions.rows[3].question.place] * 2


def test_that_a_question_has_a_verdict_only_from_a_run_on_this_machine(opened: Opened) -> None:
    exact = question(opened, "flash-is-exact")
    assert str(opened.home.standing_of(exact).label) == "not run here yet"
    opened.keeper.keep(flash_result(device="cuda (NVIDIA H200 of another machine)"), 1.0, 2.0)
    assert opened.home.standing_of(exact).verdict is None
    opened.keeper.keep(flash_result(), 1.0, 2.0)
    assert opened.home.standing_of(exact).verdict is not None


def test_that_the_answer_shows_the_evidence_and_the_value_that_was_found(opened: Opened) -> None:
    asked = question(opened, "what-flash-attention-saves")
    opened.home.browser.show_question(asked)
    detail = opened.home.browser.detail
    assert "No run of this machine" in detail.state.text()
    assert detail.evidence.found.isHidden()
    opened.keeper.keep(flash_result(), 1.0, 2.0)
    assert detail.evidence.found.text() == "5.90 × (traced)"
    assert "From a run on cpu" in detail.state.text()
    assert {chip.verdict for chip in detail.evidence.chips} <= set(Verdict)


def test_that_a_question_with_an_answer_opens_the_run_that_gave_it(opened: Opened) -> None:
    opened.keeper.keep(flash_result(), 1.0, 2.0)
    visits: list[str] = []
    opened.home.visit_requested.connect(lambda _, run_id: visits.append(run_id))
    opened.home.open_question(question(opened, "flash-is-exact"))
    assert visits == [opened.keeper.history.list("flash-attention", 1)[0].id]


def test_that_a_related_question_is_shown_whatever_was_searched_for(opened: Opened) -> None:
    opened.home.browser.search.setText("what does flash attention save")
    link = opened.home.browser.detail.related.links[-1]
    text = link.accessibleName()
    link.click()
    now = opened.home.browser.detail.question
    assert now is not None
    assert str(now.question) == text
    assert opened.home.browser.index.current is now


def test_that_the_index_follows_the_language(opened: Opened) -> None:
    index = opened.home.browser.index.questions
    english = index.data(index.index(1))
    translation.use(language.CHINESE)
    assert index.data(index.index(1)) != english
    assert opened.home.browser.groups.item(0).text() == "全部问题"


@pytest.mark.parametrize("width", [1000, 1174, 1490])
def test_that_a_row_is_as_high_as_its_question_needs(opened: Opened, width: int, qapp: Any) -> None:
    opened.home.resize(width, 640)
    view = opened.home.browser.index
    for query in ("", "kv cache", "attention"):
        opened.home.browser.search.setText(query)
        qapp.processEvents()
        rows = [view.visualRect(view.questions.index(place)) for place in range(len(view.questions.rows))]
        assert all(above.bottom() < below.top() for above, below in pairwise(rows))
        for place, row in enumerate(view.questions.rows):
            if row.question is not None:
                index = view.questions.index(place)
                lines = view._rows._lines(index)
                needed = view._rows.link_rect(rows[place], index).top() - rows[place].top()
                assert needed >= LINE_PX * len(lines)
