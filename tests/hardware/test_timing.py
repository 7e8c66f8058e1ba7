import itertools
import math
from collections.abc import Callable

import pytest
import torch

from core.contracts.text import Text
from core.hardware.timing import Candidate, Check, Unverified, check_against, time_candidates

PASSED = Check(max_abs_error=1e-6, rms_error=1e-7, allowed_rms_error=1e-6)


def recording(calls: list[str], name: str) -> Callable[[], object]:
    return lambda: calls.append(name)


def test_that_candidates_take_turns() -> None:
    calls: list[str] = []
    busy = torch.ones(400, 400)
    candidates = [
        Candidate(name, lambda name=name: (calls.append(name), busy @ busy @ busy @ busy), PASSED) for name in "ABC"
    ]

    timings = time_candidates(candidates, "cpu", rounds=4, warm_up_rounds=0)

    assert [name for name, _ in itertools.groupby(calls)] == ["A", "B", "C"] * 4
    assert all(timings[name].samples_ms.shape == (4,) for name in "ABC")


def test_that_median_and_spread_describe_the_samples() -> None:
    x = torch.randn(64, 64)

    timing = time_candidates([Candidate("matmul", lambda: x @ x, PASSED)], "cpu", rounds=8)["matmul"]

    assert timing.device == "cpu"
    assert timing.peak_memory_bytes is None
    assert timing.samples_ms.min() <= timing.median_ms <= timing.samples_ms.max()
    assert 0 <= timing.spread_ms <= timing.samples_ms.max() - timing.samples_ms.min()


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (None, "was not checked against a reference"),
        (Check(1.0, 0.5, 1e-3), r"its RMS error is 5\.00e-01, and at most 1\.00e-03 is allowed"),
        (Check(math.nan, math.nan, 1e-3), "its RMS error is nan"),
    ],
)
def test_that_nothing_runs_while_one_candidate_is_unverified(check: Check | None, sentence: str) -> None:
    calls: list[str] = []
    candidates = [
        Candidate("good", recording(calls, "good"), PASSED), Candidate("bad", recording(calls, "bad"), check)
    ]  # fmt: skip

    with pytest.raises(Unverified, match=f"^bad is not timed: .*{sentence}"):
        time_candidates(candidates, "cpu")

    assert calls == []


def test_that_the_budget_ends_a_long_measurement_after_three_rounds() -> None:
    x = torch.randn(300, 300)

    timing = time_candidates([Candidate("long", lambda: x @ x, PASSED)], "cpu", rounds=1000, budget_s=0.0)["long"]

    assert timing.samples_ms.size == 3


def test_that_the_progress_callback_can_stop_the_measurement() -> None:
    def stop(done: float, total: float, phase: Text) -> None:
        assert (total, str(phase)) == (5, "timing")
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        time_candidates([Candidate("x", lambda: None, PASSED)], "cpu", rounds=5, progress=stop)


def test_that_a_check_measures_the_error_in_float64() -> None:
    reference = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    out = (reference + torch.tensor([0.0, 0.5, 0.0, 0.0])).half()

    check = check_against(out, reference, allowed_rms_error=0.3)

    assert (check.max_abs_error, check.rms_error, check.passed) == (0.5, 0.25, True)
    assert not check_against(torch.full((4,), torch.nan), reference, allowed_rms_error=1e9).passed
