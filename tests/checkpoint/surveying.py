"""The report of a checkpoint, for tests."""

from __future__ import annotations

from pathlib import Path

from core.checkpoint.measuring import Quantization
from core.checkpoint.opening import Checkpoint
from core.checkpoint.report import TensorErrors, tensor_rows
from core.checkpoint.resume_cache import ResumeCache
from core.checkpoint.survey import Survey, survey


def report_of(checkpoint: Checkpoint, quantization: Quantization, cache: Path) -> list[TensorErrors]:
    """One row per measured tensor and format."""
    result = Survey()
    for _ in survey(checkpoint.measured, quantization, ResumeCache(cache), result, lambda *_: None):
        pass
    assert not result.stopped_by, str(result.stopped_by)
    return [
        row
        for tensor, measured in result.measured.values()
        for row in tensor_rows(tensor, measured.weights, measured.errors)
    ]
