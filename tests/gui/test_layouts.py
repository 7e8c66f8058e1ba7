"""Labels that grow or shrink with the language do not cut, overlap or jump: English, Chinese, and a third longer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QWidget

from core import language
from core.contracts.registry import TOPICS
from gui import translation
from gui.window.settings import Settings
from tests.gui.example_pages import Example, open_example
from tests.gui.layout_faults import faults_of
from tests.gui.text_walk import pictures_of

CODES = (*language.LANGUAGES, language.PSEUDO)
NAVIGATION_IN_PSEUDO = (language.PSEUDO, "gui/window/navigation.py")
"""It is as wide as its titles need in the languages that there are, and shortens longer ones."""
MAKES_ROOM_IN_PSEUDO = ("decoder", "lora", "masks", "training", "compare", "kernel-lab")
"""Their sentences take a third line, and their tabs more than their share, in a language that is a third longer."""
SMALL, LARGE = (1280, 720), (1600, 1000)


@pytest.fixture
def example(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path, qtbot: Any) -> Iterator[Example]:
    topic_id, size = request.param
    with open_example(topic_id, settings, tmp_path, qtbot, size) as example:
        yield example


def _name(parameters: tuple[str, tuple[int, int]]) -> str:
    topic_id, (width, height) = parameters
    return f"{topic_id} at {width}x{height}"


def show_in(example: Example, code: str) -> None:
    translation.use(code)
    example.settle()


@pytest.mark.parametrize(
    "example", [*((topic_id, SMALL) for topic_id in TOPICS), ("flash-attention", LARGE)], ids=_name, indirect=True
)
def test_that_no_text_is_cut_nothing_overlaps_and_cards_stay_where_they_are_in_every_language(example: Example) -> None:
    faults: dict[str, set[str]] = defaultdict(set)
    for code in CODES:
        show_in(example, code)
        _look(example, code, faults)
    example.show_result()
    places = {}
    for code in CODES:
        show_in(example, code)
        places[code] = {key: _place(card) for key, card in example.opened.page.cards.items()}
        _look(example, code, faults)
    assert places["zh"] == places["en"]
    if example.opened.page.topic.id not in MAKES_ROOM_IN_PSEUDO:
        assert places[language.PSEUDO] == places["en"]
    if faults:
        listed = "\n".join(
            f"{file} ({len(lines)})\n  " + "\n  ".join(sorted(lines)) for file, lines in sorted(faults.items())
        )
        pytest.fail(f"{sum(map(len, faults.values()))} faults\n{listed}", pytrace=False)


def _look(example: Example, code: str, faults: dict[str, set[str]]) -> None:
    """Add the faults of everything that the window shows now, by file."""
    for part in pictures_of(example.window.body):
        for fault in faults_of(part):
            file, _, rest = fault.partition(": ")
            if (code, file) != NAVIGATION_IN_PSEUDO:
                faults[file].add(f"{code}: {rest}")
    for bar in (example.window.menuBar(), example.window.statusBar()):
        for fault in faults_of(bar):
            faults["gui/window"].add(f"{code}: {fault}")


def _place(widget: QWidget) -> tuple[int, int, int, int]:
    corner = widget.mapTo(widget.window(), widget.rect().topLeft())
    return corner.x(), corner.y(), widget.width(), widget.height()
