"""What each implementation does with rows that see nothing: tried on a problem that has some."""

from __future__ import annotations

import torch

from core.contracts.result import Metric, Provenance
from core.masks import Causal, Layout
from core.topics.masks.experiment.implementations import dense_plus_mask, flex_runner, sdpa_bool_mask
from core.topics.masks.experiment.metrics import Metrics, measured
from core.topics.masks.experiment.problem import problem_of
from core.topics.masks.experiment.tracing import trace_block_sparse
from core.topics.masks.params import MasksParams

_QUERIES, _KEYS = 48, 17


def blind_row_metrics(params: MasksParams, device: str) -> Metrics:
    """NaN rows of each implementation under causal with 48 queries and 17 keys, where the first 31 see nothing."""
    problem = problem_of(
        Causal(),
        (Layout.of(_QUERIES, _KEYS),),
        heads=1,
        head_dim=params.head_dim,
        dtype=params.dtype,
        seed=params.seed,
        blocks=(params.block_q, params.block_kv),
        device=device,
    )
    blind = ~problem.sees.expand(problem.q.shape[:-1])
    outputs = {"naive": dense_plus_mask(problem), "sdpa": sdpa_bool_mask(problem), "flex": flex_runner(problem)[0]()}
    note = "among the rows that see nothing, causal, 48 queries and 17 keys"
    how = measured(device)
    sparse = trace_block_sparse(problem, lambda done, total, phase: None)
    if not isinstance(sparse, str):
        outputs["sparse"] = sparse.out
    counts = {f"blind.{name}_nan_rows": _nan_rows(out[blind]) for name, out in outputs.items()}
    counts |= {f"blind.{name}_zero_rows": int((out[blind] == 0).all(-1).sum()) for name, out in outputs.items()}
    metrics = {
        name: Metric(float(count), "rows", Provenance.TRACED if ".sparse_" in name else how, note)
        for name, count in counts.items()
    }
    return {"blind.rows": Metric(float(blind.sum()), "rows", how, "see nothing"), **metrics}


def _nan_rows(rows: torch.Tensor) -> int:
    return int(rows.isnan().any(-1).sum())
