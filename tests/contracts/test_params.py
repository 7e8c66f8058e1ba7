from __future__ import annotations

from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import model_validator

from core.contracts.errors import InvalidParams, UnknownName
from core.contracts.params import Params, choice, number, switch, text


class Shape(Params):
    heads: int = number(8, minimum=1, maximum=64, label="Heads", help="Query heads.", unit="heads")
    kv_heads: int = number(8, minimum=1, maximum=64, label="KV heads", help="Key and value heads.")
    scale: float = number(1.0, minimum=0.0, maximum=2.0, step=0.1, label="Scale", help="Softmax scale.")
    dtype: str = choice("fp16", "fp32", "fp16", label="Precision", help="Element type.")
    tile: int = choice(64, 32, 64, label="Tile", help="Rows.", group="Tiling")
    causal: bool = switch(False, label="Causal", help="Mask the future.")
    file: str = text("", label="File", help="A kernel.", file_filter="Python (*.py)")

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.heads % self.kv_heads:
            raise InvalidParams(f"{self.heads} heads cannot share {self.kv_heads} KV heads.", "kv_heads")
        return self


def test_that_a_form_can_be_built_from_the_specs() -> None:
    specs = {spec.name: spec for spec in Shape.specs()}
    assert list(specs) == ["heads", "kv_heads", "scale", "dtype", "tile", "causal", "file"]
    assert (specs["heads"].kind, specs["heads"].minimum, specs["heads"].maximum) == (int, 1, 64)
    assert (specs["heads"].unit, str(specs["heads"].label), str(specs["heads"].help)) == (
        "heads",
        "Heads",
        "Query heads.",
    )
    assert (specs["scale"].kind, specs["scale"].step) == (float, 0.1)
    assert specs["dtype"].choices == ("fp32", "fp16")
    assert str(specs["tile"].group) == "Tiling"
    assert specs["causal"].kind is bool
    assert (specs["file"].kind, specs["file"].file_filter) == (str, "Python (*.py)")


@given(heads=st.integers(1, 64), causal=st.booleans())
def test_that_texts_parse_as_the_values_they_spell(heads: int, causal: bool) -> None:
    params = Shape.parse({"heads": str(heads), "kv_heads": "1", "causal": str(causal).lower(), "tile": "32"})
    assert params == Shape(heads=heads, kv_heads=1, causal=causal, tile=32)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("heads", "0", "heads = 0 cannot be used: it must lie between 1 and 64 heads."),
        ("heads", "1e99", "heads = 1e99 cannot be used: it must be a whole number between 1 and 64 heads."),
        ("heads", "many", "heads = many cannot be used: it must be a whole number between 1 and 64 heads."),
        ("heads", "9" * 400, None),
        ("scale", "nan", None),
        ("scale", "inf", None),
        ("causal", "maybe", "causal = maybe cannot be used: it must be true or false."),
        ("dtype", "fp4", "dtype = fp4 is not a choice: use one of fp32, fp16."),
        ("tile", "48", "tile = 48 is not a choice: use one of 32, 64."),
        ("tile", "", "tile =  is not a choice: use one of 32, 64."),
        ("file", "x" * 5000, "file is longer than 4,096 characters: give a shorter one."),
        ("kv_heads", "3", "8 heads cannot share 3 KV heads."),
    ],
)
def test_that_a_bad_value_gets_one_sentence_and_names_its_field(name: str, value: str, sentence: str | None) -> None:
    with pytest.raises(InvalidParams) as caught:
        Shape.parse({name: value})
    assert caught.value.field == name
    assert "\n" not in caught.value.sentence
    assert len(caught.value.sentence) < 300
    if sentence is not None:
        assert caught.value.sentence == sentence


def test_that_an_unknown_parameter_is_answered_with_the_closest() -> None:
    with pytest.raises(UnknownName, match=r"no parameter 'head': did you mean heads\? The parameters are heads, "):
        Shape.parse({"head": 4})


def test_that_a_changed_copy_is_validated_and_the_original_kept() -> None:
    params = Shape()
    assert params.changed(heads=16).heads == 16
    with pytest.raises(InvalidParams):
        params.changed(heads=65)
    assert params.heads == 8


_ODD = (float("inf"), -float("inf"), float("nan"), 10**5_000, "x" * 100_000, None, [], object())


@pytest.mark.parametrize("index", range(len(_ODD)))  # the values have no names
@pytest.mark.parametrize("name", ["heads", "scale", "tile"])
def test_that_a_value_of_any_type_is_refused_with_a_short_sentence(name: str, index: int) -> None:
    with pytest.raises(InvalidParams) as caught:
        Shape.parse({name: _ODD[index]})
    assert len(caught.value.sentence) < 300
