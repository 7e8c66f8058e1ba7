"""The headings and examples that ship, which the palette lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import language, notes
from core.contracts import registry
from core.examples import FOLDER, examples


@pytest.mark.parametrize("topic_id", registry.TOPICS)
def test_that_every_heading_of_the_notes_is_there_in_each_language(topic_id: str) -> None:
    found = notes.headings(topic_id)
    counts = {code: len(notes._headings_in(notes.FOLDER / code / f"{topic_id}.md")) for code in language.LANGUAGES}
    assert len(found) >= 3
    assert set(counts.values()) == {len(found)}
    assert [heading.number for heading in found] == list(range(len(found)))


def test_that_headings_are_plain_and_comments_of_code_are_none(tmp_path: Path) -> None:
    english = "# The `rank` **r**\n\n```python\n# a comment\n```\n\ntext\n## Last ##\n"
    for code, text in (("en", english), ("zh", "# 秩 `r`\n## 最后\n## 多余\n")):
        (tmp_path / code).mkdir()
        (tmp_path / code / "toy.md").write_text(text, encoding="utf-8")
    found = notes.headings("toy", tmp_path)
    assert [heading.text.in_language("en") for heading in found] == ["The rank r", "Last"]
    assert [heading.text.in_language("zh") for heading in found] == ["秩 r", "最后"]
    assert notes.headings("none", tmp_path) == ()


def test_that_every_example_says_what_it_is_and_its_page_accepts_it() -> None:
    shipped = examples()
    assert {example.name for example in shipped} == {path.name for path in FOLDER.glob("*.py")}
    for example in shipped:
        for code in set(language.LANGUAGES) - {language.ENGLISH}:
            assert example.summary.in_language(code) != example.summary.in_language(language.ENGLISH), example.name
        registry.topic(example.page).params.parse(example.set)
