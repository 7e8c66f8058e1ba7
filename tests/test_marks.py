"""What to look at on each page: three marks, in every language, on cards that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import language
from core.contracts.registry import TOPICS
from core.marks import FOLDER, PER_PAGE, marks_of

_LONGEST = 170
"""Characters of a text that fits a bubble."""


@pytest.mark.parametrize("topic_id", TOPICS)
def test_that_a_page_has_three_marks_in_every_language(topic_id: str) -> None:
    marks = marks_of(topic_id)
    assert len(marks) == PER_PAGE
    for text in (text for mark in marks for text in (mark.read, mark.attempt)):
        wordings = [text.in_language(code) for code in language.LANGUAGES]
        assert len(set(wordings)) == len(wordings), "written once for all languages"
        assert all(0 < len(wording) <= _LONGEST for wording in wordings)
        assert all(wording[-1] in ".?。？" for wording in wordings)


def test_that_no_file_is_for_a_page_that_there_is_not() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(TOPICS)


def test_that_a_topic_without_a_file_has_no_marks(tmp_path: Path) -> None:
    assert marks_of("masks", tmp_path) == ()
