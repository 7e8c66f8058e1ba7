"""Autotuned kernels that change what they read are found, unless the tuner restores it."""

from __future__ import annotations

import pytest

from core.interpreter import intercept, tuned_in_place
from core.trace.record import Fault
from tests.sanitizer import tuning_kernels as kernels


def found(name: str) -> list[Fault]:
    with intercept(faults="record") as tracer:
        getattr(kernels, name)()
    return [fault for fault in tracer.launches[-1].faults if fault.kind == "tuned in place"]


@pytest.mark.parametrize(
    "name",
    [
        "restored",
        "reset",
        "reset_by_a_hook",
        "into_another",
        "one_configuration",
        "reads_back_its_own",
        "lock_that_is_free_again",
        "the_same_again",
    ],
)
def test_that_what_is_restored_or_only_written_is_no_finding(name: str) -> None:
    assert found(name) == []


@pytest.mark.parametrize(("name", "count", "after"), [("in_place", 1000, "2"), ("sum_on_top", 1, "1000")])
def test_that_what_a_run_changes_and_the_next_one_reads_is_found(name: str, count: int, after: str) -> None:
    finding = found(name)[0]
    assert (finding.severity, finding.index, finding.count, finding.value) == ("fault", 0, count, after)
    assert "restore_value" in str(finding.repair)


def test_that_a_launch_that_changes_a_tensor_too_large_to_keep_is_not_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tuned_in_place, "_MOST_BYTES", 4000)
    with intercept(faults="record") as tracer:
        counts = kernels.beside_a_larger_tensor()
    assert counts.max() == 1
    assert [fault.kind for fault in tracer.launches[-1].faults] == ["tuned in place"]
