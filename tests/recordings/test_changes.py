"""Two runs side by side: what got slower beyond noise, what was lost, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.contracts.text import tr
from core.hardware.noise import Verdict
from core.recordings.changes import NotComparable, changes, matching, regressions
from core.recordings.run import FamilyRun, Point
from tests.recordings.runs import CPU, kernel, missing, point, run, timed, usual


def test_that_the_same_code_recorded_again_has_no_regression() -> None:
    found = regressions(usual(0), usual(1))

    assert not found.found
    assert found.compared == 4
    assert found.threshold == pytest.approx(1.05)


def test_that_a_slowdown_of_ten_percent_is_found_and_a_speed_up_is_none() -> None:
    slower = regressions(usual(0), usual(1, flash_ms=1.1))
    faster = regressions(usual(0), usual(1, flash_ms=0.8))

    assert [(change.impl, change.case["seq_len"]) for change in slower.slower] == [("flash", 1024), ("flash", 2048)]
    assert slower.slower[0].time is not None
    assert 1.08 < slower.slower[0].time.ratio < 1.12
    assert not faster.found


def test_that_less_than_five_percent_is_none_between_runs() -> None:
    assert not regressions(usual(0), usual(1, flash_ms=1.03)).found


def slowed(made: FamilyRun, factor: float) -> FamilyRun:
    """A run on a machine on which everything takes longer, the yardsticks too."""
    return replace(made, ceilings=tuple(replace(ceiling, per_s=ceiling.per_s / factor) for ceiling in made.ceilings))


def test_that_what_the_machine_changed_by_is_not_blamed_on_the_code() -> None:
    base, slower = usual(0), usual(1, flash_ms=1.15)

    assert regressions(base, slower).found
    excused = regressions(base, slowed(slower, 1.2))
    assert not excused.found
    assert excused.threshold == pytest.approx(1.2)


def test_that_a_result_that_became_wrong_is_lost_whatever_its_time() -> None:
    wrong = timed("flash", 1.0, passed=False, time_ms=None, time_ms_samples=(), rms_error=1.0)
    gone = replace(missing("sdpa"), reason=tr("PyTorch sees no GPU on this machine."))

    found = regressions(usual(), run(point(1024, wrong, gone)))

    assert [(change.impl, str(change.lost_reason)) for change in found.lost] == [
        ("flash", "its result is not accurate enough any more"),
        ("sdpa", "PyTorch sees no GPU on this machine."),
    ]


def test_that_cases_are_matched_by_their_values_and_others_left_out() -> None:
    a = run(point(1024, timed("flash", 1.0)), point(512, timed("flash", 1.0)))
    reordered = replace(point(1024, timed("flash", 2.0, 1)), case={"mask": "causal", "seq_len": 1024})
    b = run(reordered, point(2048, timed("flash", 1.0)))

    (change,) = changes(a, b)

    assert change.time is not None
    assert change.time.verdict is Verdict.SLOWER


def test_that_bytes_and_errors_are_compared_too() -> None:
    a = run(point(1024, kernel("flash", 1.0, read_bytes=1 << 20)))
    b = run(point(1024, replace(kernel("flash", 1.0, read_bytes=3 << 20), rms_error=2e-4)))

    (change,) = changes(a, b)

    assert change.byte_ratio == pytest.approx((3 * (1 << 20) + (1 << 18)) / ((1 << 20) + (1 << 18)))
    assert change.error_ratio == pytest.approx(2.0)
    (untraced,) = changes(run(point(1, missing("a"))), run(point(1, missing("a"))))
    assert (untraced.byte_ratio, untraced.error_ratio, untraced.time) == (None, None, None)


def test_that_a_point_at_which_nothing_can_be_run_any_more_is_lost() -> None:
    full = Point(dict(point(1024).case), problem=tr("It needs too much."), out_of_memory=True)

    found = regressions(usual(), run(full))

    assert [(each.impl, str(each.lost_reason)) for each in found.lost] == [
        ("flash", "It needs too much."),
        ("sdpa", "It needs too much."),
    ]
    assert found.found
    assert not regressions(run(full), run(full)).found


def test_that_times_of_different_devices_are_not_compared() -> None:
    with pytest.raises(NotComparable, match=r"recorded on cuda \(NVIDIA H200\), and this run is on cpu \(AMD EPYC\)"):
        regressions(usual(), usual(device=CPU))


def test_that_the_newest_run_of_the_same_family_is_the_baseline() -> None:
    older, newer = usual(0), usual(1, recorded_at="2025-08-01T00:00:00+00:00")
    own = usual(2, family="file", file="mine.py")

    assert matching([older, newer, own], usual(3).subject) == newer
    assert matching([older, own], usual(3, family="file", file="mine.py").subject) == own
    assert matching([older], usual(3, family="file", file="other.py").subject) is None


def test_that_a_run_on_the_same_device_is_the_baseline_where_there_is_one() -> None:
    here, newer = usual(0, device=CPU), usual(1, recorded_at="2025-08-01T00:00:00+00:00")

    assert matching([newer, here], usual(2).subject, CPU) == here
    assert matching([newer], usual(2).subject, CPU) == newer
