"""The training stages compute what TRL computes. Skipped where TRL is not installed: see `make test-peers`."""

from __future__ import annotations

import pytest

pytest.importorskip("trl")

from tests.peers.training import STAGES

TOLERANCE = 1e-5
"""Both sides compute in float32, in other orders."""


@pytest.mark.parametrize("stage", STAGES)
def test_that_a_stage_agrees_with_trl_on_the_same_batch(stage: str) -> None:
    rows = STAGES[stage]()
    assert len(rows) >= 2
    for row in rows:
        assert row.difference < TOLERANCE, f"{row.stage} {row.name}: {row.ours} and {row.theirs}"
