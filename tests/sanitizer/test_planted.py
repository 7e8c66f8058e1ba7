"""The generated pairs of `python -m tests.sanitizer`, and a few of them run: faults are found, twins are clean."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.sanitizer.kinds import (
    ADDRESS_OVERFLOW_AHEAD,
    BROKEN_HINT,
    CAST_OVERFLOW,
    CONFIGURATION_CHANGES_RESULT,
    NAN_BORN,
    NO_PROGRESS,
    OUT_OF_BOUNDS,
    WRITE_WRITE_RACE,
)
from tests.sanitizer.planted import findings_of, pairs

pytest.importorskip("triton")

PAIRS = list(pairs())


def test_that_there_are_many_different_pairs() -> None:
    assert len({pair.faulty for pair in PAIRS}) == len(PAIRS) >= 200
    assert {pair.faulty for pair in PAIRS}.isdisjoint(pair.correct for pair in PAIRS)


@pytest.mark.parametrize(
    ("base", "name", "kind"),
    [
        ("elementwise", "drop the mask of a load", OUT_OF_BOUNDS),
        ("sum", "drop the atomic", WRITE_WRITE_RACE),
        ("layer norm", "drop the mask of a store", WRITE_WRITE_RACE),
        ("turns", "pass on two turns", NO_PROGRESS),
        ("tuned scale", "a grid of one configuration", CONFIGURATION_CHANGES_RESULT),
        ("copy of rows", "drop the cast to int64", ADDRESS_OVERFLOW_AHEAD),
        ("rotation", "promise too much", BROKEN_HINT),
        ("scale to float16", "cast before scaling", CAST_OVERFLOW),
        ("masked online softmax", "drop the guard of an empty row", NAN_BORN),
    ],
)
def test_that_a_planted_fault_is_found_and_its_twin_is_clean(base: str, name: str, kind: str, tmp_path: Path) -> None:
    pair = next(pair for pair in PAIRS if (pair.base, pair.plant.name) == (base, name))
    assert kind in {row.kind for row in findings_of(pair.faulty, tmp_path)}
    assert [str(row.sentence) for row in findings_of(pair.correct, tmp_path) if row.severity == "fault"] == []
