from __future__ import annotations

import math

import pytest

from core.contracts.result import Metric, Provenance
from tests.engine.kept import KeptParams, KeptResult


def test_that_a_missing_metric_is_not_a_number() -> None:
    result = KeptResult(params=KeptParams(), metrics={"bytes": Metric(3.5, "bytes", Provenance.TRACED)})
    assert math.isnan(result.value("absent"))
    assert result.value("bytes") == 3.5


@pytest.mark.parametrize("provenance", Provenance)
def test_that_only_numbers_of_a_run_can_be_out_of_date(provenance: Provenance) -> None:
    assert provenance.is_of_a_run is (provenance not in (Provenance.MODELLED, Provenance.RECORDED))
