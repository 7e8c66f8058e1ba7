"""Copies of a model that do not fit into memory are rejected before they are made."""

from __future__ import annotations

import pytest

from core.contracts.errors import InvalidParams
from core.contracts.text import verbatim
from core.language_model.memory_check import check_memory


def test_that_what_fits_is_let_through() -> None:
    check_memory(1 << 30, 2, verbatim("use a smaller model"), "model", free_bytes=1 << 30)


def test_that_what_does_not_fit_is_refused_in_one_sentence_with_both_sizes() -> None:
    with pytest.raises(InvalidParams) as refused:
        check_memory(3 << 29, 2, verbatim("use a smaller model"), "model", free_bytes=1 << 30)
    assert refused.value.sentence == (
        "Training 2 copies of this model needs 1.5 GiB without activations, but only 1.0 GiB of memory are free: use a "
        "smaller model."
    )
    assert refused.value.field == "model"


def test_that_no_machine_has_room_for_everything() -> None:
    with pytest.raises(InvalidParams):
        check_memory(1 << 62, 2, verbatim("use a smaller model"), "model")
