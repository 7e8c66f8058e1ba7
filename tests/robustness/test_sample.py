"""A small sample of the harness, in every test run: the same attempts each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.robustness.__main__ import KINDS, completeness, main, run_kind, shares
from tests.robustness.attempt import Attempt, Fault, Row, fault_of, why_not_clear

SAMPLE = {"parameters": 300, "checkpoints": 18, "histories": 12, "traces": 18}


@pytest.mark.parametrize("kind", SAMPLE)
def test_that_hostile_input_is_answered(kind: str) -> None:
    row = run_kind(kind, SAMPLE[kind], seconds=60.0)
    assert row.faults == []
    assert row.tried > 0


def test_that_a_fault_is_noticed() -> None:
    def fail() -> None:
        raise Fault("a run is lost")

    def wait() -> None:
        while True:
            pass

    assert fault_of(Attempt("fine", lambda: None)) == ""
    assert "ZeroDivisionError" in fault_of(Attempt("error", lambda: 1 / 0))
    assert fault_of(Attempt("fault", fail)) == "a run is lost"
    assert fault_of(Attempt("endless", wait, limit_s=0.1)) == "no answer after 0 s"
    assert "control character" in why_not_clear("a\x1b[2J")
    assert why_not_clear(" ")


def test_that_a_fault_ends_the_command_with_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from tests.robustness import parameters

    assert main(["parameters", "--only", "3"]) == 0
    assert "| hostile parameter sets | 1 of 10,000 | 1 | 0 |" in capsys.readouterr().out
    monkeypatch.setattr(parameters, "attempts", lambda *_: Attempt("broken", lambda: 1 / 0))
    assert main(["parameters", "--only", "3"]) == 1
    assert "FAULT parameters 3 (broken): ZeroDivisionError" in capsys.readouterr().out


def test_that_time_that_one_kind_leaves_goes_to_the_next() -> None:
    kinds = list(KINDS)
    first = shares(kinds, 1000.0)
    assert shares(kinds[1:], 1000.0 - first / 2) > shares(kinds[1:], 1000.0 - first), "the first took half of its time"
    assert shares(kinds[-1:], 100.0) == 100.0
    assert shares(kinds, -1.0) == 0.0


def test_that_what_was_not_tried_is_told() -> None:
    counts = {"workers": 200, "traces": 3}
    assert completeness([Row("workers", 200), Row("traces", 3)], counts) == "Every kind was complete."
    assert "workers (160 of 200)." in completeness([Row("workers", 160), Row("traces", 3)], counts)


def test_that_every_kind_is_a_module() -> None:
    assert all((Path(__file__).parent / f"{kind}.py").exists() for kind in KINDS)
