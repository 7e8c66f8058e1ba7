"""Traced text: it is a string in every respect, and its characters keep their origin."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chat.traced import Run, TracedText, joined, runs_of

TEXTS = st.text(alphabet="aAbß \n\r<|\u2028é", max_size=12)


def _numbered(text: str) -> TracedText:
    """A text whose runs are single characters, each with its index as the place in the template."""
    return TracedText(text, tuple(Run(1, index, index + 1) for index in range(len(text))))


OPERATIONS: list[Any] = [
    lambda text, other: text.strip(other or None),
    lambda text, other: text.lstrip(other or None),
    lambda text, other: text.rstrip(other or None),
    lambda text, other: text[1:5],
    lambda text, other: text[-3:],
    lambda text, other: text[::-1],
    lambda text, other: text[0] if text else "",
    lambda text, other: "".join(text),
    lambda text, other: list(text),
    lambda text, other: text.split(),
    lambda text, other: text.split(None, 1),
    lambda text, other: text.rsplit(None, 1),
    lambda text, other: text.split(other or "a"),
    lambda text, other: text.rsplit(other or "a", 1),
    lambda text, other: text.splitlines(),
    lambda text, other: text.splitlines(True),
    lambda text, other: list(text.partition(other or "a")),
    lambda text, other: list(text.rpartition(other or "a")),
    lambda text, other: text.replace(other, "--"),
    lambda text, other: text.replace(other or "a", "--", 1),
    lambda text, other: text.removeprefix(other),
    lambda text, other: text.removesuffix(other),
    lambda text, other: text + other,
    lambda text, other: other + text,
    lambda text, other: text * 3,
    lambda text, other: 2 * text,
    lambda text, other: text.join([other, "b", other]),
    lambda text, other: text.upper(),
    lambda text, other: text.lower(),
    lambda text, other: text.title(),
    lambda text, other: text.capitalize(),
    lambda text, other: text.casefold(),
    lambda text, other: text.swapcase(),
    lambda text, other: text.center(20, "*"),
    lambda text, other: text.ljust(20),
    lambda text, other: text.rjust(20),
    lambda text, other: "%s|" % text,  # noqa: UP031
    lambda text, other: f"{text}|",
]


@settings(deadline=None, max_examples=30)
@pytest.mark.parametrize("operation", OPERATIONS)
@given(text=TEXTS, other=TEXTS)
def test_that_an_operation_gives_what_a_plain_string_gives_and_keeps_the_places(
    operation: Any, text: str, other: str
) -> None:
    expected, result = operation(text, other), operation(_numbered(text), other)
    assert result == expected
    for part in result if isinstance(result, list) else [result]:
        runs = runs_of(part)
        assert sum(run.length for run in runs) == len(part)
        position = 0
        for run in runs:
            if run.length == 1 and run.template_start >= 0:
                assert part[position].casefold() == text[run.template_start].casefold()
            position += run.length


def test_that_neighbours_with_the_same_origin_become_one_run() -> None:
    run = Run(2, 5, 7, 1, True)
    assert runs_of(joined([TracedText("ab", (run,)), TracedText("cd", (run,)), "ef"])) == (
        run._replace(length=4),
        Run(2),
    )


def test_that_a_traced_text_is_hashed_and_compared_as_a_string() -> None:
    assert {TracedText("a"): 1}["a"] == 1
    assert "a" in {TracedText("a")}
    assert str(TracedText("a")) == "a"


@pytest.mark.parametrize("call", [lambda text: text + 1, lambda text: text[9], lambda text: text["x"]])
def test_that_errors_are_those_of_a_string(call: Any) -> None:
    with pytest.raises((TypeError, IndexError)):
        call(TracedText("abc"))
