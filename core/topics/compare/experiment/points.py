"""One point of a sweep: inputs, traces, checks, times and compiled code of every contender."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr, verbatim
from core.engine.phases import in_parts
from core.engine.steps import ProgressCallback
from core.families.axes import Case
from core.families.family import Contender
from core.families.running.problem import Assessor, Problem
from core.format import quantity
from core.hardware.compare import Comparison, Implementation, with_reason
from core.hardware.conditions import Conditions
from core.hardware.gpus import Gpu
from core.hardware.host import host_facts
from core.hardware.memory_limit import limited_to_free_memory
from core.hardware.timing import Method
from core.out_of_memory import is_out_of_memory
from core.outside import described
from core.recordings.run import Outcome, Point
from core.topics.compare.experiment import kernels
from core.topics.compare.params import CompareParams
from core.topics.compare.plan import PlannedPoint
from core.wording import reason_of
from kernels.errors import KernelError
from kernels.launching import choosing_for

Build = Callable[[Case], Problem]
_PARTLY_TRACED = tr("Only its Triton kernels are traced: PyTorch does the rest.")
_OUT_OF_MEMORY = tr("It ran out of memory here.")


@dataclass
class PointRunner:
    """Runs points, one after another, on one device."""

    params: CompareParams
    contenders: tuple[Contender, ...]
    build: Build
    device: torch.device
    gpu: Gpu
    virtual_gpu: Gpu | None = None
    """The one that the code finds where there is none."""
    _conditions: Conditions = field(default_factory=Conditions)

    def run(self, planned: PlannedPoint, progress: ProgressCallback) -> Point:
        """The point. Whatever a contender or the inputs raise is said in it; only what `progress` raises passes."""
        point = Point(
            planned.case,
            planned.cost.flops,
            planned.cost.least_bytes,
            planned.cost.dtype,
            problem=self._too_large(planned),
        )
        if point.problem:
            return replace(point, out_of_memory=True)
        try:
            with limited_to_free_memory():
                return self._compared(point, progress)
        except Exception as error:
            return replace(point, problem=_sentence(error), out_of_memory=_is_of_memory(error))
        finally:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _too_large(self, planned: PlannedPoint) -> Text:
        """Why a point cannot fit into memory, by the estimate of its family; empty if it may."""
        free = host_facts().available_memory_bytes
        if self.device.type != "cpu" or not self.params.checked or planned.cost.held_bytes <= free:
            return EMPTY
        return tr(
            "It needs about {need} of memory, and {free} are free.",
            need=quantity(planned.cost.held_bytes, "bytes"),
            free=quantity(free, "bytes"),
        )

    def _compared(self, point: Point, progress: ProgressCallback) -> Point:
        progress(0, 1, tr("making the inputs"))
        with choosing_for(None if self.device.type == "cuda" else self.gpu.target):
            problem = self.build(point.case)
        if problem.cost is not None:
            cost = problem.cost
            point = replace(point, flops=cost.flops, least_bytes=cost.least_bytes, dtype=cost.dtype)
        parts = in_parts(progress, len(self.contenders) + 2)
        implementations = [self._implementation(contender, problem, point, parts) for contender in self.contenders]
        comparison: Comparison[Outcome] = Comparison(
            tuple(implementations),
            Assessor(problem),  # type: ignore[arg-type]  # outputs are tuples of tensors here
            self.device,
            warm_up_rounds=20 if self.params.timed else 0,
            budget_s=self.params.budget_s,
            flops=point.flops or None,
            rounds=self.params.rounds,
            threads=self.params.threads or None,
            method=Method.GRAPHS if self.params.graphs else None,
            failed=_failed,
            on_measured=self._keep,
        )
        self._conditions = Conditions()
        outcomes = comparison.check(parts)
        if self.params.timed and self.params.checked:
            outcomes = comparison.time(outcomes, parts)
        if self.params.compiled:
            outcomes = tuple(self._compiled(outcome, problem, point, progress) for outcome in outcomes)
        return replace(point, outcomes=outcomes, conditions=self._conditions)

    def _implementation(
        self, contender: Contender, problem: Problem, point: Point, progress: ProgressCallback
    ) -> Implementation[Outcome]:
        outcome = Outcome(contender.id, contender.label, kind=contender.kind, note=contender.note)
        run = problem.runs.get(contender.id)
        if run is None:
            return Implementation(replace(outcome, reason=tr("This case has no such implementation.")))
        on_gpu = self.device.type == "cuda"
        checks, prepare = self.params.checked, problem.prepare.get(contender.id)
        on_device: Implementation[Outcome] = Implementation(outcome, run, prepare=prepare)  # type: ignore[arg-type]
        if contender.kind != "triton" or (on_gpu and checks and not self.params.traced):
            return on_device if checks else Implementation(outcome)
        if self._leaves_out(contender.id, problem, point):
            return Implementation(replace(outcome, reason=kernels.not_traced(point.flops)))
        addresses_only = on_gpu or not checks or point.flops > kernels.MOST_EMULATED_FLOPS
        try:
            traced = kernels.trace(
                run,
                self.gpu,
                point.dtype,
                addresses_only=addresses_only,
                progress=progress,
                prepare=prepare,
                virtual_gpu=self.virtual_gpu,
            )
        except Exception as error:
            if on_gpu and checks:
                return on_device
            return Implementation(_failed(outcome, error))
        outcome = replace(outcome, traced=traced.traced if traced.traced.launches else None, modelled=traced.band)
        if contender.id in problem.partly_traced:
            outcome = replace(outcome, modelled=None, note=outcome.note or _PARTLY_TRACED)
        if not checks:
            return Implementation(replace(outcome, runs_on="emulated"))
        if on_gpu or not traced.traced.launches:
            return replace(on_device, result=outcome)
        if traced.outputs is None:
            return Implementation(replace(outcome, runs_on="emulated", reason=kernels.not_emulated(point.flops)))
        return Implementation(outcome, out=traced.outputs)  # type: ignore[arg-type]

    def _leaves_out(self, contender_id: str, problem: Problem, point: Point) -> bool:
        """Whether PyTorch would compute for minutes on this CPU beside what is traced."""
        on_cpu = self.device.type == "cpu"
        return on_cpu and contender_id in problem.partly_traced and point.flops > kernels.MOST_TORCH_FLOPS

    def _compiled(self, outcome: Outcome, problem: Problem, point: Point, progress: ProgressCallback) -> Outcome:
        """What was traced and, in a dry run, also what could not be: its addresses may be too many for the memory."""
        run = problem.runs.get(outcome.impl)
        was_tried = outcome.traced is not None or (not self.params.checked and outcome.runs_on == "unavailable")
        if run is None or outcome.kind != "triton" or not was_tried or self._leaves_out(outcome.impl, problem, point):
            return outcome
        progress(1, 1, tr("compiling {label} for {gpu}", label=outcome.label, gpu=self.gpu.name))
        return replace(outcome, compiled=kernels.compile_for(run, self.gpu, problem.prepare.get(outcome.impl)))

    def _keep(self, conditions: Conditions) -> None:
        self._conditions = conditions


def _failed(outcome: Outcome, error: Exception) -> Outcome:
    """The outcome of a contender that raised: memory is said in our words, everything else in its own."""
    if _is_of_memory(error):
        reason = error.text if isinstance(error, TilescopeError) else _OUT_OF_MEMORY
        return replace(outcome, reason=reason, out_of_memory=True)
    return with_reason(outcome, error)


def _is_of_memory(error: Exception) -> bool:
    return is_out_of_memory(error) or is_out_of_memory(error.__cause__)


def _sentence(error: Exception) -> Text:
    """Why a point has no outcomes."""
    if isinstance(error, KernelError):
        return reason_of(error)
    if isinstance(error, TilescopeError):
        return error.text
    return _OUT_OF_MEMORY if is_out_of_memory(error) else verbatim(described(error))
