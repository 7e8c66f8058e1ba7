from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import language
from core.contracts.text import EMPTY, Text
from core.contracts.written import Written
from core.palette.entry import PREFIXES, Category, Entry
from core.palette.search import PaletteSearch, split_prefix


def entry(entry_id: str, category: Category, english: str, chinese: str = "", **more: object) -> Entry:
    return Entry(entry_id, category, named(english, chinese), lambda: None, **more)  # type: ignore[arg-type]


def named(english: str, chinese: str) -> Text:
    return Written(english, others=(("zh", chinese),) if chinese else ())


ENTRIES = (
    entry("length", Category.PARAMETER, "Sequence length", "序列长度", page="flash", words=("seq_len",)),
    entry("length of masks", Category.PARAMETER, "Sequence length", "序列长度", page="masks", words=("seq_len",)),
    entry("run", Category.ACTION, "&Run", "运行", keys=("F5",)),
    entry("flash", Category.PAGE, "FlashAttention", "FlashAttention", page="flash"),
    entry("question", Category.QUESTION, "What does a run of softmax need?", "softmax 为什么溢出？"),
    entry("claim", Category.CLAIM, "Softmax overflows", "softmax 会溢出", where=named("FlashAttention", "")),
    entry("note", Category.NOTE, "Two memories", "两种存储"),
    entry("file", Category.FILE, "softmax.py"),
)


def found(query: str, recent: Sequence[str] = (), page: str = "") -> list[str]:
    return [each.entry.id for each in PaletteSearch(ENTRIES, recent, page).find(query)]


def test_that_an_empty_query_finds_everything_recent_choices_first() -> None:
    assert found("")[:3] == ["flash", "run", "length"]
    assert found("", recent=["note", "gone", "run"])[:3] == ["note", "run", "flash"]
    assert len(found("")) == len(ENTRIES)


@pytest.mark.parametrize("code", ["en", "zh"])
@pytest.mark.parametrize(
    ("query", "first"),
    [("sequence", "length"), ("序列", "length"), ("运行", "run"), ("memories", "note"), ("存储", "note")],
)
def test_that_both_languages_find_an_entry_whatever_the_window_speaks(code: str, query: str, first: str) -> None:
    with language.using(code):
        assert found(query)[0] == first


def test_that_a_whole_title_goes_before_a_word_in_a_sentence() -> None:
    assert found("run") == ["run", "question"]


def test_that_typing_mistakes_are_forgiven() -> None:
    assert set(found("sofmax")) == {"question", "claim", "file"}


def test_that_entries_of_the_page_in_view_go_before_equals() -> None:
    assert found("seq_len", page="flash") == ["length", "length of masks"]
    assert found("seq_len", page="masks") == ["length of masks", "length"]


def test_that_a_recent_choice_goes_first_only_where_it_matches_about_as_well() -> None:
    assert found("softmax", recent=["claim"])[0] == "claim"
    assert found("seq_len", recent=["length of masks"], page="flash")[0] == "length of masks"
    assert found("flashattention", recent=["claim"])[0] == "flash"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("> run", {"run"}),
        ("@", {"length", "length of masks"}),
        ("？softmax", {"question"}),
        ("！", {"claim"}),
        ("/s", {"file"}),
    ],
)
def test_that_a_prefix_restricts_the_search(query: str, expected: set[str]) -> None:
    assert set(found(query)) == expected


def test_that_every_category_has_a_prefix_that_is_explained() -> None:
    assert {category.prefix for category in Category} == set(PREFIXES)
    assert all(text is not EMPTY for text in PREFIXES.values())


@given(st.text(max_size=80))
def test_that_no_query_is_an_error(query: str) -> None:
    prefix, rest = split_prefix(query)
    assert prefix in {"", *PREFIXES}
    assert len(rest) <= len(query)
    assert len(found(query)) <= len(ENTRIES)
