"""Implementations side by side as rows: time with its samples, and error against float64 with what is allowed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.comparison import ImplResult
from core.format import format_quantity
from gui.charts.row_chart_spec import FAINT, MUTED, TEXT, Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment

EMPTY = "Run (F5) to compare the implementations that this machine has: time, and error against float64."
_TIME_INK = Ink("series.0", 0.75)
_ERROR_TITLES = ("RMS error against float64", "RMS error vs float64", "RMS error")
_ERROR_LEGEND = (LegendKey("RMS error", Ink("good"), "dot"), LegendKey("allowed", Ink("warn"), "tick"))
_TIME_LEGEND = (LegendKey("median time", _TIME_INK), LegendKey("sample", TEXT, "dot"))


def implementation_rows(results: Sequence[ImplResult]) -> RowSpec:
    """One row per implementation, in the order given."""
    timed = any(_time_ms(impl) is not None for impl in results)
    return RowSpec(
        columns=(
            Column(("time",), unit="ms", share=0.56 if timed else 0.34, has_axis=timed),
            Column(_ERROR_TITLES, log=True, share=0.44 if timed else 0.66),
        ),
        bands=(Band(tuple(_row(impl) for impl in results)),),
        legends=((*_TIME_LEGEND, *_ERROR_LEGEND) if timed else _ERROR_LEGEND,),
    )


def ran_on_gpu(results: Sequence[ImplResult]) -> bool:
    """Whether any of them ran there."""
    return any(impl.runs_on == "cuda" for impl in results)


def describe(impl: ImplResult) -> str:
    """The read-out of one implementation."""
    if impl.runs_on == "unavailable":
        return f"{impl.label}: not available\n{impl.reason}"
    lines = [f"{impl.label} on {'CPU' if impl.runs_on == 'cpu' else impl.runs_on}", *_time_lines(impl)]
    if impl.tflops is not None and _time_ms(impl) is not None:
        lines.append(format_quantity(impl.tflops * 1e12, "FLOP/s"))
    if impl.peak_memory_bytes is not None:
        lines.append(f"peak memory {format_quantity(impl.peak_memory_bytes, 'bytes')}")
    if impl.rms_error is not None:
        allowed = "" if impl.allowed_rms_error is None else f" (allowed {impl.allowed_rms_error:.2e})"
        lines.append(f"RMS error {impl.rms_error:.2e}{allowed}")
    if impl.max_abs_error is not None:
        lines.append(f"largest error {impl.max_abs_error:.2e}")
    return "\n".join(lines)


def _row(impl: ImplResult) -> Row:
    if impl.runs_on == "unavailable":
        return Row(str(impl.label), read_out=describe(impl), key=str(impl.label), ink=FAINT, note=str(impl.reason))
    cells = _time_cell(impl), _error_cell(impl)
    return Row(str(impl.label), cells, describe(impl), str(impl.label), suffix="CPU" if impl.runs_on == "cpu" else "")


def _time_cell(impl: ImplResult) -> Cell:
    time = _time_ms(impl)
    if time is None:
        return Cell(texts=("emulated: no time", "no time"), text_ink=MUTED)
    return Cell(((Segment(time, _TIME_INK),),), samples=_samples_ms(impl), texts=(format_quantity(time, "ms"),))


def _error_cell(impl: ImplResult) -> Cell:
    """A stem to the error and the limit it must stay left of."""
    if impl.rms_error is None or not math.isfinite(impl.rms_error):
        return Cell()
    return Cell(
        mark=impl.rms_error,
        ink=Ink("bad" if impl.passed is False else "good"),
        limit=math.nan if impl.allowed_rms_error is None else impl.allowed_rms_error,
    )


def _time_lines(impl: ImplResult) -> list[str]:
    time, samples = _time_ms(impl), _samples_ms(impl)
    if time is None:
        return ["emulated: no time"]
    if not samples:
        return [f"time {format_quantity(time, 'ms')} median"]
    low, high = (format_quantity(limit(samples), "ms") for limit in (min, max))
    return [f"time {format_quantity(time, 'ms')} median, {len(samples)} samples", f"from {low} to {high}"]


def _time_ms(impl: ImplResult) -> float | None:
    """What ran emulated or not at all has no time."""
    return None if impl.runs_on in ("emulated", "unavailable") else impl.time_ms


def _samples_ms(impl: ImplResult) -> tuple[float, ...]:
    return () if _time_ms(impl) is None else impl.time_ms_samples
