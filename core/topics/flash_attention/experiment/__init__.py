"""The experiment of the flash-attention page: traces both kernels, checks and times every implementation.

On a CPU the Triton kernels are executed by the TTIR interpreter from their TTIR, and have errors and traffic but no
times. On a GPU they run, are timed and leave a timeline, and are traced besides.
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
from core.topics.flash_attention.experiment import metrics, tables
from core.topics.flash_attention.experiment.comparison import comparison_of, float64_reference
from core.topics.flash_attention.experiment.inputs import Problem, make_problem
from core.topics.flash_attention.experiment.kernels import (
    Traced,
    shorter_problems,
    timeline_arrays,
    trace_flash,
    trace_flash_traffic,
    trace_standard,
)
from core.topics.flash_attention.experiment.schedule import traced_schedule
from core.topics.flash_attention.experiment.softmax_states import softmax_arrays
from core.topics.flash_attention.model import Plan, plan
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.payload import KERNELS
from core.versions import versions
from kernels.attention import Impl


def run(params: FlashAttentionParams, device: str) -> ExperimentRun:
    """Every array, table and metric of payload.py. A Partial with all that is traced comes before the comparison."""
    planned = plan(params)
    findings = Draft("flash-attention", params, _environment(device))
    findings.metrics.update(metrics.modelled_metrics(planned))
    findings.tables.update(tables.paper_tables())
    problem = yield from phase(0.00, 0.02, lambda progress: make_problem(params, device))
    emulated = yield from _trace(findings, planned, problem)
    yield from phase(0.50, 0.55, lambda progress: _add_sweep(findings, problem, progress))

    reference = yield from phase(0.55, 0.65, lambda progress: float64_reference(problem, progress))
    flops = planned.flops.formula
    comparison = yield from phase(0.65, 0.67, lambda _: comparison_of(problem, reference, emulated, flops))
    checked = yield from phase(0.67, 0.80, comparison.check)
    results = yield from phase(0.80, 1.00, lambda progress: comparison.time(checked, progress))
    findings.tables["comparison"] = comparison_table(results)
    findings.metrics.update(metrics.comparison_metrics(results))
    if problem.device.type == "cuda":
        findings.arrays.update(timeline_arrays(problem))
    return findings.result()


def _trace(
    findings: Draft, planned: Plan, problem: Problem
) -> Generator[Progress | Partial, None, dict[Impl, torch.Tensor]]:
    """Trace both kernels and tell what they moved. Returns the outputs that the tracer computed; S and P go."""
    standard = yield from phase(0.02, 0.30, lambda progress: trace_standard(problem, in_parts(progress, 3)))
    flash = yield from phase(0.30, 0.42, lambda progress: trace_flash(problem, progress))
    yield from phase(0.42, 0.50, lambda progress: _add_traces(findings, planned, standard, flash, progress))
    yield Partial(as_partial(findings.result()))
    return {Impl.TRITON_STANDARD: standard.out, Impl.TRITON_FLASH: flash.out}


def _add_traces(findings: Draft, planned: Plan, standard: Traced, flash: Traced, progress: ProgressCallback) -> None:
    params = planned.params
    for done, part in enumerate((standard, flash)):
        progress(done, 2, f"counting the bytes of {part.kernel} attention")
        for name, rows in tables.trace_tables(part).items():
            findings.tables.setdefault(name, []).extend(rows)
        arrays, rows_by_table = tables.address_map_of(part)
        findings.arrays.update(arrays)
        for name, rows in rows_by_table.items():
            findings.tables.setdefault(name, []).extend(rows)
    findings.arrays["schedule"] = traced_schedule(flash.launches[0], params)
    findings.arrays.update(softmax_arrays(flash.launches[0], params))
    findings.metrics.update(metrics.traffic_metrics(findings.tables["traffic"]))
    findings.metrics.update(metrics.tile_flop_metrics(planned, standard, flash))


def _add_sweep(findings: Draft, problem: Problem, progress: ProgressCallback) -> None:
    steps = []
    problems = shorter_problems(problem)
    in_turn = in_parts(progress, 4 * len(problems))  # three standard kernels and flash
    for shorter in problems:
        moved = [tables.moved_bytes(trace(shorter, in_turn)) for trace in (trace_standard, trace_flash_traffic)]
        steps.append(tables.sweep_row(shorter.params, *moved))
    if steps:
        heads = problem.params.batch * problem.params.heads
        whole = [int(findings.metrics[f"{kernel}.hbm_bytes"].value) // heads for kernel in KERNELS]
        steps.append(tables.sweep_row(problem.params, *whole))
        findings.tables["sweep"] = steps
        findings.metrics.update(metrics.sweep_metrics(steps))


def _environment(device: str) -> Environment:
    if torch.device(device).type == "cuda":
        return Environment(f"cuda ({torch.cuda.get_device_name(device)})", "CUDA", versions())
    return Environment(f"cpu ({cpu_name()})", "TTIR interpreter (CPU)", versions())
