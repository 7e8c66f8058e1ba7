from __future__ import annotations

import pytest

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text


@pytest.mark.parametrize(
    ("expected", "verdict", "surprised"),
    [
        (Verdict.HOLDS, Verdict.HOLDS, False),
        (Verdict.HOLDS, Verdict.HOLDS_WITH_LIMIT, False),
        (Verdict.HOLDS, Verdict.DOES_NOT_HOLD, True),
        (Verdict.HOLDS, Verdict.NOT_TESTED, False),
        (Verdict.DOES_NOT_HOLD, Verdict.DOES_NOT_HOLD, False),
        (Verdict.DOES_NOT_HOLD, Verdict.HOLDS, True),
        (Verdict.DOES_NOT_HOLD, Verdict.NOT_TESTED, False),
    ],
)
def test_that_only_a_contradicted_expectation_surprises(expected: Verdict, verdict: Verdict, surprised: bool) -> None:
    claim = Claim("c", Text("en", "zh"), "paper", lambda result: Finding(verdict, ""), expected)
    assert claim.is_surprised_by(Finding(verdict, "evidence")) is surprised
