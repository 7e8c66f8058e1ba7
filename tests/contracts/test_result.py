from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.contracts.result import Environment, Metric, Provenance, Result


def result(**changes: object) -> Result:
    base: dict[str, object] = {
        "topic": "flash-attention",
        "params": {"seq_len": 512, "causal": True},
        "environment": Environment("cpu", "TTIR interpreter", {"torch": "2.13.0"}),
        "metrics": {"bytes": Metric(3.5, "bytes", Provenance.TRACED, "whole grid")},
        "arrays": {"a.b": np.arange(6).reshape(2, 3)},
        "tables": {"traffic": [{"tensor": "Q", "read_bytes": 12, "reason": None}]},
    }
    return Result(**{**base, **changes})  # type: ignore[arg-type]


@given(hnp.arrays(st.sampled_from([np.float32, np.int32, np.uint8, np.bool_]), hnp.array_shapes(max_side=4)))
def test_that_a_result_survives_storage_to_the_bit(array: np.ndarray) -> None:
    before = result(arrays={"a.b/c": array})
    after = Result.from_bytes(before.to_bytes())
    assert (after.topic, after.params, after.environment) == (before.topic, before.params, before.environment)
    assert (after.metrics, after.tables) == (before.metrics, before.tables)
    assert after.arrays["a.b/c"].dtype == array.dtype
    assert after.arrays["a.b/c"].tobytes() == array.tobytes()


def test_that_a_missing_metric_is_not_a_number() -> None:
    assert math.isnan(result().value("absent"))
    assert result().value("bytes") == 3.5


def test_that_storage_refuses_what_would_need_pickle() -> None:
    stored = result(arrays={"objects": np.array([object()], dtype=object)}).to_bytes
    with pytest.raises((ValueError, TypeError)):
        Result.from_bytes(stored())
