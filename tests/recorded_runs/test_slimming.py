"""A run becomes small without losing a number that somebody reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.contracts.archive import Array
from core.contracts.params import Params
from core.contracts.result import Metric, Provenance, Result
from core.contracts.text import verbatim
from core.paths import data_folder
from core.recorded_runs.slimming import KEPT_BITS, _rounded_array, slim
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.result import FlashAttentionResult, SoftmaxStates
from core.user_code.paths import PROJECT

LARGE = 2048
NUMBERS = st.floats(width=32, allow_nan=True, allow_infinity=True, allow_subnormal=False)


@dataclass(frozen=True)
class Part:
    values: Array
    name: str = "part"


@dataclass(frozen=True, kw_only=True)
class NestedResult(Result):
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)


@given(arrays(np.float32, LARGE, elements=NUMBERS, fill=NUMBERS))
def test_that_rounding_is_within_its_limit_and_keeps_what_is_not_finite(values: np.ndarray) -> None:
    rounded = _rounded_array(values)
    assert rounded.dtype == np.float32
    finite = np.isfinite(values)
    np.testing.assert_array_equal(rounded[~finite], values[~finite])
    error = np.abs(rounded[finite].astype(np.float64) - values[finite].astype(np.float64))
    assert np.all(error <= np.abs(values[finite].astype(np.float64)) * 2.0**-KEPT_BITS)


def test_that_only_large_arrays_of_float32_are_rounded_wherever_they_are() -> None:
    exact = np.full(LARGE, 1 / 3)
    parts = (Part(exact.astype(np.float32)), Part(exact), Part(np.float32([1 / 3])))
    metrics = {"loss": Metric(1 / 3, "", Provenance.MEASURED_CPU)}
    result = NestedResult(params=Params(), metrics=metrics, parts={"a": parts, "b": ()})
    slimmed = slim(result)
    assert isinstance(slimmed, NestedResult)
    large, double, small = slimmed.parts["a"]
    assert large.values[0] != np.float32(1 / 3)
    assert abs(large.values[0] - 1 / 3) < 1e-4
    assert double is parts[1]
    assert small is parts[2]
    assert slimmed.metrics == metrics


def test_that_folders_of_this_machine_are_left_out() -> None:
    text = f'loc("{PROJECT / "kernels" / "flash.py"}":3) and {data_folder() / "log.jsonl"}'
    provenance = Metric(1.0, "", Provenance.TRACED, verbatim(text))
    slimmed = slim(NestedResult(params=Params(), metrics={text: provenance}, parts={"a": (Part(np.zeros(1), text),)}))
    assert isinstance(slimmed, NestedResult)
    assert slimmed.parts["a"][0].name == 'loc("kernels/flash.py":3) and log.jsonl'
    [metric] = slimmed.metrics.values()
    assert str(metric.note) == slimmed.parts["a"][0].name
    assert metric.provenance is Provenance.TRACED


def test_that_the_accumulator_becomes_its_norm() -> None:
    accumulator = np.random.default_rng(0).random((4, 2, 8), np.float32)
    params = FlashAttentionParams()
    slimmed = slim(FlashAttentionResult(params=params, softmax=SoftmaxStates(accumulator=accumulator)))
    assert isinstance(slimmed, FlashAttentionResult)
    assert slimmed.softmax is not None
    assert slimmed.softmax.accumulator is None
    np.testing.assert_allclose(slimmed.softmax.accumulator_norm, np.linalg.norm(accumulator, axis=-1), rtol=1e-6)
    unchanged = FlashAttentionResult(params=params)
    assert slim(replace(unchanged, softmax=None)).params == params
