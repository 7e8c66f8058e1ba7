"""Every page in Chinese, with its example result: no text without Chinese but names, and none that misses a switch.

A test that fails lists what is in English, by the page that shows it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QDialog

from core.contracts.errors import TilescopeError
from core.contracts.registry import TOPICS
from core.contracts.result import Metric, Provenance
from core.engine.history import HistoryEntry
from core.engine.state import EngineState, Phase
from gui import translation
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.example_pages import EXAMPLES, Example, open_example
from tests.gui.text_walk import Seen, owner_of, paint, pictures_of, read_outs_of, texts_of
from tests.latin_names import CHINESE, english_words

TOKENS_ARE_SHOWN_BY = ("gui/charts/matrix_axis_labels.py", "gui/pages/masks/position_table.py")


@pytest.fixture
def example(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path, qtbot: Any) -> Iterator[Example]:
    """The page that the test is parametrized with, planned and not yet run."""
    with open_example(request.param, settings, tmp_path, qtbot) as example:
        yield example


def walk(window: MainWindow) -> set[Seen]:
    """Every text of the window and of every picture in it, without the pointer."""
    seen: set[Seen] = set()
    for part in pictures_of(window.body):
        seen.update(Seen(word.file, "painted", word.text, owner_of(word.canvas) or word.file) for word in paint(part))
        seen.update(texts_of(part, in_view=True))
    seen.update(texts_of(window))
    return seen


def pointed_at(window: MainWindow) -> set[Seen]:
    """What the pointer brings up, which stays in hidden tips."""
    return {read_out for part in pictures_of(window.body) for read_out in read_outs_of(part)}


def english(seen: Iterable[Seen], example: Example) -> list[Seen]:
    names, tokens = example.names | {"Qt for Python"}, example.tokens
    wrong = (text for text in seen if english_words(_words(text), names) and not _is_token(text, tokens))
    return sorted(wrong, key=str)


def _words(text: Seen) -> str:
    """The text without the values of parameters that a line of the log lists, as in 'seed=0 source=a b c'."""
    return re.sub(r"\w+=.*", "", text.text) if text.kind == "log" else text.text


def _is_token(text: Seen, tokens: set[str]) -> bool:
    """Whether this is a word of the user's text beside a matrix, which may be cut."""
    return text.file in TOKENS_ARE_SHOWN_BY and any(token.startswith(text.text.rstrip("…")) for token in tokens)


def assert_chinese(seen: set[Seen], example: Example) -> None:
    left = english(seen, example)
    if left:
        by_owner = defaultdict(list)
        for text in left:
            by_owner[text.owner or text.file].append(f"{text.kind} ({text.file}): {text.text!r}")
        files = (f"{owner} ({len(texts)})\n  " + "\n  ".join(texts) for owner, texts in sorted(by_owner.items()))
        pytest.fail("\n".join([f"{len(left)} of {len(seen)} texts are not Chinese", *files]), pytrace=False)


every_page = pytest.mark.parametrize("example", TOPICS, indirect=True)


def test_that_every_page_has_an_example() -> None:
    assert EXAMPLES.keys() == TOPICS.keys()


@every_page
def test_that_a_page_is_chinese_before_and_during_a_run(example: Example) -> None:
    translation.use("zh")
    example.settle()
    seen = walk(example.window) | pointed_at(example.window) | set(_while_running(example))
    assert len(seen) > 200
    assert_chinese(seen, example)


def _while_running(example: Example) -> Iterator[Seen]:
    """What the page and the status bar say of a run, of an error, and of past runs."""
    page, controller, window = example.opened.page, example.opened.controller, example.window

    def look() -> Iterator[Seen]:
        example.settle()
        yield from texts_of(page)
        yield from texts_of(window.status)

    controller.run()
    yield from look()
    controller.cancel()
    yield from look()
    with pytest.raises(TilescopeError) as caught:
        page.topic.params.parse({"no_such": 1})
    page.show_error(caught.value.text, "细节", next(iter(page.form.fields)))
    yield from look()
    controller.clear()
    metric = Metric(2.5, "bits", Provenance.TRACED)
    entry = HistoryEntry("1", page.topic.id, {}, {"device": "cpu"}, {"m": metric}, datetime.now(UTC), 1.5, 1000)
    page.history.set_entries([entry])
    page.history.set_undo(True)
    yield from look()


@pytest.mark.parametrize("example", ["flash-attention"], indirect=True)
def test_that_the_window_is_chinese(example: Example, qapp: QApplication) -> None:
    window = example.window
    seen: set[Seen] = set()
    for code, theme in (("en", "light"), ("zh", "dark")):  # English first: what is made on demand must not keep it
        translation.use(code)
        window.set_theme(theme)
        seen = set(texts_of(window)) if code == "zh" else seen
        for phase in Phase:
            window.status.show_state(EngineState(phase, device="cpu", is_insecure=True))
            seen.update(texts_of(window.status) if code == "zh" else ())
        window.show_shortcuts()
        box = next(widget for widget in qapp.topLevelWidgets() if isinstance(widget, QDialog) and widget.isVisible())
        seen.update(texts_of(box) if code == "zh" else ())
        box.close()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    seen.add(Seen("gui/window/picture.py", "footer", window.footer))
    example.show_result()
    seen.add(Seen("gui/window/picture.py", "footer", window.footer))
    assert_chinese(seen, example)


@every_page
def test_that_a_result_is_chinese_and_a_switch_reaches_every_text_and_the_way_back_too(example: Example) -> None:
    example.show_result()
    for part in pictures_of(example.window.body):
        part.grab()  # tabs and pictures that were opened once may stay so
    seen: dict[str, set[Seen]] = {}
    for leg, code in (("first", "en"), ("chinese", "zh"), ("second", "en")):
        translation.use(code)
        example.settle()
        seen[leg] = walk(example.window)
    first, second = (
        {(text.owner or text.file, text.kind, text.text) for text in seen[leg] if text.kind != "log"}
        for leg in ("first", "second")
    )
    chinese = sorted(text for text in second if CHINESE.search(text[2]) and text not in first)
    assert not chinese, "still Chinese after the way back"
    assert sorted(second - first) == []
    assert sorted(first - second) == []
    translation.use("zh")
    example.settle()
    assert_chinese(seen["chinese"] | pointed_at(example.window), example)
