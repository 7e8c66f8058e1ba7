from __future__ import annotations

import pytest

from core.fuzzy import Index, Weighted

TEXTS = {
    "saves": ("What does FlashAttention save?", "FlashAttention 省了什么？"),
    "prefix": ("What is prefix-tuning?", "什么是 Prefix-tuning？"),
    "cache": ("How large is the KV cache?", "KV cache 有多大？"),
    "softmax": ("Why does softmax subtract the maximum?", "softmax 为什么要减去最大值？"),
    "loss": ("Why does the training loss fall in steps?", "训练损失为什么呈台阶状下降？"),
}


@pytest.fixture(scope="module")
def index() -> Index[str]:
    return Index({key: [Weighted(text) for text in texts] for key, texts in TEXTS.items()})


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("flash attention", "saves"),  # one word in the text
        ("flashattention", "saves"),
        ("FLASH", "saves"),
        ("prefix tuning", "prefix"),
        ("prefixtuning", "prefix"),  # two words in the text
        ("kv", "cache"),
        ("maximum softmax", "softmax"),  # in any order
        ("softm", "softmax"),  # while it is typed
        ("省了", "saves"),
        ("最大值", "softmax"),
        ("ＫＶ ＣＡＣＨＥ", "cache"),  # full width
        ("损失下降", "loss"),  # in pieces
        ("sofmtax", "softmax"),
        ("flashatention", "saves"),
        ("trainnig loss", "loss"),
    ],
)
def test_that_the_entry_that_is_meant_comes_first(index: Index[str], query: str, first: str) -> None:
    assert index.search(query)[0].key == first


def test_that_every_word_must_be_there_if_an_entry_has_them_all(index: Index[str]) -> None:
    assert [hit.key for hit in index.search("why does softmax")] == ["softmax"]


def test_that_an_entry_with_most_of_a_question_is_found_in_spite_of_a_word_that_none_has(index: Index[str]) -> None:
    assert [hit.key for hit in index.search("the training loss collapses")] == ["loss"]


@pytest.mark.parametrize("query", ["zebra", "省油", "xq", "!"])
def test_that_what_is_not_there_is_not_found(index: Index[str], query: str) -> None:
    found = index.search(query)
    assert found == [] if query != "!" else len(found) == len(TEXTS)


def test_that_an_empty_query_finds_everything_in_order(index: Index[str]) -> None:
    assert [hit.key for hit in index.search("  ")] == list(TEXTS)
    assert [hit.key for hit in index.search("", limit=2)] == list(TEXTS)[:2]


def test_that_a_heavier_text_comes_first() -> None:
    index = Index({"answer": [Weighted("about masks", 1.0)], "title": [Weighted("masks", 3.0)]})
    assert [hit.key for hit in index.search("masks")] == ["title", "answer"]


def test_that_no_query_is_too_long(index: Index[str]) -> None:
    assert index.search("softmax " * 100_000)[0].key == "softmax"
