"""The experiment of the flash-attention page: traces both kernels, then checks and times every implementation.

On a CPU the TTIR interpreter executes the Triton kernels from their TTIR, which gives errors and traffic but no times.
On a GPU they run, are timed and record a timeline, and are traced as well. Without Triton nothing is traced, and
PyTorch's implementations are checked and timed.
"""

from __future__ import annotations

from collections.abc import Generator

import torch

from core.contracts.events import Partial, Progress
from core.contracts.result import Message
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import tr
from core.contracts.topic import ExperimentRun
from core.engine.phases import in_parts, phase
from core.engine.steps import ProgressCallback
from core.topics.flash_attention.experiment import metrics
from core.topics.flash_attention.experiment.implementations import comparison_of
from core.topics.flash_attention.experiment.problem import Problem, float64_reference, make_problem
from core.topics.flash_attention.experiment.scores import score_metrics
from core.topics.flash_attention.experiment.states import gpu_timeline, softmax_states, traced_schedule
from core.topics.flash_attention.experiment.tracing import Traced, sweep, trace_flash, trace_standard, training_bytes
from core.topics.flash_attention.paper import paper_model
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.plan import Plan, plan
from core.topics.flash_attention.result import FlashAttentionResult
from core.trace.kernel_traffic import KernelTraffic
from core.wording import NOT_TRACED
from kernels.attention import Impl
from kernels.launching import has_triton

Builder = ResultBuilder[FlashAttentionResult]
_COUNTING = {
    "standard": tr("counting the bytes of standard attention"),
    "flash": tr("counting the bytes of flash attention"),
}


def run(params: FlashAttentionParams, device: str) -> ExperimentRun:
    """Yields a Partial with everything traced before the comparison starts."""
    return _run(params, device, is_timed=True)


def run_untimed(params: FlashAttentionParams, device: str) -> ExperimentRun:
    """`run` without the timing of the implementations, which takes most of its time: they are only checked."""
    return _run(params, device, is_timed=False)


def _run(params: FlashAttentionParams, device: str, *, is_timed: bool) -> ExperimentRun:
    planned, paper = plan(params), paper_model()
    builder = Builder(FlashAttentionResult(params=params))
    builder.add(metrics.modelled_metrics(planned), paper=(*paper.figures, *paper.alternatives), paper_terms=paper.terms)
    problem = yield from phase(0.00, 0.02, lambda progress: make_problem(params, device))
    emulated: dict[Impl, torch.Tensor] = {}
    if has_triton():
        emulated = yield from _trace(builder, planned, problem)
        yield from phase(0.50, 0.53, lambda progress: _add_training(builder, problem, progress))
        yield from phase(0.53, 0.55, lambda progress: _add_sweep(builder, problem, progress))
    else:
        builder.add(messages=(Message("warning", NOT_TRACED),))
    builder.add(score_metrics(problem))

    reference = yield from phase(0.55, 0.65, lambda progress: float64_reference(problem, progress))
    flops = float(planned.flops.formula)
    comparison = yield from phase(0.65, 0.67, lambda _: comparison_of(problem, reference, emulated, flops))
    checked = yield from phase(0.67, 0.80, comparison.check)
    results = checked
    if is_timed:
        results = yield from phase(0.80, 1.00, lambda progress: comparison.time(checked, progress))
    builder.add(metrics.comparison_metrics(results), comparison=results)
    if is_timed and problem.device.type == "cuda":
        builder.add(timeline=gpu_timeline(problem))
    return builder.result


def _trace(
    builder: Builder, planned: Plan, problem: Problem
) -> Generator[Progress | Partial, None, dict[Impl, torch.Tensor]]:
    """Trace both kernels and add their traffic. Returns the outputs that the tracer computed; S and P are freed."""
    standard = yield from phase(0.02, 0.30, lambda progress: trace_standard(problem, in_parts(progress, 3)))
    flash = yield from phase(0.30, 0.42, lambda progress: trace_flash(problem, progress))
    yield from phase(0.42, 0.50, lambda progress: _add_traces(builder, planned, standard, flash, progress))
    yield Partial(builder.result)
    return {Impl.TRITON_STANDARD: standard.out, Impl.TRITON_FLASH: flash.out}


def _add_traces(builder: Builder, planned: Plan, standard: Traced, flash: Traced, progress: ProgressCallback) -> None:
    traffic, traces = KernelTraffic(), {}
    for done, kernel in enumerate((standard, flash)):
        progress(done, 2, _COUNTING[kernel.kernel])
        traffic += kernel.traffic()
        traces[kernel.kernel] = kernel.encoded()
    (launch,) = flash.launches
    builder.add(
        metrics.traffic_metrics(traffic.traffic) | metrics.tile_flop_metrics(planned, standard, flash),
        traffic=traffic.traffic,
        lines=traffic.lines,
        sources=traffic.sources,
        traces=traces,
        schedule=traced_schedule(launch, planned.params),
        softmax=softmax_states(launch, planned.params),
    )


def _add_training(builder: Builder, problem: Problem, progress: ProgressCallback) -> None:
    builder.add(metrics.training_metrics(training_bytes(problem, progress)))


def _add_sweep(builder: Builder, problem: Problem, progress: ProgressCallback) -> None:
    heads = problem.params.batch * problem.params.heads
    standard, flash = (int(builder.result.value(f"{kernel}.hbm_bytes")) // heads for kernel in ("standard", "flash"))
    steps = sweep(problem, (standard, flash), progress)
    builder.add(metrics.sweep_metrics(steps), sweep=steps)
