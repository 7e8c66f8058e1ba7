"""Home in every language: nothing is cut or overlaps in a small window, and nothing is left in English."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core import language
from core.contracts.events import Failed
from core.contracts.text import tr
from gui import translation
from gui.home.review import Step
from tests.gui.home.home_doubles import Opened
from tests.gui.layout_faults import faults_of
from tests.gui.text_walk import paint, settle_layouts, texts_of
from tests.latin_names import english_words
from tests.questions.asked import flash_result

CODES = (*language.LANGUAGES, language.PSEUDO)


def situations(opened: Opened) -> Iterator[str]:
    """Home in all of its states, one after another."""
    home = opened.home
    yield "nothing run"
    home.browser.search.setText("qqqqq")
    yield "nothing found"
    home.browser.search.setText("flash")
    opened.keeper.keep(flash_result(), 1.0, 2.0)
    yield "found, with verdicts"
    home.check_all()
    yield "checking"
    opened.post(Failed(tr("The engine is closed.")))
    home.checking.stop()
    yield "a run has failed"
    home.browser.failures.hide()
    home.start_review()
    for question_id in ("what-flash-attention-saves", "prefill-and-decode", "online-softmax"):
        home.review.begin([home.book.get(question_id)])
        yield f"{question_id} is asked"
    home.review.input.press(ord("1"))
    assert home.review.step is Step.JUDGED
    yield "a guess is judged"
    home.review.begin([home.book.get("prefill-and-decode")])
    home.review.input.press(ord("1"))
    yield "a guess waits for a run"
    home.review.reveal.click()
    yield "the user judges"


def test_that_no_text_is_cut_and_nothing_overlaps(opened: Opened) -> None:
    opened.home.resize(1174, 640)  # what a window of 1280 x 720 leaves
    faults = []
    for situation in situations(opened):
        for code in CODES:
            translation.use(code)
            settle_layouts()
            faults += [f"{situation}, {code}: {fault}" for fault in faults_of(opened.home)]
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def test_that_nothing_is_left_in_english(opened: Opened) -> None:
    names = {"Your", "qqqqq", "AMD", "EPYC"}
    translation.use(language.CHINESE)
    left = set()
    for situation in situations(opened):
        settle_layouts()
        texts = {word.text for word in paint(opened.home)} | {seen.text for seen in texts_of(opened.home)}
        left |= {f"{situation}: {text}" for text in texts if english_words(text, names)}
    assert left == set()
