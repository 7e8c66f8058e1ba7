"""Every picture and every table of a card can be copied and saved as data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QAbstractItemView, QWidget

from core.contracts.registry import TOPICS
from gui.page.card import Card
from gui.widgets.data_table import HasTable
from gui.widgets.figure import Canvas, Figure
from gui.widgets.legend import Legend
from gui.window.settings import Settings
from tests.gui.control_walk import where
from tests.gui.example_pages import open_example
from tests.gui.text_walk import pictures_of


def drawn_in(card: Card) -> Iterator[QWidget]:
    """The pictures, and the lists and tables, that a card shows now."""
    for part in card.content.findChildren(QWidget):
        is_empty = isinstance(part, Legend) or (isinstance(part, Figure) and part.is_empty)
        if part.isVisibleTo(card) and isinstance(part, Figure | Canvas | QAbstractItemView) and not is_empty:
            yield part


def gives_data(part: QWidget | None, card: Card) -> bool:
    """Whether a picture, or what is around it in the card, offers its numbers."""
    while part is not None and part is not card:
        if isinstance(part, HasTable) and part.data_table() is not None:
            return True
        part = part.parentWidget()
    return False


def is_record(value: object) -> bool:
    """Whether a value was a record, and what is written of it is Python."""
    return re.search(r"\b[A-Z]\w+\(\w+=|<[A-Z]\w+\.", str(value)) is not None


@pytest.mark.parametrize("topic_id", TOPICS)
def test_that_every_picture_of_every_card_gives_its_data(
    topic_id: str, settings: Settings, tmp_path: Path, qtbot: Any
) -> None:
    missing: set[str] = set()
    records: set[str] = set()
    seen: set[QWidget] = set()
    with open_example(topic_id, settings, tmp_path, qtbot) as example:
        example.show_result()
        for _ in pictures_of(example.window.body):
            for key, card in example.opened.page.cards.items():
                if card.isVisible() and not card.is_empty:
                    drawn = set(drawn_in(card)) - seen
                    seen |= drawn
                    records |= {
                        str(value) for each in card.tables for row in each.rows for value in row if is_record(value)
                    }
                    missing |= {f"{key}: {where(part)}" for part in drawn if not gives_data(part, card)}
    assert not records
    assert not missing, "\n" + "\n".join(sorted(missing))
