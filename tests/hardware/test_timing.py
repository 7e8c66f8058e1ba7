import itertools
import math
import os
from collections.abc import Callable

import pytest
import torch

from core.contracts.text import Text
from core.hardware.timing import (
    Candidate,
    Check,
    Measurement,
    Method,
    Unverified,
    check_against,
    measure,
    measuring,
)

PASSED = Check(max_abs_error=1e-6, rms_error=1e-7, allowed_rms_error=1e-6)
WRONG = Check(1.0, 0.5, 1e-3)


def recording(calls: list[str], name: str) -> Callable[[], object]:
    return lambda: calls.append(name)


def busy() -> object:
    x = torch.ones(300, 300)
    return x @ x @ x


def quickly(*candidates: Candidate, rounds: int = 3, warm_up_rounds: int = 0, **options: object) -> Measurement:
    return measure(candidates, "cpu", rounds=rounds, warm_up_rounds=warm_up_rounds, **options)  # type: ignore[arg-type]


def test_that_candidates_take_turns_and_every_second_turn_is_reversed() -> None:
    calls: list[str] = []
    x = torch.ones(400, 400)
    candidates = [Candidate(name, lambda name=name: (calls.append(name), x @ x @ x @ x), PASSED) for name in "ABC"]

    timings = quickly(*candidates, rounds=4).timings

    assert [name for name, _ in itertools.groupby(calls)] == [*"ABC", *"BA", *"BC", *"BA"]
    assert all(timings[name].samples_ms.shape == (4,) for name in "ABC")


def test_that_median_and_quartiles_describe_the_samples() -> None:
    x = torch.randn(64, 64)

    timing = quickly(Candidate("matmul", lambda: x @ x, PASSED), rounds=8).timings["matmul"]

    assert timing.device == "cpu"
    assert timing.peak_memory_bytes is None
    low, high = timing.quartiles_ms
    assert timing.samples_ms.min() <= low <= timing.median_ms <= high <= timing.samples_ms.max()
    assert timing.spread_ms == high - low


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        (None, "was not checked against a reference"),
        (WRONG, r"its RMS error is 5\.00e-01, and at most 1\.00e-03 is allowed"),
        (Check(math.nan, math.nan, 1e-3), "its RMS error is nan"),
    ],
)
def test_that_nothing_runs_while_one_candidate_is_unverified(check: Check | None, sentence: str) -> None:
    calls: list[str] = []
    candidates = [
        Candidate("good", recording(calls, "good"), PASSED), Candidate("bad", recording(calls, "bad"), check)
    ]  # fmt: skip

    with pytest.raises(Unverified, match=f"^bad is not timed: .*{sentence}"):
        measure(candidates, "cpu")

    assert calls == []


def test_that_one_that_is_wrong_after_its_timing_gets_no_time_and_says_so() -> None:
    lasting = Candidate("lasting", busy, PASSED, check_again=lambda: PASSED)
    spoilt = Candidate("spoilt", busy, PASSED, check_again=lambda: WRONG)

    measured = quickly(spoilt, lasting)

    assert list(measured.timings) == ["lasting"]
    assert "right before it was timed, but afterwards its RMS error is 5.00e-01" in str(measured.failures["spoilt"])


def test_that_one_that_raises_is_left_out_and_the_others_go_on() -> None:
    calls = itertools.count()

    def fails_later() -> None:
        if next(calls) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    measured = quickly(Candidate("fails", fails_later, PASSED), Candidate("busy", busy, PASSED), rounds=5)

    assert measured.timings["busy"].samples_ms.size == 5
    assert "fails" not in measured.timings
    assert isinstance(measured.failures["fails"], torch.OutOfMemoryError)


def test_that_the_budget_ends_a_long_measurement_after_three_rounds() -> None:
    measured = quickly(Candidate("long", busy, PASSED), rounds=1000, budget_s=0.0)

    assert measured.timings["long"].samples_ms.size == 3
    assert measured.conditions.rounds == 3


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([9.0, 4.0, 2.0, *[1.0] * 20], (8, True)),
        ([1.0] * 20, (6, True)),
        ([1.3**-i for i in range(20)], (10, False)),
    ],
)
def test_that_a_warm_up_ends_when_the_times_have_settled_and_not_before(
    times: list[float], expected: tuple[int, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Scripted:
        method = Method.WALL_CLOCK

        def __init__(self) -> None:
            self.times = iter(times)

        def sample_ms(self, name: str, run: Callable[[], object]) -> float:
            return next(self.times)

    monkeypatch.setattr(measuring, "sampler_for", lambda device, method: Scripted())

    measured = quickly(Candidate("x", busy, PASSED), warm_up_rounds=10)

    assert (measured.conditions.warm_up_rounds, measured.conditions.is_settled) == expected
    assert measured.timings["x"].samples_ms.tolist() == times[expected[0] :][:3]


def test_that_the_conditions_are_stated() -> None:
    before = torch.get_num_threads(), os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    threads: list[int] = []

    measured = quickly(Candidate("busy", lambda: threads.append(torch.get_num_threads()), PASSED), threads=1)

    conditions = measured.conditions
    assert set(threads) == {1}
    assert (conditions.threads, conditions.method, conditions.rounds) == (1, "wall clock", 3)
    if before[1] is not None:
        assert len(conditions.cores) == (0 if len(before[1]) == 1 else 1)
        assert conditions.load_before is not None
        assert os.sched_getaffinity(0) == before[1]
    assert conditions.clocks is None
    assert torch.get_num_threads() == before[0]


def test_that_the_progress_callback_can_stop_the_measurement() -> None:
    phases: list[tuple[float, str]] = []

    def stop(done: float, total: float, phase: Text) -> None:
        phases.append((total, str(phase)))
        if phases[-1] == (5, "timing") and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quickly(Candidate("x", busy, PASSED), rounds=5, warm_up_rounds=1, progress=stop)

    assert phases == [(1, "warming up"), *[(5, "timing")] * 3]


def test_that_a_check_measures_the_error_in_float64() -> None:
    reference = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    out = (reference + torch.tensor([0.0, 0.5, 0.0, 0.0])).half()

    check = check_against(out, reference, allowed_rms_error=0.3)

    assert (check.max_abs_error, check.rms_error, check.passed) == (0.5, 0.25, True)
    assert not check_against(torch.full((4,), torch.nan), reference, allowed_rms_error=1e9).passed
