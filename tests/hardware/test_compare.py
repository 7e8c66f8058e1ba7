"""The harness that compares implementations: fakes that are right, wrong, missing, raising and emulated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch

from core.comparison import ImplResult, error_metrics, time_metrics
from core.contracts.result import Provenance
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.hardware.compare import Comparison, Implementation, allowed_rms_error, checked
from kernels.errors import InvalidInputs, Unavailable

CPU = torch.device("cpu")
REFERENCE = torch.tensor([3.0, 4.0], dtype=torch.float64)
RIGHT = torch.tensor([3.0, 4.0])
WRONG = torch.tensor([3.0, 5.0])


def assess(result: ImplResult, out: torch.Tensor) -> ImplResult:
    return checked(result, out, REFERENCE, allowed_rms_error=1e-6)


def comparison_of(*implementations: Implementation[ImplResult], flops: float | None = None) -> Comparison[ImplResult]:
    return Comparison(implementations, assess, CPU, warm_up_rounds=0, budget_s=0.0, flops=flops)


def giving(impl: str, out: torch.Tensor) -> Implementation[ImplResult]:
    return Implementation(ImplResult(impl, verbatim(impl.title())), lambda: out)


def raising(impl: str, error: BaseException) -> Implementation[ImplResult]:
    def run() -> torch.Tensor:
        raise error

    return Implementation(ImplResult(impl, verbatim(impl.title())), run)


def test_that_only_what_passed_its_check_has_a_time() -> None:
    comparison = comparison_of(giving("right", RIGHT), giving("wrong", WRONG), giving("nan", RIGHT * torch.nan))
    right, wrong, nan = comparison.time(comparison.check())
    assert (right.passed, right.runs_on, right.max_abs_error, right.reason) == (True, "cpu", 0.0, EMPTY)
    assert right.time_ms is not None
    assert len(right.time_ms_samples) == 3
    assert min(right.time_ms_samples) <= right.time_ms <= max(right.time_ms_samples)
    assert (wrong.passed, wrong.max_abs_error, wrong.time_ms, wrong.time_ms_samples) == (False, 1.0, None, ())
    assert (nan.passed, nan.max_abs_error, nan.rms_error, nan.allowed_rms_error) == (False, None, None, 1e-6)
    assert nan.time_ms is None


def test_that_what_was_not_checked_is_not_timed() -> None:
    comparison = comparison_of(giving("right", RIGHT))
    unchecked = (ImplResult("right", verbatim("Right"), "cpu"),)
    assert comparison.time(unchecked) == unchecked


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("It takes\nmultiples of 16."), "It takes"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_that_one_that_raises_is_reported_and_the_others_are_still_compared(error: Exception, reason: str) -> None:
    comparison = comparison_of(raising("broken", error), giving("right", RIGHT))
    broken, right = comparison.time(comparison.check())
    assert broken == ImplResult("broken", verbatim("Broken"), "unavailable", verbatim(reason))
    assert right.passed
    assert right.time_ms is not None


def test_that_the_reason_of_a_kernel_is_a_message_that_can_be_translated() -> None:
    comparison = comparison_of(raising("broken", InvalidInputs("It takes multiples of {block}.", block=16)))
    (broken,) = comparison.check()
    assert broken.reason == tr("It takes multiples of {block}.", block=16)


def test_that_an_error_in_the_assessment_is_not_blamed_on_the_implementation() -> None:
    comparison = comparison_of(giving("right", torch.ones(3)))
    with pytest.raises(RuntimeError, match="size"):
        comparison.check()


def test_that_an_emulated_output_is_checked_and_never_timed() -> None:
    emulated = Implementation(ImplResult("triton", verbatim("Triton")), out=RIGHT)
    comparison = comparison_of(emulated, giving("right", RIGHT))
    result, right = comparison.time(comparison.check())
    assert (result.runs_on, result.passed, result.time_ms) == ("emulated", True, None)
    assert result.provenance is Provenance.TRACED
    assert result.measured is right.provenance is Provenance.MEASURED_CPU


def test_that_an_output_that_already_exists_is_checked_without_a_run() -> None:
    calls: list[int] = []

    def run() -> torch.Tensor:
        calls.append(1)
        return RIGHT

    comparison = comparison_of(Implementation(ImplResult("plain", verbatim("Plain")), run, RIGHT))
    (result,) = comparison.check()
    assert (result.runs_on, result.passed, calls) == ("cpu", True, [])
    assert comparison.time((result,))[0].time_ms is not None
    assert calls


def test_that_one_that_is_wrong_after_its_timing_loses_its_time() -> None:
    outputs = iter([RIGHT])

    def run() -> torch.Tensor:
        return next(outputs, WRONG)

    comparison = comparison_of(Implementation(ImplResult("spoilt", verbatim("Spoilt")), run))
    (result,) = comparison.time(comparison.check())
    assert (result.passed, result.time_ms) == (False, None)
    assert "right before it was timed" in str(result.reason)


def test_that_one_without_run_and_output_keeps_its_reason() -> None:
    missing = ImplResult("cudnn", verbatim("cuDNN"), reason=tr("sdpa-cudnn needs an NVIDIA GPU."))
    comparison = comparison_of(Implementation(missing))
    assert comparison.time(comparison.check()) == (missing,)
    assert missing.runs_on == "unavailable"


def test_that_implementations_take_turns() -> None:
    calls: list[str] = []

    def recording(impl: str) -> Callable[[], torch.Tensor]:
        def run() -> torch.Tensor:
            if calls[-1:] != [impl]:
                calls.append(impl)
            return RIGHT

        return run

    comparison = comparison_of(*(Implementation(ImplResult(impl, verbatim(impl)), recording(impl)) for impl in "AB"))
    results = comparison.check()
    calls.clear()
    comparison.time(results)
    assert "".join(calls) == "ABABAB"  # A B, B A, A B, and then the check of each


def test_that_progress_names_each_one_and_a_cancel_leaves_what_is_done() -> None:
    phases: list[tuple[float, float, Text]] = []
    comparison = comparison_of(giving("right", RIGHT), giving("wrong", WRONG))
    results = comparison.check(lambda *progress: phases.append(progress))
    assert [(*done, str(phase)) for *done, phase in phases] == [(0, 2, "checking Right"), (1, 2, "checking Wrong")]

    def cancel(done: float, total: float, phase: Text) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        comparison.time(results, cancel)
    assert [(result.passed, result.time_ms) for result in results] == [(True, None), (False, None)]


def test_that_a_cancel_is_not_taken_for_an_implementation_that_raises() -> None:
    comparison = comparison_of(raising("stopped", KeyboardInterrupt()), giving("right", RIGHT))
    with pytest.raises(KeyboardInterrupt):
        comparison.check()


def test_that_flops_become_a_rate() -> None:
    comparison = comparison_of(giving("right", RIGHT), flops=2e9)
    (result,) = comparison.time(comparison.check())
    assert result.tflops == pytest.approx(2 / result.time_ms)


@dataclass(frozen=True)
class Named(ImplResult):
    extra: int | None = None


def test_that_a_result_of_a_topic_keeps_its_type_and_its_own_fields() -> None:
    def assess_named(result: Named, out: torch.Tensor) -> Named:
        return checked(replace(result, extra=7), out, REFERENCE, 1e-6)

    comparison = Comparison((Implementation(Named("right", verbatim("Right")), lambda: RIGHT),), assess_named, CPU)
    results = comparison.time(comparison.check())
    assert isinstance(results[0], Named)
    assert (results[0].extra, results[0].passed) == (7, True)
    assert results[0].time_ms is not None


def test_that_three_times_the_error_of_plain_pytorch_is_allowed_and_never_less_than_rounding() -> None:
    assert allowed_rms_error(torch.tensor([3.0, 4.0 + 2**0.5]), REFERENCE) == pytest.approx(3.0)
    rounding = torch.finfo(torch.float32).eps / 2 * 12.5**0.5
    assert allowed_rms_error(RIGHT, REFERENCE) == pytest.approx(rounding)


def test_that_a_single_number_may_be_off_by_eight_roundings_of_its_precision() -> None:
    loss = torch.tensor(10.3, dtype=torch.float64)

    for dtype in (torch.float32, torch.bfloat16):
        exact = loss.to(dtype).double()
        assert allowed_rms_error(exact.to(dtype), exact) == pytest.approx(4 * torch.finfo(dtype).eps * float(exact))


def test_that_what_is_prepared_is_done_once_before_the_check_and_not_timed() -> None:
    calls: list[str] = []

    def run() -> torch.Tensor:
        calls.append("run")
        return RIGHT

    made = Implementation(ImplResult("a", verbatim("A")), run, prepare=lambda: calls.append("prepare"))
    comparison = comparison_of(made)
    comparison.time(comparison.check())

    assert calls[0] == "prepare"
    assert calls.count("prepare") == 1
    assert len(calls) > 4


def test_that_an_implementation_that_cannot_be_prepared_says_why() -> None:
    def prepare() -> None:
        raise Unavailable("needs a CUDA GPU.")

    made = Implementation(ImplResult("a", verbatim("A")), lambda: RIGHT, prepare=prepare)
    (result,) = comparison_of(made).check()

    assert (result.passed, str(result.reason)) == (None, "needs a CUDA GPU.")


def test_that_a_nan_error_is_a_metric_that_fails_every_claim() -> None:
    (nan,) = comparison_of(giving("nan", RIGHT * torch.nan)).check()
    metrics = error_metrics("flash", nan, tr("against float64"))
    assert set(metrics) == {"flash.max_abs_error", "flash.rms_error", "flash.allowed_rms_error"}
    assert not metrics["flash.rms_error"].value <= metrics["flash.allowed_rms_error"].value
    assert error_metrics("flash", ImplResult("x", verbatim("X")), EMPTY) == time_metrics("flash", nan) == {}


def test_that_a_time_is_a_metric_with_its_spread() -> None:
    timed = ImplResult("a", verbatim("A"), "cuda", time_ms=3.0, time_ms_samples=(1.0, 2.0, 3.0, 4.0, 5.0))
    metric = time_metrics("a", timed)["a.time_ms"]
    assert (metric.value, metric.unit, metric.provenance) == (3.0, "ms", Provenance.MEASURED)
    assert str(metric.note) == "median of 5, interquartile range 2 ms"
