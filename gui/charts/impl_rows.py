"""Implementations as rows: the time with its samples, and the error against float64 with its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.comparison import ImplResult
from core.contracts.text import Text, tr, tr_in
from core.format import format_quantity, quantity
from gui.charts.row_chart_spec import FAINT, MUTED, TEXT, Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment

EMPTY = tr(
    "Run (F5) to compare the implementations that this machine has: their time, and their error against float64."
)
_TIME_INK = Ink("series.0", 0.75)
_NO_TIME = tr("emulated: no time")
_ERROR_TITLES = (tr("RMS error against float64"), tr("RMS error vs float64"), tr("RMS error"))


def implementation_rows(results: Sequence[ImplResult]) -> RowSpec:
    """One row per implementation, in the order given."""
    timed = any(_time_ms(impl) is not None for impl in results)
    return RowSpec(
        columns=(
            Column((str(tr("time")),), unit="ms", share=0.56 if timed else 0.34, has_axis=timed),
            Column(tuple(map(str, _ERROR_TITLES)), log=True, share=0.44 if timed else 0.66),
        ),
        bands=(Band(tuple(_row(impl) for impl in results)),),
        legends=(_legend(timed=timed),),
    )


def pinned_rows(results: Sequence[ImplResult] | None) -> RowSpec | None:
    """The rows of run A, for those of B; None without a run."""
    return None if results is None else implementation_rows(results)


def _legend(*, timed: bool) -> tuple[LegendKey, ...]:
    time = (LegendKey(str(tr("median time")), _TIME_INK), LegendKey(str(tr("sample")), TEXT, "dot"))
    error = (
        LegendKey(str(tr("RMS error")), Ink("good"), "dot"),
        LegendKey(str(tr_in("error", "allowed")), Ink("warn"), "tick"),
    )
    return (*time, *error) if timed else error


def ran_on_gpu(results: Sequence[ImplResult]) -> bool:
    """Whether any of them ran on a GPU."""
    return any(impl.runs_on == "cuda" for impl in results)


def describe(impl: ImplResult) -> str:
    """The read-out of one implementation."""
    if impl.runs_on == "unavailable":
        head = tr("{implementation}: not available", implementation=impl.label)
        return f"{head}\n{impl.reason}"
    lines = [_head(impl), *_time_lines(impl)]
    if impl.tflops is not None and _time_ms(impl) is not None:
        lines.append(quantity(impl.tflops * 1e12, "FLOP/s"))
    if impl.peak_memory_bytes is not None:
        lines.append(tr("peak memory {bytes}", bytes=quantity(impl.peak_memory_bytes, "bytes")))
    if impl.rms_error is not None and impl.allowed_rms_error is not None:
        error, allowed = impl.rms_error, impl.allowed_rms_error
        lines.append(tr("RMS error {error:.2e} (allowed {allowed:.2e})", error=error, allowed=allowed))
    elif impl.rms_error is not None:
        lines.append(tr("RMS error {error:.2e}", error=impl.rms_error))
    if impl.max_abs_error is not None:
        lines.append(tr("largest error {error:.2e}", error=impl.max_abs_error))
    return "\n".join(map(str, lines))


def _head(impl: ImplResult) -> Text:
    match impl.runs_on:
        case "cpu":
            return tr("{implementation} on the CPU", implementation=impl.label)
        case "emulated":
            return tr("{implementation}, emulated", implementation=impl.label)
        case _:
            return tr("{implementation} on the GPU", implementation=impl.label)


def _row(impl: ImplResult) -> Row:
    name = str(impl.label)
    if impl.runs_on == "unavailable":
        return Row(name, read_out=describe(impl), key=name, ink=FAINT, note=str(impl.reason))
    cells = _time_cell(impl), _error_cell(impl)
    return Row(name, cells, describe(impl), name, suffix="CPU" if impl.runs_on == "cpu" else "")


def _time_cell(impl: ImplResult) -> Cell:
    time = _time_ms(impl)
    if time is None:
        return Cell(texts=(str(_NO_TIME), str(tr("no time"))), text_ink=MUTED)
    return Cell(((Segment(time, _TIME_INK),),), samples=_samples_ms(impl), texts=(format_quantity(time, "ms"),))


def _error_cell(impl: ImplResult) -> Cell:
    """The error on a stem, and its limit."""
    if impl.rms_error is None or not math.isfinite(impl.rms_error):
        return Cell()
    return Cell(
        mark=impl.rms_error,
        ink=Ink("bad" if impl.passed is False else "good"),
        limit=math.nan if impl.allowed_rms_error is None else impl.allowed_rms_error,
    )


def _time_lines(impl: ImplResult) -> list[Text]:
    time, samples = _time_ms(impl), _samples_ms(impl)
    if time is None:
        return [_NO_TIME]
    if not samples:
        return [tr("time {time}, the median", time=quantity(time, "ms"))]
    median = tr("time {time}, the median of {samples} samples", time=quantity(time, "ms"), samples=len(samples))
    return [median, tr("from {low} to {high}", low=quantity(min(samples), "ms"), high=quantity(max(samples), "ms"))]


def _time_ms(impl: ImplResult) -> float | None:
    """None for an implementation that was emulated or did not run."""
    return None if impl.runs_on in ("emulated", "unavailable") else impl.time_ms


def _samples_ms(impl: ImplResult) -> tuple[float, ...]:
    return () if _time_ms(impl) is None else impl.time_ms_samples
