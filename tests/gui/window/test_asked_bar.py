"""The page that a question opens says which question it answers, and leads to the evidence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.contracts.claims import Verdict
from core.contracts.topic import Topic
from core.contracts.written import Written
from core.questions.question import Question
from core.run_files import SavedRun
from gui.window.asked_bar import AskedBar
from gui.window.main_window import MainWindow
from gui.window.palette_entries import of_questions
from tests.gui.doubles import ToyResult


@pytest.fixture
def window(toy_is_registered: None, window: MainWindow) -> MainWindow:
    """At home, whose questions can be of the toy page."""
    window.home.open()
    return window


def asked(window: MainWindow, topic: Topic, claim: int = 0) -> AskedBar:
    """Open a question of the toy page from home."""
    answering = topic.claims[claim].id
    texts = Written(f"Does {answering} hold?"), Written("It does.")
    home = window.home.open()
    home.open_question(Question("asked", "group", "toy", {}, (answering,), *texts))
    assert window.home.asked is not None
    return window.home.asked


def test_that_the_page_names_the_question_and_the_verdict_follows_the_run(
    window: MainWindow, topic: Topic, result: ToyResult
) -> None:
    bar = asked(window, topic)
    assert bar.isVisible()
    assert bar.asked.text() == f"Does {topic.claims[0].id} hold?"
    assert bar.chip.verdict is None
    opened = window.current
    assert opened is not None
    opened.controller.show_recorded(SavedRun(result, datetime(2026, 5, 4, tzinfo=UTC), 2.0))
    assert bar.recorded.isVisible()
    opened.controller.show_result(result)
    assert not bar.recorded.isVisible(), "this run is of this machine"
    assert bar.chip.verdict is opened.page.claims.chips[topic.claims[0].id].verdict
    assert isinstance(bar.chip.verdict, Verdict)
    opened.controller.clear()
    assert bar.chip.verdict is None


def test_that_the_evidence_is_one_click_away(window: MainWindow, topic: Topic) -> None:
    bar = asked(window, topic)
    assert window.current is not None
    page = window.current.page
    page.lower.set_open(False)
    bar.evidence.click()
    assert page.lower.is_open
    assert page.tabs.currentWidget() is page.claims
    assert page.claims.statements[topic.claims[0].id].hasSelectedText()


def test_that_it_goes_with_its_page_and_stays_away_once_it_is_closed(window: MainWindow, topic: Topic) -> None:
    bar = asked(window, topic)
    window.home.open()
    assert not bar.isVisible()
    window.open_page("toy")
    assert bar.isVisible()
    bar.close_button.click()
    window.home.open()
    window.open_page("toy")
    assert not bar.isVisible()


def test_that_pages_can_be_built_anew_while_a_question_is_shown(window: MainWindow, topic: Topic) -> None:
    bar = asked(window, topic)
    window.change_text_size(1)
    assert bar.isVisible()
    window.change_text_size(-1)


def test_that_a_question_of_the_palette_is_named_too(window: MainWindow, topic: Topic) -> None:
    texts = Written("Does it hold?"), Written("It does.")
    (entry,) = of_questions(window, [Question("asked", "group", "toy", {}, (topic.claims[0].id,), *texts)], [topic])
    entry.work()
    assert window.home.asked is not None
    assert window.home.asked.asked.text() == "Does it hold?"
