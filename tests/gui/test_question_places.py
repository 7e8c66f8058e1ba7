"""What a question selects on its page is in view after it has been opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication

from core.contracts.registry import TOPICS
from core.demos.pictures import NAMEABLE
from core.questions.reading import read_questions
from gui.page.card import Card
from gui.widgets.switcher import Switcher
from gui.window.settings import Settings
from gui.window.visiting import visit
from tests.gui.example_pages import open_example


def switchers_in_view(card: Card) -> Iterator[Switcher]:
    """Those of the card that can be selected and are not behind another picture."""
    for switcher in card.findChildren(Switcher):
        if switcher.kind and switcher.isVisibleTo(card):
            yield switcher


@pytest.mark.parametrize("topic_id", TOPICS)
def test_that_what_questions_select_is_in_front(topic_id: str, settings: Settings, tmp_path: Path, qtbot: Any) -> None:
    with open_example(topic_id, settings, tmp_path, qtbot) as example:
        page = example.opened.page
        assert page.views_in_front.kinds == NAMEABLE[topic_id].views
        for question in read_questions():
            if question.page != topic_id:
                continue
            visit(example.window, question.place)
            QCoreApplication.processEvents()
            selected = page.selection.selection
            assert {kind: selected.get(kind) for kind in question.select} == question.select, question.id
            if not question.card:
                continue
            card = page.cards[question.card]
            assert not card.visibleRegion().isEmpty(), question.id
            in_front = {switcher.kind: switcher.name for switcher in switchers_in_view(card)}
            named = {kind: value for kind, value in question.select.items() if kind in NAMEABLE[topic_id].views}
            assert in_front == named, question.id
