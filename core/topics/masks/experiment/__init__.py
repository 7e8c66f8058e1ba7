"""The experiment of the masks page: traces the kernels, checks and times what takes the mask.

Triton kernels are executed by the TTIR interpreter from their TTIR; PyTorch's run, and are timed, where the tensors
are.
"""

from __future__ import annotations

from collections.abc import Generator

import torch

from core.comparison import comparison_table
from core.contracts.events import Partial, Progress
from core.contracts.result import Environment
from core.contracts.result_builder import Draft, as_partial
from core.contracts.topic import ExperimentRun
from core.engine.phases import in_parts, phase
from core.engine.steps import ProgressCallback
from core.hardware.host import cpu_name
from core.topics.masks.experiment import evidence, metrics, tables
from core.topics.masks.experiment.block_sparse import traced_schedule, visited_by_sequence
from core.topics.masks.experiment.comparison import comparison_of
from core.topics.masks.experiment.fully_masked_rows import blind_row_metrics
from core.topics.masks.experiment.problem import Problem, float64_reference, make_problem
from core.topics.masks.experiment.tracing import Traced, causal_sweep, trace_block_sparse, trace_dense
from core.topics.masks.model import Plan, plan
from core.topics.masks.params import MasksParams
from core.versions import versions


def run(params: MasksParams, device: str) -> ExperimentRun:
    """Every array, table and metric of payload.py. A Partial with all that is traced comes before the comparison."""
    planned = plan(params)
    findings = Draft("masks", params, _environment(device))
    findings.metrics.update(metrics.modelled_metrics(planned))
    findings.tables["tiles"] = tables.tile_rows(planned)
    problem = yield from phase(0.00, 0.02, lambda progress: make_problem(planned, device))
    sparse = yield from _trace(findings, planned, problem)

    yield from phase(0.45, 0.60, lambda progress: _add_evidence(findings, planned, problem, progress))
    reference = yield from phase(0.60, 0.70, lambda progress: float64_reference(problem, progress))
    visible_flops = float(planned.cost.visible_flops)
    comparison = yield from phase(0.70, 0.72, lambda _: comparison_of(problem, reference, sparse, visible_flops))
    checked = yield from phase(0.72, 0.85, comparison.check)
    results = yield from phase(0.85, 1.00, lambda progress: comparison.time(checked, progress))
    findings.tables["comparison"] = comparison_table(results)
    findings.metrics.update(metrics.comparison_metrics(results))
    return findings.result()


def _trace(findings: Draft, planned: Plan, problem: Problem) -> Generator[Progress | Partial, None, Traced | str]:
    """Trace what the flash kernel moves without the mask, and the block-sparse one with it; returns the latter."""
    dense = yield from phase(0.02, 0.20, lambda progress: trace_dense(problem, progress))
    sparse = yield from phase(0.20, 0.35, lambda progress: trace_block_sparse(problem, progress))
    if not isinstance(sparse, str):
        (launch,) = sparse.launches
        findings.arrays["schedule"] = traced_schedule(launch, problem, planned.sequence)
        findings.tables["tiles"] = tables.tile_rows(planned, visited_by_sequence(launch))
    traced = [one for one in (dense, sparse) if not isinstance(one, str)]
    rows = yield from phase(0.35, 0.38, lambda progress: tables.trace_tables(traced))
    findings.tables.update(rows)
    findings.metrics.update(metrics.traffic_metrics(rows["traffic"]))
    sweep = yield from phase(0.38, 0.45, lambda progress: causal_sweep(planned.params, problem.device, progress))
    if sweep:
        findings.tables["sweep"] = sweep
    yield Partial(as_partial(findings.result()))
    return sparse


def _add_evidence(findings: Draft, planned: Plan, problem: Problem, progress: ProgressCallback) -> None:
    params, device = planned.params, problem.device
    weights = evidence.masked_weights(problem, in_parts(progress, 2))
    progress(1, 2, "replacing tokens that must not matter")
    findings.metrics.update(
        metrics.evidence_metrics(
            weights,
            evidence.future_leak(params, str(device)),
            evidence.future_gradient(params, str(device)),
            evidence.padding_leak(params, str(device)),
            evidence.alignment_error(params, str(device)),
            str(device),
        )
    )
    findings.metrics.update(blind_row_metrics(params, str(device)))
    findings.tables["symmetry"] = evidence.symmetry_rows(planned)
    findings.metrics.update(metrics.symmetry_metrics(evidence.undirected_symmetry()))
    findings.arrays.update(tables.small_arrays(problem, planned))


def _environment(device: str) -> Environment:
    if torch.device(device).type == "cuda":
        return Environment(f"cuda ({torch.cuda.get_device_name(device)})", "CUDA", versions())
    return Environment(f"cpu ({cpu_name()})", "TTIR interpreter (CPU)", versions())
