"""The expression language: parsing, printing, and the errors for invalid input."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.masks import (
    And,
    Causal,
    CausalTopLeft,
    Documents,
    Mask,
    MaskSyntaxError,
    Not,
    Or,
    Padding,
    Prefix,
    Window,
    parse,
    terms_of,
)
from tests.masks.compositions import masks


@given(mask=masks)
def test_that_the_text_of_a_mask_gives_the_mask_again(mask: Mask) -> None:
    assert parse(str(mask)) == mask


def test_that_not_binds_before_and_before_or() -> None:
    assert parse("~padding & causal | documents & window(3)") == Or(
        (And((Not(Padding()), Causal())), And((Documents(), Window(3))))
    )
    assert parse("causal&(window( 1024 )|prefix(4))&~padding") == And(
        (Causal(), Or((Window(1024), Prefix(4))), Not(Padding()))
    )


def test_that_words_do_for_signs_and_capitals_do_not_matter() -> None:
    assert parse("Causal AND not Padding or !documents") == parse("causal & ~padding | ~documents")


def test_that_each_alignment_of_a_causal_mask_has_a_name() -> None:
    assert parse("causal_bottom_right") == parse("causal") == Causal()
    assert parse("Causal_Top_Left & ~padding") == And((CausalTopLeft(), Not(Padding())))
    assert parse(str(parse("causal_top_left"))) == CausalTopLeft()


@pytest.mark.parametrize(
    ("text", "position", "sentence"),
    [
        ("", 0, r"^The expression is empty: write a term such as causal, .*\(at character 1\)\.$"),
        ("  \n ", 0, r"^The expression is empty"),
        ("causal & causl", 9, r"Unknown term 'causl': did you mean causal\? The terms are .*\(at character 10\)\.$"),
        ("causal &", 8, r"^Expected a term .*, but the expression ends"),
        ("causal documents", 7, r"^Expected an operator .*, but found 'documents'"),
        ("causal & | documents", 9, r"^Expected a term .*, but found '\|'"),
        ("window", 6, r"^window needs a number of tokens: write window\(1024\)"),
        ("window(-3)", 7, r"^'-' is not allowed in a mask"),
        ("window(x)", 7, r"^Expected a whole number of tokens.*, but found 'x'"),
        ("window(3", 6, r"^A parenthesis is never closed"),
        ("prefix(99999999999999999999)", 7, r"^prefix takes at most 1,000,000,000 tokens"),
        ("causal(3)", 6, r"^causal takes no number"),
        ("(causal", 0, r"^A parenthesis is never closed"),
        ("causal)", 6, r"^Expected an operator .*, but found '\)'"),
        ("causal & ½", 9, r"^'½' is not allowed in a mask"),
        ("(" * 100_000, 50, r"nested over 50 levels deep"),
        (" & ".join(["causal"] * 100), 576, r"more than 64 terms"),
    ],
)
def test_that_invalid_text_gives_one_sentence_with_the_position(text: str, position: int, sentence: str) -> None:
    with pytest.raises(MaskSyntaxError, match=sentence) as caught:
        parse(text)
    assert caught.value.position == position
    assert f"(at character {position + 1})." in caught.value.sentence
    assert caught.value.sentence.count("\n") == 0
    assert pickle.loads(pickle.dumps(caught.value)).position == position


@given(text=st.text(max_size=30))
def test_that_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    position = None
    try:
        assert parse(str(parse(text))) == parse(text)
    except MaskSyntaxError as error:
        position = error.position
    assert position is None or 0 <= position <= len(text)


def test_that_the_terms_of_a_mask_are_listed_once_each() -> None:
    mask = parse("causal & ~(window(3) | causal) & window(4)")
    assert terms_of(mask) == (Causal(), Window(3), Window(4))
