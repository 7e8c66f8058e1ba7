"""The verdict on noise, on samples whose truth is known because they are made here."""

from collections.abc import Callable

import numpy as np
import pytest

from core.hardware.noise import Difference, Verdict, difference, is_settled

REPEATS = 400
Samples = tuple[np.ndarray, np.ndarray]
Make = Callable[[np.random.Generator, int], np.ndarray]


def steady(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.exp(0.02 * rng.standard_normal(count))


def with_slow_outliers(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.exp(0.1 * np.abs(rng.standard_t(1.5, count)))


def of_two_modes(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.where(rng.random(count) < 0.3, 1.5, 1.0) * steady(rng, count)


def verdicts(make: Callable[[np.random.Generator], Samples], *, paired: bool) -> list[Verdict]:
    rng = np.random.default_rng(1)
    return [difference(*make(rng), paired=paired).verdict for _ in range(REPEATS)]


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("make", [steady, with_slow_outliers, of_two_modes])
@pytest.mark.parametrize("count", [8, 20])
def test_that_equally_fast_candidates_are_rarely_told_apart(make: Make, count: int, paired: bool) -> None:
    found = verdicts(lambda rng: (make(rng, count), make(rng, count)), paired=paired)

    wrong = sum(verdict in (Verdict.FASTER, Verdict.SLOWER) for verdict in found)
    assert wrong / REPEATS <= 0.03  # 1% is what the test allows; the rest is chance over 400 repeats


@pytest.mark.parametrize("paired", [True, False])
def test_that_a_true_difference_of_five_percent_is_found_at_two_percent_scatter(paired: bool) -> None:
    found = verdicts(lambda rng: (steady(rng, 20), 1.05 * steady(rng, 20)), paired=paired)

    assert found.count(Verdict.SLOWER) / REPEATS >= 0.9
    assert Verdict.FASTER not in found


def test_that_the_drift_which_both_share_cancels_out_only_in_pairs() -> None:
    def drifting(rng: np.random.Generator) -> Samples:
        drift = np.exp(np.cumsum(0.05 * rng.standard_normal(20)))
        return drift * steady(rng, 20), 1.05 * drift * steady(rng, 20)

    paired, unpaired = (verdicts(drifting, paired=paired).count(Verdict.SLOWER) for paired in (True, False))

    assert paired / REPEATS >= 0.9
    assert unpaired / REPEATS <= 0.2


def test_that_rounds_which_resemble_each_other_are_not_counted_as_independent() -> None:
    def slow_phases(rng: np.random.Generator, count: int = 60) -> np.ndarray:
        noise = rng.standard_normal(count + 50)
        for i in range(1, len(noise)):
            noise[i] += 0.9 * noise[i - 1]
        return np.exp(0.02 * noise[50:])

    found = verdicts(lambda rng: (slow_phases(rng), slow_phases(rng)), paired=True)

    wrong = sum(verdict in (Verdict.FASTER, Verdict.SLOWER) for verdict in found)
    assert wrong / REPEATS <= 0.12  # about 0.25 if they were


@pytest.mark.parametrize(("paired", "count"), [(True, 7), (False, 4)])
def test_that_too_few_samples_tell_nothing_apart(paired: bool, count: int) -> None:
    ones = np.ones(count)

    few, enough = (difference(np.ones(n), 2 * np.ones(n), paired=paired) for n in (count, count + 1))

    assert (few.verdict, enough.verdict) == (Verdict.UNKNOWN, Verdict.SLOWER)
    assert few.ratio == pytest.approx(2)
    assert difference(ones[:0], ones, paired=paired).verdict is Verdict.UNKNOWN


def test_that_less_than_one_percent_is_no_verdict_however_sure_it_is() -> None:
    a = np.ones(50)

    assert difference(a, 1.009 * a, paired=True) == Difference(pytest.approx(1.009), *[pytest.approx(1.009)] * 2)
    assert difference(a, 1.009 * a, paired=True).verdict is Verdict.SAME
    assert difference(a, 1.011 * a, paired=True).verdict is Verdict.SLOWER
    assert difference(1.011 * a, a, paired=True).verdict is Verdict.FASTER


def test_that_the_interval_holds_the_ratio_and_shrinks_with_the_samples() -> None:
    rng = np.random.default_rng(2)
    a, b = steady(rng, 64), 1.1 * steady(rng, 64)

    few, many = (difference(a[:n], b[:n], paired=True) for n in (16, 64))

    assert few.low < 1.1 < few.high
    assert many.low < many.ratio < many.high
    assert many.high - many.low < few.high - few.low


def test_that_thousands_of_samples_are_thinned() -> None:
    rng = np.random.default_rng(3)

    assert difference(steady(rng, 5000), 1.2 * steady(rng, 7000), paired=False).verdict is Verdict.SLOWER


def test_that_a_warm_up_has_settled_when_its_medians_agree() -> None:
    assert not is_settled([1.0] * 5)
    assert is_settled([5.0, *[1.0] * 6])
    assert is_settled([1.0, 1.0, 1.0, 1.04, 9.0, 1.04])  # one slow sample is no trend
    assert not is_settled([1.2, 1.1, 1.1, 1.0, 1.0, 1.0])
