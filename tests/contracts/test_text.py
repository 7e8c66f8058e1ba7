from __future__ import annotations

import json
import string
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import language
from core.contracts import archive
from core.contracts.text import EMPTY, Text, as_text, listed, quoted, sentences, tr, tr_in, tr_plural, verbatim

names = st.text(string.ascii_lowercase, min_size=1, max_size=6)
leaves = st.one_of(st.builds(verbatim, st.text(max_size=20)), st.builds(tr, st.text(min_size=1, max_size=20)))
values = st.one_of(st.text(max_size=9), st.integers(), st.floats(allow_nan=False), st.booleans(), leaves)
texts = st.builds(
    lambda named, count: tr_plural("{count} of one", "{count} of many", count=count, **named),
    st.dictionaries(names.filter(lambda name: name != "count"), values, max_size=3),
    st.integers(0, 3),
)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with language.using(language.ENGLISH):
        yield


@given(st.one_of(texts, leaves))
def test_that_a_text_survives_the_way_through_json(text: Text) -> None:
    assert Text.of(json.loads(json.dumps(text.plain()))) == text
    assert archive.typed(Text, archive.plain(text)) == text


def test_that_a_text_is_shown_in_the_current_language_with_its_values() -> None:
    text = tr("Run on {device}: {reason}", device="cpu", reason=tr("missing"))
    assert str(text) == f"{text}" == "Run on cpu: missing"
    with language.using(language.PSEUDO):
        assert str(text).startswith("[Rûn ön cpu: [mîssîng")


def test_that_the_count_chooses_the_form() -> None:
    assert str(tr_plural("{count} row", "{count} rows", count=1)) == "1 row"
    assert str(tr_plural("{count} row", "{count} rows", count=2)) == "2 rows"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_that_lists_and_sentences_follow_the_language(count: int) -> None:
    words = ["a", "b", "c"][:count]
    assert str(listed(words)) == ", ".join(words)
    assert str(sentences(*words)) == " ".join(words)


@pytest.mark.parametrize("message", ["{a:>999999999}", "{a.__class__}", "{a!r}", "{a[0]}", "{a:{b}}"])
def test_that_a_text_from_outside_has_placeholders_and_nothing_else(message: str) -> None:
    with pytest.raises(ValueError, match="a placeholder of a text is a name and a format"):
        Text.of({"message": message, "values": {"a": "x", "b": 3}})


def test_that_a_text_from_outside_cannot_grow_beyond_all_bounds() -> None:
    tree: dict[str, Any] = {"message": "ha"}
    for _ in range(9):
        tree = {"message": "{a}" * 10, "values": {"a": {"text": tree}}}
    with pytest.raises(ValueError, match="longer than any page"):
        Text.of(tree)


def test_that_what_is_no_format_is_shown_as_it_is() -> None:
    assert str(Text.of({"message": "100 % {", "values": {"a": 1}})) == "100 % {"


def test_that_a_word_has_the_quotation_marks_of_the_language() -> None:
    error = tr("There is no device {name}: the devices are {known}.", name=quoted("tpu"), known=listed(["cpu", "cuda"]))
    assert str(error) == "There is no device 'tpu': the devices are cpu, cuda."
    with language.using("zh"):
        assert str(error) == "没有设备“tpu”：可用的设备有 cpu、cuda。"
    assert str(quoted("a\nb")) == "'a\\nb'"


def test_that_what_is_not_a_message_is_shown_as_it_is() -> None:
    with language.using(language.PSEUDO):
        assert str(verbatim("{not} a {template")) == "{not} a {template"
        assert str(as_text("plain")) == "plain"
        assert str(EMPTY) == str(as_text("")) == ""
    assert not EMPTY


def test_that_braces_stay_where_there_are_no_values() -> None:
    assert str(tr("a set {1, 2}")) == "a set {1, 2}"


def test_that_a_translation_that_does_not_fit_gives_the_english_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(language.gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            return "{missing} {0}"

    monkeypatch.setattr(language, "catalogue", lambda code: Broken())
    assert str(tr("{count} rows", count=3)) == "3 rows"


@pytest.mark.parametrize(
    "tree", [3, None, [], {}, {"message": 3}, {"message": "x", "values": 3}, {"message": "x", "count": "y"}]
)
def test_that_anything_else_is_no_text(tree: object) -> None:
    with pytest.raises(ValueError, match="text"):
        Text.of(tree)


def test_that_context_tells_apart_what_english_does_not() -> None:
    assert tr_in("unit", "heads") != tr("heads")
    assert str(tr_in("unit", "heads")) == "heads"


def test_that_a_name_from_outside_cannot_write_over_a_terminal_or_fill_it() -> None:
    text = tr("The tensor {name} is empty.", name="a\x1b[2J\x00\ud800\u202eb\n")
    assert str(text) == "The tensor a\\x1b[2J\\x00\\ud800\\u202eb\n is empty."
    long = str(tr("The tensor {name} is empty.", name="x" * 100_000))
    assert len(long) < 500
    assert "x…x" in long
    assert len(str(verbatim("line\n" * 1_000))) == 5_000  # what a compiler said stays whole


def test_that_a_list_of_thousands_is_cut() -> None:
    assert str(listed(["a", "b"])) == "a, b"
    assert len(str(listed(f"function_{index}" for index in range(50_000)))) < 2_000
