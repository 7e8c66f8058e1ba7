"""Edits of an expression: each chip action gives the expression that one would write by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.masks import Mask, Not, parse, terms_of
from core.masks.editing import (
    Path,
    added,
    grouped,
    moved,
    negated,
    part,
    removed,
    replaced,
    switched,
    transplanted,
    ungrouped,
)
from core.masks.nodes import Joined
from tests.masks.compositions import masks

TEXT = "causal & (window(4) | ~prefix(2)) & ~padding"


def paths(mask: Mask, path: Path = ()) -> list[Path]:
    children = mask.terms if isinstance(mask, Joined) else (mask.term,) if isinstance(mask, Not) else ()
    return [path, *(below for k, child in enumerate(children) for below in paths(child, (*path, k)))]


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ((0,), "(window(4) | ~prefix(2)) & ~padding"),
        ((1, 0), "causal & ~prefix(2) & ~padding"),
        ((1, 1, 0), "causal & window(4) & ~padding"),
        ((), "all"),
    ],
)
def test_that_a_removed_term_takes_its_not_and_its_lonely_group_with_it(path: Path, left: str) -> None:
    assert str(removed(parse(TEXT), path)) == left


def test_that_terms_are_turned_round_switched_and_added() -> None:
    mask = parse(TEXT)
    assert str(negated(mask, (0,))).startswith("~causal &")
    assert str(negated(mask, (2,))).endswith("& padding")
    assert str(switched(mask, (1,))) == "causal & (window(4) & ~prefix(2)) & ~padding"
    assert str(added(mask, parse("documents"))) == TEXT + " & documents"
    assert str(added(parse("causal | prefix(2)"), parse("documents"))) == "(causal | prefix(2)) & documents"
    assert str(added(parse("all"), parse("documents"))) == "documents"
    assert str(replaced(mask, (1, 0), parse("ahead(3)"))) == "causal & (ahead(3) | ~prefix(2)) & ~padding"
    with pytest.raises(ValueError, match="is not a group"):
        switched(mask, (0,))


def test_that_two_terms_become_a_group_and_a_group_two_terms() -> None:
    mask, path = grouped(parse("causal & window(4) & ~padding"), (2,))
    assert (str(mask), path) == ("causal & (window(4) | ~padding)", (1,))
    assert str(ungrouped(mask, path)) == "causal & window(4) & ~padding"
    assert grouped(parse("causal & padding"), (0,)) == (parse("causal & padding"), (0,))
    assert ungrouped(mask, (0,)) == mask


def test_that_a_term_moves_along_its_group_and_out_of_it() -> None:
    mask, path = moved(parse(TEXT), (0,), 1)
    assert (str(mask), path) == ("(window(4) | ~prefix(2)) & causal & ~padding", (1,))
    mask, path = moved(mask, path, -1)
    assert (str(mask), path) == (TEXT, (0,))
    assert moved(mask, path, -1) == (mask, path)
    mask, path = moved(parse(TEXT), (1, 1), 1)
    assert (str(mask), path) == ("causal & window(4) & ~prefix(2) & ~padding", (2,))


def test_that_a_term_is_carried_into_another_group_and_never_into_itself() -> None:
    mask, path = transplanted(parse(TEXT), (0,), (1,), 1)
    assert (str(mask), path) == ("(window(4) | causal | ~prefix(2)) & ~padding", (0, 1))
    assert transplanted(parse(TEXT), (1,), (1,), 0) == (parse(TEXT), (1,))


@given(masks, st.data())
def test_that_moving_keeps_every_term_and_gives_text_that_reads_back(mask: Mask, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(paths(mask)))
    after, new = moved(mask, path, data.draw(st.sampled_from((-1, 1))))
    assert set(terms_of(after)) == set(terms_of(mask))
    assert parse(str(after)) == after
    part(after, new)


@given(masks, st.data())
def test_that_removing_gives_text_that_reads_back(mask: Mask, data: st.DataObject) -> None:
    after = removed(mask, data.draw(st.sampled_from(paths(mask))))
    assert parse(str(after)) == after
