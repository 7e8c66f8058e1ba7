from __future__ import annotations

import pytest

from core.contracts.errors import InvalidParams, TilescopeError, UnknownName
from core.contracts.place import Place


def test_that_a_place_has_the_defaults_for_what_it_does_not_set() -> None:
    params = Place("flash-attention", {"block_q": 128}).params
    assert params == type(params)().changed(block_q=128)


@pytest.mark.parametrize(
    ("place", "error", "named"),
    [
        (Place("flash"), UnknownName, "flash-attention"),
        (Place("masks", {"seqlen": 4}), UnknownName, "seqlen"),
        (Place("masks", {"preset": "nothing"}), InvalidParams, "nothing"),
        (Place("masks", {}, "", {"a b": 1}), UnknownName, "a b"),
        (Place("masks", {}, "", {"row": 1.5}), TilescopeError, "row"),  # type: ignore[dict-item]
        (Place("masks", {}, "", {f"kind{number}": 1 for number in range(1000)}), TilescopeError, "60"),
    ],
)
def test_that_what_does_not_exist_is_named_in_one_sentence(
    place: Place, error: type[TilescopeError], named: str
) -> None:
    with pytest.raises(error) as caught:
        place.check()
    assert named in caught.value.sentence


def test_that_a_card_is_compared_with_those_of_the_page() -> None:
    Place("masks", card="matrix").check(["matrix", "tiles"])
    Place("masks").check(["matrix"])
    with pytest.raises(UnknownName, match="matrix, tiles"):
        Place("masks", card="martix").check(["matrix", "tiles"])
