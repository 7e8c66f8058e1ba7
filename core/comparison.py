"""How implementations of one operation compare: their errors against float64, and their times on a real device.

Imports no torch, so that the window can read it. `core.hardware.compare` fills these rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.contracts.result import Metric, Provenance
from core.contracts.text import EMPTY, Text, tr

ERROR_FACTOR = 3.0
"""An implementation passes if its RMS error is at most this many times that of PyTorch in the same precision."""

RunsOn = Literal["cuda", "cpu", "emulated", "unavailable"]


@dataclass(frozen=True)
class ImplResult:
    """The result of one implementation. A topic with fields of its own derives from it.

    Errors are against float64; an error that is NaN or inf is stored as None, and its check has failed. `passed` is
    None where nothing was checked. `reason` says why it cannot run here, or failed. Times exist only where the device
    ran the implementation and the output passed its check, before and after the timing; `tflops` also needs a FLOP
    count, and `peak_memory_bytes` a GPU.
    """

    impl: str
    label: Text
    runs_on: RunsOn = "unavailable"
    reason: Text = EMPTY
    time_ms: float | None = None
    """The median of the samples."""
    time_ms_samples: tuple[float, ...] = ()
    tflops: float | None = None
    peak_memory_bytes: int | None = None
    max_abs_error: float | None = None
    rms_error: float | None = None
    allowed_rms_error: float | None = None
    passed: bool | None = None

    @property
    def quartiles_ms(self) -> tuple[float, float]:
        """The first and the third quartile of the samples."""
        low, high = np.percentile(self.time_ms_samples, [25, 75])
        return float(low), float(high)

    @property
    def spread_ms(self) -> float:
        """The interquartile range of the samples."""
        low, high = self.quartiles_ms
        return high - low

    @property
    def measured(self) -> Provenance:
        """The provenance of a number that was measured on the device."""
        return Provenance.MEASURED if self.runs_on == "cuda" else Provenance.MEASURED_CPU

    @property
    def provenance(self) -> Provenance:
        """The provenance of the output, and so of its errors."""
        return Provenance.TRACED if self.runs_on == "emulated" else self.measured


@dataclass(frozen=True)
class ErrorCheck:
    """The largest error of `what` against a reference, and the most that is allowed."""

    what: Text
    against: Text
    max_abs_error: float
    limit: float
    passed: bool


def error_metrics(name: str, result: ImplResult, note: Text) -> dict[str, Metric]:
    """'{name}.max_abs_error', '.rms_error' and '.allowed_rms_error' of a checked result; NaN where one is None."""
    if result.passed is None:
        return {}
    allowed_note = tr("three times the RMS error of PyTorch's plain attention in this precision")
    errors = {
        "max_abs_error": (result.max_abs_error, result.provenance, note),
        "rms_error": (result.rms_error, result.provenance, note),
        "allowed_rms_error": (result.allowed_rms_error, result.measured, allowed_note),
    }
    return {
        f"{name}.{error}": Metric(math.nan if value is None else value, "", provenance, error_note)
        for error, (value, provenance, error_note) in errors.items()
    }


def time_metrics(name: str, result: ImplResult, note: Text = EMPTY) -> dict[str, Metric]:
    """'{name}.time_ms' of a timed result; the note ends with the spread."""
    if result.time_ms is None:
        return {}
    spread = tr(
        "median of {samples}, interquartile range {spread:.3g} ms",
        samples=len(result.time_ms_samples),
        spread=result.spread_ms,
    )
    note = tr("{note}, {spread}", note=note, spread=spread) if note else spread
    return {f"{name}.time_ms": Metric(result.time_ms, "ms", result.measured, note)}
