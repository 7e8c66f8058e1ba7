"""Names from outside: whatever they hold, they are short, on one line, and write no terminal sequence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams, UnknownName
from core.contracts.text import tr
from core.outside import cleaned, cut, described, first_line, shown_name
from core.topics.kernel_lab.params import KernelLabParams

ANY_TEXT = st.text(st.characters(), max_size=300)


@given(ANY_TEXT, st.integers(3, 100))
def test_that_a_name_is_short_and_on_one_line(text: str, limit: int) -> None:
    name = shown_name(text, limit)
    assert len(name) <= limit
    assert not set(name) & {chr(code) for code in (*range(32), *range(127, 160))}
    name.encode()


@given(ANY_TEXT)
def test_that_harmless_text_is_unchanged(text: str) -> None:
    if text.isprintable() and len(text) <= 300:
        assert cleaned(text) == cut(text, 300) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("weight", "weight"),
        ("层.权重", "层.权重"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udcff.py", "\\udcff.py"),
        ("x" * 100_000, "x" * 39 + "…" + "x" * 40),
    ],
)
def test_that_unsafe_characters_are_spelled_out(text: str, name: str) -> None:
    assert shown_name(text) == name


def test_that_values_in_sentences_are_cleaned_and_cut() -> None:
    sentence = str(tr("{path} does not exist: check the path.", path="/\x1b]0;title\x07" + "d" * 4000))
    assert len(sentence) < 500
    assert sentence.isprintable()


def test_that_a_long_name_of_a_parameter_gets_a_short_sentence() -> None:
    with pytest.raises(UnknownName) as caught:
        KernelLabParams.parse({"\x1b[2J" + "n" * 100_000: 1})
    assert len(caught.value.sentence) < 700
    assert caught.value.sentence.isprintable()


@pytest.mark.parametrize("path", ["\udcff.py", "folder\ud800/kernel.py"])
def test_that_a_path_that_is_not_utf_8_is_one_sentence(path: str) -> None:
    with pytest.raises(InvalidParams, match="it has bytes that are not UTF-8") as caught:
        KernelLabParams.parse({"file": path})
    caught.value.sentence.encode()


@pytest.mark.parametrize(
    ("error", "line", "description"),
    [
        (ValueError("It is wrong.\nAnd more."), "It is wrong", "ValueError: It is wrong"),
        (ValueError(" \n"), "", "ValueError"),
        (KeyError("rows"), "'rows'", "KeyError: 'rows'"),
    ],
)
def test_that_an_error_is_told_in_one_line(error: Exception, line: str, description: str) -> None:
    assert (first_line(error), described(error)) == (line, description)
