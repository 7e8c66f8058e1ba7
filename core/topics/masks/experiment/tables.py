"""Traces and small arrays as the page draws them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from core.contracts.result import Row
from core.masks import TileClass
from core.topics.masks.experiment.problem import Problem, weights_of
from core.topics.masks.experiment.tracing import TENSOR_OF_ARGUMENT, Traced
from core.topics.masks.model import Plan
from core.trace.kernel_traffic import kernel_tables

_LARGEST_PROBABILITIES = 1 << 20


def trace_tables(traced: Sequence[Traced]) -> dict[str, list[Row]]:
    """'traffic', 'lines' and 'sources' of the kernels, one after another; empty where none was traced."""
    tables: dict[str, list[Row]] = {"traffic": [], "lines": [], "sources": []}
    for kernel in traced:
        for name, rows in kernel_tables(kernel.kernel, kernel.launches, TENSOR_OF_ARGUMENT).items():
            tables[name].extend(rows)
    return tables


def tile_rows(planned: Plan, visited: Sequence[int] | None = None) -> list[Row]:
    """The table 'tiles': one row a sequence; `visited` as traced, over its heads, or None where nothing was."""
    return [
        {
            "sequence": sequence,
            "full": tiling.number(TileClass.FULL),
            "partial": tiling.number(TileClass.PARTIAL),
            "empty": tiling.number(TileClass.EMPTY),
            "visited": tiling.visited,
            "visited_by_kernel": None if visited is None else visited[sequence],
        }
        for sequence, tiling in enumerate(planned.tilings)
    ]


def small_arrays(problem: Problem, planned: Plan) -> dict[str, np.ndarray]:
    """'probabilities' and 'fully_masked_rows' of the sequence shown, head 0."""
    shown = planned.sequence
    arrays: dict[str, np.ndarray] = {"fully_masked_rows": np.flatnonzero(planned.row_counts == 0).astype(np.int32)}
    dense = problem.dense[shown, 0]
    if dense.numel() <= _LARGEST_PROBABILITIES:
        scores = problem.q[shown, 0].double() @ problem.k[shown, 0].double().mT * problem.scale
        arrays["probabilities"] = weights_of(scores, dense).to(torch.float32).cpu().numpy()
    return arrays
