from __future__ import annotations

import threading
from typing import Any

from core.contracts.errors import TilescopeError
from gui.widgets.latest_work import LatestWork
from tests.gui.latest_work import join_latest_work


def test_that_only_the_newest_answer_counts(qtbot: Any) -> None:
    work, gate, answers = LatestWork(), threading.Event(), []
    work.done.connect(answers.append)
    work.request(lambda: (gate.wait(5), "old")[1])
    for number in range(5):
        work.request(lambda number=number: number)
    gate.set()
    qtbot.waitUntil(lambda: not work.busy)
    assert answers == [4]


def test_that_what_was_forgotten_is_not_answered(qtbot: Any) -> None:
    work, answers = LatestWork(), []
    work.done.connect(answers.append)
    work.request(lambda: 1)
    work.forget()
    qtbot.waitUntil(lambda: not work.busy)
    assert not answers
    work.request(lambda: 2)
    qtbot.waitUntil(lambda: not work.busy)
    assert answers == [2]


def test_that_what_goes_wrong_is_one_sentence(qtbot: Any) -> None:
    def fail(error: Exception) -> None:
        raise error

    work, sentences = LatestWork(), []
    work.failed.connect(sentences.append)
    for error in (TilescopeError("It is so."), ValueError("odd")):
        work.request(lambda error=error: fail(error))
        qtbot.waitUntil(lambda: not work.busy)
    assert [str(sentence) for sentence in sentences] == ["It is so.", "This could not be drawn: ValueError: odd"]


def test_that_an_answer_without_a_receiver_is_no_error(qtbot: Any) -> None:
    work, gate = LatestWork(), threading.Event()
    work.request(lambda: gate.wait(5))
    del work
    gate.set()
    join_latest_work()
    qtbot.wait(1)
