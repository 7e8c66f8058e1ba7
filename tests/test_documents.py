"""The documents: links lead somewhere, and the English and the Chinese version have the same numbers and headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from core.contracts.registry import TOPICS
from core.sanitizer.kinds import KINDS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "resources/notes").rglob("*.md"))
)
PAIRS = [
    ("README.md", "README.zh.md"),
    ("docs/benchmarks.md", "docs/benchmarks.zh.md"),
    *((f"resources/notes/en/{topic_id}.md", f"resources/notes/zh/{topic_id}.md") for topic_id in TOPICS),
]
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


_NOT_WRITTEN = re.compile(r"不写((?:“[^”]+”、?)+)")
CHINESE = [chinese for _, chinese in PAIRS]


def _text(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def _headings(document: str) -> list[int]:
    """The level of each heading, in order."""
    return [len(match) for match in re.findall(r"^(#+) ", _text(document), re.MULTILINE)]


def _table_numbers(document: str) -> list[list[str]]:
    """The numbers in each row of each table; sorted, because word order differs between languages."""
    rows = [line for line in _text(document).splitlines() if line.startswith("|")]
    return [sorted(_NUMBER.findall(row)) for row in rows]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_that_relative_links_lead_to_files(document: str) -> None:
    for target in _LINK.findall(_CODE.sub("", _text(document))):
        if not target.startswith(("http://", "https://", "#")):
            assert ((ROOT / document).parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_that_both_languages_have_the_same_sections_and_table_numbers(english: str, chinese: str) -> None:
    assert _headings(english) == _headings(chinese)
    assert _table_numbers(english) == _table_numbers(chinese)


def rejected_words() -> list[str]:
    """The Chinese words that the glossary rules out."""
    remarks = _NOT_WRITTEN.findall(_text("docs/glossary.md"))
    words = [word for remark in remarks for word in re.findall("“([^”]+)”", remark)]
    assert len(words) > 5
    return words


@pytest.mark.parametrize("document", CHINESE)
def test_that_chinese_documents_use_the_terms_of_the_glossary(document: str) -> None:
    assert [word for word in rejected_words() if word in _text(document)] == []


def test_that_translations_use_the_terms_of_the_glossary() -> None:
    with (ROOT / "resources/locale/zh/LC_MESSAGES/tilescope.po").open("rb") as file:
        catalogue = read_po(file, locale="zh")
    translations = [message.string if isinstance(message.string, str) else message.string[0] for message in catalogue]
    assert [text for text in translations if any(word in text for word in rejected_words())] == []


def test_that_the_document_of_checks_lists_every_kind_as_the_code_describes_it() -> None:
    text = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    assert [kind.id for kind in KINDS.values() if f"| {kind.id} | {kind.severity} | {kind.help} |" not in text] == []
