"""The experiment of the masks page: traces the kernels, then checks and times each implementation under the mask.

The TTIR interpreter executes the Triton kernels from their TTIR. PyTorch's implementations run, and are timed, on the
device of the tensors.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import torch

from core.contracts.events import Partial, Progress
from core.contracts.result import Message
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import Text, tr
from core.contracts.topic import ExperimentRun
from core.engine.phases import in_parts, phase
from core.engine.steps import ProgressCallback
from core.masks import TileClass
from core.topics.masks.experiment import evidence, metrics
from core.topics.masks.experiment.block_sparse import traced_schedule, visited_by_sequence
from core.topics.masks.experiment.implementations import comparison_of
from core.topics.masks.experiment.problem import Problem, float64_reference, make_problem, weights_of
from core.topics.masks.experiment.rotary import rotary_changes
from core.topics.masks.experiment.tracing import Traced, causal_sweep, trace_block_sparse, trace_dense, traffic_of
from core.topics.masks.params import MasksParams
from core.topics.masks.plan import Plan, plan
from core.topics.masks.result import MasksResult, TileCounts
from core.wording import NOT_TRACED
from kernels.launching import has_triton

_LARGEST_PROBABILITIES = 1 << 20

Builder = ResultBuilder[MasksResult]


def run(params: MasksParams, device: str) -> ExperimentRun:
    """Yields a Partial with everything traced before the comparison starts."""
    planned = plan(params)
    builder = Builder(MasksResult(params=params, tiles=_tile_counts(planned)))
    builder.add(metrics.modelled_metrics(planned))
    if not has_triton():
        builder.add(messages=(Message("warning", NOT_TRACED),))
    problem = yield from phase(0.00, 0.02, lambda progress: make_problem(planned, device))
    sparse = yield from _trace(builder, planned, problem)

    yield from phase(0.45, 0.60, lambda progress: _add_evidence(builder, planned, problem, progress))
    reference = yield from phase(0.60, 0.70, lambda progress: float64_reference(problem, progress))
    visible_flops = float(planned.cost.visible_flops)
    comparison = yield from phase(0.70, 0.72, lambda _: comparison_of(problem, reference, sparse, visible_flops))
    checked = yield from phase(0.72, 0.85, comparison.check)
    results = yield from phase(0.85, 1.00, lambda progress: comparison.time(checked, progress))
    builder.add(metrics.comparison_metrics(results), comparison=results)
    return builder.result


def _trace(builder: Builder, planned: Plan, problem: Problem) -> Generator[Progress | Partial, None, Traced | Text]:
    """Trace the flash kernel without the mask and the block-sparse kernel with it; returns the latter trace."""
    dense = yield from phase(0.02, 0.20, lambda progress: trace_dense(problem, progress))
    sparse = yield from phase(0.20, 0.35, lambda progress: trace_block_sparse(problem, progress))
    if not isinstance(sparse, Text):
        (launch,) = sparse.launches
        builder.add(
            schedule=traced_schedule(launch, problem, planned.sequence),
            tiles=_tile_counts(planned, visited_by_sequence(launch)),
        )
    traced = [kernel for kernel in (dense, sparse) if not isinstance(kernel, Text)]
    traffic = yield from phase(0.35, 0.38, lambda progress: traffic_of(traced))
    builder.add(
        metrics.traffic_metrics(traffic.traffic), traffic=traffic.traffic, lines=traffic.lines, sources=traffic.sources
    )
    sweep = yield from phase(0.38, 0.45, lambda progress: causal_sweep(planned.params, problem.device, progress))
    builder.add(sweep=sweep)
    yield Partial(builder.result)
    return sparse


def _add_evidence(builder: Builder, planned: Plan, problem: Problem, progress: ProgressCallback) -> None:
    params, device = planned.params, str(problem.device)
    weights = evidence.masked_weights(problem, in_parts(progress, 2))
    progress(1, 2, tr("replacing hidden tokens"))
    builder.add(
        metrics.evidence_metrics(
            weights,
            evidence.future_leak(params, device),
            evidence.future_gradient(params, device),
            evidence.padding_leak(params, device),
            evidence.alignment_error(params, device),
            device,
        )
    )
    builder.add(metrics.position_metrics(planned, rotary_changes(problem, planned), device))
    builder.add(metrics.fully_masked_metrics(evidence.fully_masked_rows(params, device), device))
    builder.add(
        metrics.symmetry_metrics(evidence.undirected_symmetry()),
        symmetry=evidence.transposed(planned),
        probabilities=_probabilities(problem, planned.sequence),
        fully_masked_rows=np.flatnonzero(planned.row_counts == 0).astype(np.int32),
    )


def _tile_counts(planned: Plan, visited: Sequence[int] | None = None) -> tuple[TileCounts, ...]:
    """One entry per sequence; `visited` is traced, for head 0, or None if nothing was traced."""
    return tuple(
        TileCounts(
            sequence=sequence,
            full=tiling.count(TileClass.FULL),
            partial=tiling.count(TileClass.PARTIAL),
            empty=tiling.count(TileClass.EMPTY),
            visited=tiling.visited,
            visited_by_kernel=None if visited is None else visited[sequence],
        )
        for sequence, tiling in enumerate(planned.tilings)
    )


def _probabilities(problem: Problem, sequence: int) -> np.ndarray | None:
    """float32 [query_len, key_len] of one sequence, head 0; None if it would be too large."""
    dense = problem.dense[sequence, 0]
    if dense.numel() > _LARGEST_PROBABILITIES:
        return None
    scores = problem.q[sequence, 0].double() @ problem.k[sequence, 0].double().mT * problem.scale
    probabilities: np.ndarray = weights_of(scores, dense).to(torch.float32).cpu().numpy()
    return probabilities
