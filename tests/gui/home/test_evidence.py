"""The claims of a question come from its topic, which is imported beside the GUI thread."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from core.contracts import registry
from gui.home import evidence
from gui.home.evidence import Evidence
from tests.questions.asked import question


def test_that_the_claims_of_a_topic_that_is_not_imported_follow(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real, imported_on = registry.topic, list[threading.Thread]()

    def topic(topic_id: str) -> Any:
        imported_on.append(threading.current_thread())
        return real(topic_id)

    monkeypatch.setattr(evidence.registry, "is_imported", lambda topic_id: False)
    monkeypatch.setattr("core.questions.question.registry.topic", topic)
    view = Evidence()
    qtbot.addWidget(view)
    view.show_question(question())
    assert view.drawing
    assert not view.chips
    view.show_standing(evidence.UNKNOWN)
    qtbot.waitUntil(lambda: len(view.chips) == 1)
    assert imported_on[0] is not threading.main_thread()
    assert view.sentences[0].text() == "A run on this machine will test this."


def test_that_the_claims_of_an_imported_topic_are_there_at_once(qtbot: Any) -> None:
    registry.topic("flash-attention")
    view = Evidence()
    qtbot.addWidget(view)
    view.show_question(question())
    assert len(view.chips) == 1
    assert not view.drawing
