"""Runs as flat rows, for CSV, JSON and tables: one per contender and point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from core.hardware.noise import Verdict
from core.recordings.run import FamilyRun, Outcome, Point, share_of_ceiling


def rows_of(runs: Iterable[FamilyRun]) -> list[dict[str, Any]]:
    """Every row has the same columns: those of all cases, then the numbers; None for what a row does not have.

    Reasons are in the current language, names and verdicts the same in all.
    """
    runs = list(runs)
    axes = list(dict.fromkeys(name for run in runs for point in run.points for name in point.case))
    return [
        {**_head(run), **{name: point.case.get(name) for name in axes}, **row}
        for run in runs
        for point in run.points
        for row in _rows(run, point)
    ]


def _head(run: FamilyRun) -> dict[str, Any]:
    return {
        "recorded_at": run.recorded_at,
        "device": run.device.label,
        "commit": run.commit,
        "family": run.family,
        "file": run.file,
    }


def _rows(run: FamilyRun, point: Point) -> Iterable[dict[str, Any]]:
    if not point.outcomes:
        yield {**_empty(), "reason": str(point.problem), "out_of_memory": point.out_of_memory}
    for outcome in point.outcomes:
        yield _row(run, point, outcome)


def _row(run: FamilyRun, point: Point, outcome: Outcome) -> dict[str, Any]:
    compared = point.difference(run.baseline, outcome.impl)
    share = share_of_ceiling(run, point, outcome)
    traced, band = outcome.traced, outcome.modelled
    known = compared is not None and compared.verdict is not Verdict.UNKNOWN
    return {
        **_empty(),
        "impl": outcome.impl,
        "runs_on": outcome.runs_on,
        "time_ms": outcome.time_ms,
        "spread_ms": outcome.spread_ms if outcome.time_ms_samples else None,
        "samples": len(outcome.time_ms_samples) or None,
        "tflops": outcome.tflops,
        "share_of_ceiling": None if share is None else share[1],
        "ceiling": None if share is None else share[0],
        "times_baseline": None if compared is None else compared.ratio,
        "times_baseline_low": compared.low if compared is not None and known else None,
        "times_baseline_high": compared.high if compared is not None and known else None,
        "verdict": None if compared is None else compared.verdict.value,
        "max_abs_error": outcome.max_abs_error,
        "rms_error": outcome.rms_error,
        "allowed_rms_error": outcome.allowed_rms_error,
        "passed": outcome.passed,
        "peak_memory_bytes": outcome.peak_memory_bytes,
        "read_bytes": None if traced is None else traced.read_bytes,
        "written_bytes": None if traced is None else traced.written_bytes,
        "unique_bytes": None if traced is None else traced.unique_bytes,
        "product_flops": None if traced is None else traced.product_flops,
        "modelled_gpu": None if band is None else band.gpu,
        "modelled_low_ms": None if band is None else band.low_ms,
        "modelled_high_ms": None if band is None else band.high_ms,
        "out_of_memory": outcome.out_of_memory,
        "reason": str(outcome.reason),
    }


def _empty() -> dict[str, Any]:
    """The columns of a row, without values."""
    return dict.fromkeys(COLUMNS)


COLUMNS = (
    "impl", "runs_on", "time_ms", "spread_ms", "samples", "tflops", "share_of_ceiling", "ceiling", "times_baseline",
    "times_baseline_low", "times_baseline_high", "verdict", "max_abs_error", "rms_error", "allowed_rms_error", "passed",
    "peak_memory_bytes", "read_bytes", "written_bytes", "unique_bytes", "product_flops", "modelled_gpu",
    "modelled_low_ms", "modelled_high_ms", "out_of_memory", "reason",
)  # fmt: skip
