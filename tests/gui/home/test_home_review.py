"""Review mode: a guess, then the evidence beside it; what was missed comes first the next time. Keyboard only."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.contracts.claims import Verdict
from core.contracts.events import Failed, Finished
from core.contracts.text import tr
from core.questions.guesses import ChoiceGuess, NumberGuess, Outcome
from core.questions.question import Question
from core.questions.review import ReviewLog
from gui.home.guess_input import number_in
from gui.home.review import Step
from tests.gui.home.home_doubles import Opened, open_home
from tests.gui.latest_work import join_latest_work
from tests.questions.asked import flash_result

KEY = Qt.Key
NUMBER, CLAIM = "what-flash-attention-saves", "online-softmax"


def press(opened: Opened, *keys: Qt.Key) -> None:
    """Keys go to the part of review mode that has the focus."""
    for key in keys:
        focused = QApplication.focusWidget()
        review = opened.home.review
        QTest.keyClick(focused if focused is not None and review.isAncestorOf(focused) else review, key)


def ask(opened: Opened, question_id: str) -> Question:
    """Review mode with one question."""
    question = opened.home.book.get(question_id)
    opened.home.start_review()
    opened.home.review.begin([question])
    return question


def remembered(opened: Opened, question_id: str) -> Outcome | None:
    """What a new session reads."""
    entry = ReviewLog().remembered.get(question_id)
    return None if entry is None else entry.last


@pytest.fixture
def with_run(opened: Opened) -> Opened:
    opened.keeper.keep(flash_result(), 1.0, 2.0)
    return opened


@pytest.mark.parametrize(("typed", "outcome"), [("5.9", Outcome.RIGHT), ("20", Outcome.WRONG)])
def test_that_a_number_is_compared_with_what_was_found(with_run: Opened, typed: str, outcome: Outcome) -> None:
    ask(with_run, NUMBER)
    review = with_run.home.review
    review.input.number.field.setText(typed)
    QTest.keyClick(review.input.number.field, KEY.Key_Return)
    assert review.step is Step.JUDGED
    assert review.verdict.truth.text() == "5.90 × (traced)"
    assert remembered(with_run, NUMBER) is outcome


def test_that_what_is_no_number_gets_a_sentence_and_letters_are_keys(with_run: Opened) -> None:
    ask(with_run, NUMBER)
    review = with_run.home.review
    for key in "1e":
        QTest.keyClick(review.input.number.field, key)
    QTest.keyClick(review.input.number.field, KEY.Key_Return)
    assert review.step is Step.GUESSING
    assert "Write a number" in review.input.number.problem.text()
    QTest.keyClick(review.input.number.field, KEY.Key_N)
    assert review.step is Step.OVER


def test_that_a_claim_is_judged_by_a_key(with_run: Opened) -> None:
    asked = ask(with_run, CLAIM)
    verdict = with_run.home.standing_of(asked).verdict
    place = (Verdict.HOLDS, Verdict.HOLDS_WITH_LIMIT, Verdict.DOES_NOT_HOLD).index(verdict)
    press(with_run, KEY(KEY.Key_1 + place))
    assert with_run.home.review.step is Step.JUDGED
    assert remembered(with_run, CLAIM) is Outcome.RIGHT


def test_that_the_answer_is_hidden_until_there_is_a_guess(with_run: Opened) -> None:
    ask(with_run, CLAIM)
    review = with_run.home.review
    assert review._answer.isHidden()
    assert review.evidence.isHidden()
    press(with_run, KEY.Key_3)
    assert not review._answer.isHidden()
    assert not review.evidence.isHidden()


def test_that_a_guess_without_a_run_waits_for_one(opened: Opened) -> None:
    ask(opened, CLAIM)
    press(opened, KEY.Key_1)
    review = opened.home.review
    assert review.step is Step.UNANSWERED
    assert "No run of this machine" in review.state.text()
    assert remembered(opened, CLAIM) is None
    press(opened, KEY.Key_R)
    assert len(opened.runs) == 1
    assert "goes on" in review.state.text()
    opened.post(Finished(flash_result()))
    assert review.step is Step.JUDGED
    assert remembered(opened, CLAIM) is not None


def test_that_a_run_that_failed_says_so_and_the_answer_can_be_seen(opened: Opened) -> None:
    ask(opened, CLAIM)
    press(opened, KEY.Key_1, KEY.Key_R)
    opened.post(Failed(tr("The worker ran out of memory.")))
    assert "ran out of memory" in opened.home.review.state.text()
    press(opened, KEY.Key_A)
    assert opened.home.review.step is Step.GRADING
    press(opened, KEY.Key_2)
    assert remembered(opened, CLAIM) is Outcome.CLOSE


def test_that_what_was_missed_is_asked_first_the_next_time(with_run: Opened) -> None:
    ask(with_run, NUMBER)
    with_run.home.review.input.guessed.emit(1e6)
    assert remembered(with_run, NUMBER) is Outcome.WRONG
    press(with_run, KEY.Key_Return)
    assert with_run.home.review.step is Step.OVER
    with_run.home.dismiss()
    with_run.home.start_review()
    assert with_run.home.review.question.id == NUMBER
    assert "missed 1" in with_run.home.review._tally.text()


def test_that_passing_remembers_nothing_and_escape_goes_back_to_the_list(opened: Opened) -> None:
    opened.home.start_review()
    first = opened.home.review.question
    press(opened, KEY.Key_N)
    assert opened.home.review.question is not first
    assert ReviewLog().remembered == {}
    opened.home.dismiss()
    assert opened.home.browser.isVisible()


def test_that_the_group_that_is_chosen_is_reviewed(opened: Opened) -> None:
    opened.home.browser.groups.setCurrentRow(2)
    opened.home.browser.review.click()
    assert {each.group for each in opened.home.review._questions} == {opened.home.book.groups[1].id}


def test_that_every_question_can_be_guessed_with_the_keyboard(opened: Opened) -> None:
    opened.home.start_review()
    review = opened.home.review
    for question in opened.home.book:
        review.begin([question])
        if isinstance(question.guess, NumberGuess):
            QTest.keyClicks(review.input.number.field, "3")
            QTest.keyClick(review.input.number.field, KEY.Key_Return)
        else:
            last = len(question.guess.options)
            assert not review.input.press(KEY.Key_1 + last)
            QTest.keyClick(review, KEY(KEY.Key_1 + last - 1))
        assert review.step is Step.UNANSWERED, question.id
        if isinstance(question.guess, ChoiceGuess):
            assert all(button.text().strip() for button in review.input.options.buttons)


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("12.5", "", 12.5),
        (" 3e6 ", "", 3e6),
        ("131 kB", "kB", 131.0),
        ("1,024", "tokens", 1024.0),
        ("\N{MINUS SIGN}2", "", -2.0),
        ("", "", None),
        ("nan", "", None),
        ("inf", "", None),
        ("twelve", "", None),
        ("1e999", "", None),
        ("٣", "", None),
    ],
)
def test_that_a_number_is_read_with_or_without_its_unit(text: str, unit: str, number: float | None) -> None:
    assert number_in(text, unit) == number


def test_that_a_damaged_memory_is_set_aside_and_said(tmp_path: Any, qtbot: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path))
    (tmp_path / "review.json").write_text("{", encoding="utf-8")
    opened = open_home(tmp_path, qtbot)
    assert "damaged" in opened.home.banner.sentence
    opened.home.start_review()
    assert opened.home.review.question is not None
    opened.home.close_down()
    opened.bridge.close()
    join_latest_work()
