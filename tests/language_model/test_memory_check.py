"""Copies of a model are refused before they are made, where they do not fit."""

from __future__ import annotations

import pytest

from core.contracts.errors import InvalidParams
from core.language_model.memory_check import check_memory


def test_that_what_fits_is_let_through() -> None:
    check_memory(1 << 30, "Two runs train a copy each", "take a smaller model", "model", free_bytes=1 << 30)


def test_that_what_does_not_fit_is_refused_in_one_sentence_with_both_sizes() -> None:
    with pytest.raises(InvalidParams) as refused:
        check_memory(3 << 29, "Two runs train a copy each", "take a smaller model", "model", free_bytes=1 << 30)
    assert refused.value.sentence == (
        "Two runs train a copy each, 1.5 GiB without their activations, and 1.0 GiB of memory are free: take a smaller "
        "model."
    )
    assert refused.value.field == "model"


def test_that_no_machine_has_room_for_everything() -> None:
    with pytest.raises(InvalidParams):
        check_memory(1 << 62, "Two runs train a copy each", "take a smaller model", "model")
