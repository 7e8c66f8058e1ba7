"""The result of a run of the masks page, without running anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.contracts.registry import topic
from core.topics.masks.params import MasksParams
from core.topics.masks.result import MaskImplResult, MasksResult


def mask_result(params: MasksParams) -> MasksResult:
    """The result of a run whose traced order starts with the last row of tiles."""
    plan = topic("masks").plan(params)
    order = plan.schedule[::-1]
    steps = np.column_stack((np.arange(len(order)), order)).astype(np.int32)
    naive = MaskImplResult(
        "torch-naive", "Naive", "cpu", time_ms=1.0, time_ms_samples=(1.0, 1.1), rms_error=1e-7, max_abs_error=1e-6,
        allowed_rms_error=2e-7, passed=True, nan_rows=3,
    )  # fmt: skip
    sparse = replace(naive, impl="block-sparse", label="Triton", runs_on="emulated", time_ms=9.0, nan_rows=0)
    return MasksResult(params=params, schedule=steps, comparison=(naive, sparse))
