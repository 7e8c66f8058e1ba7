"""The experiment of the kernel-lab page: runs a user's file under the tracer in a worker, and counts its accesses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from core.contracts.errors import InvalidParams
from core.contracts.events import Partial
from core.contracts.result import Message
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import tr
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.hardware.gpus import gpu
from core.interpreter import require_triton
from core.proofs.record import Proof
from core.topics.kernel_lab import analysis
from core.topics.kernel_lab.experiment.configs import config_rows
from core.topics.kernel_lab.experiment.foresight import wraps_ahead
from core.topics.kernel_lab.experiment.tracing import Log, Traced, trace
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.plan import Plan, plan
from core.topics.kernel_lab.result import KernelLabResult, Printed, source_lines
from core.trace.file import EncodedTrace
from core.trace.record import Launch
from core.trace.tables import FaultRow, SectorRow, TraceTables, sectors, tables
from core.user_code.own_work import own_work

Builder = ResultBuilder[KernelLabResult]


def run(params: KernelLabParams, device: str) -> ExperimentRun:
    """Yields a Partial with all numbers before the trace and its pictures.

    Raises InvalidParams if the file does not import, or if the function cannot be called or launches nothing, RunFailed
    if the function fails before its first launch, and MissingRequirement without Triton. If it fails later, and beyond
    the limits of `tracing`, the result holds the launches so far and a warning.
    """
    planned = plan(params)
    if planned.problem:
        raise InvalidParams(planned.problem, planned.blames)
    require_triton()
    builder = Builder(KernelLabResult(params=params))
    traced = yield from phase(0.0, 0.8, lambda progress: trace(planned, progress))
    with own_work(tr("the numbers of the trace")):
        yield from phase(0.8, 0.9, lambda progress: _count(builder, planned, traced, progress))
        yield Partial(builder.result)
        yield from phase(0.9, 1.0, lambda progress: _keep(builder, traced.launches, progress))
    return builder.result


def _count(builder: Builder, planned: Plan, traced: Traced, progress: ProgressCallback) -> None:
    rows, sector_rows = TraceTables(), list[SectorRow]()
    for index, launch in enumerate(traced.launches):
        progress(index, len(traced.launches), tr("counting the bytes of {kernel}", kernel=launch.function))
        shown = analysis.with_shown_files(launch)
        rows += tables([shown], index)
        sector_rows += sectors(shown, index)
    proofs = traced.seen.proofs(progress) if planned.params.prove else ()
    first = {row.function: row.launch for row in reversed(rows.launches)}
    ahead, failures = wraps_ahead(traced.seen, first, gpu(planned.params.gpu), progress)
    faults = (*rows.faults, *_proved_faults(proofs, first), *ahead)
    builder.add(
        analysis.metrics(rows.launches, faults),
        launches=rows.launches,
        tensors=rows.tensors,
        line_traffic=rows.lines,
        lines=source_lines(rows.lines),
        faults=faults,
        proofs=proofs,
        sectors=tuple(sector_rows),
        configs=config_rows(traced.tuned, traced.trials, traced.launches),
        handovers=analysis.handovers(traced.launches, rows.tensors),
        files=analysis.traced_files(traced.launches, {str(planned.path): planned.text}),
        sources=analysis.kernel_sources(traced.launches),
        log=tuple(_printed(traced.log, traced.launches)),
        failure=traced.failure,
        stack=traced.stack,
        messages=(
            *(Message("warning", text) for text in (traced.failure, traced.warning, *failures) if text),
            *(Message("notice", notice) for notice in traced.notices),
        ),
    )


def _proved_faults(proofs: Sequence[Proof], first: Mapping[str, int]) -> Iterator[FaultRow]:
    """The counterexamples that were executed and showed their fault, at the first launch of their kernel."""
    for proof in proofs:
        if proof.is_fault:
            yield FaultRow(
                launch=first.get(proof.function, 0),
                kind=proof.kind,
                tensor=proof.tensor,
                file=proof.file,
                line=proof.line,
                program=-1,
                other_program=None,
                index=-1,
                count=1,
                sentence=proof.sentence,
                function=proof.function,
                is_of_proof=True,
            )


def _keep(builder: Builder, launches: Sequence[Launch], progress: ProgressCallback) -> None:
    progress(0, 2, tr("encoding the trace"))
    builder.add(trace=EncodedTrace.of(launches))
    progress(1, 2, tr("drawing the pictures"))
    builder.add(views=analysis.launch_views(launches))


def _printed(log: Log, launches: Sequence[Launch]) -> Iterator[Printed]:
    streams = {"stdout": log.stdout, "stderr": log.stderr}
    yield from (Printed(stream, text) for stream, text in streams.items() if text)
    yield from analysis.printed_by_kernels(launches)
