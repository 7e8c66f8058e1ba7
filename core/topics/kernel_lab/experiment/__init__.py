"""The experiment of the kernel-lab page: runs a person's file under the tracer, in a worker, and counts what it did."""

from __future__ import annotations

import torch

from core.contracts.errors import InvalidParams
from core.contracts.events import Partial
from core.contracts.result import Environment
from core.contracts.result_builder import Draft, as_partial
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.engine.steps import ProgressCallback
from core.hardware.host import cpu_name
from core.topics.kernel_lab.experiment import numbers
from core.topics.kernel_lab.experiment.tracing import Traced, trace
from core.topics.kernel_lab.model import Plan, plan
from core.topics.kernel_lab.params import KernelLabParams
from core.topics.kernel_lab.payload import ARRAY_PREFIX
from core.trace.file import encode
from core.versions import versions


def run(params: KernelLabParams, device: str) -> ExperimentRun:
    """Every array, table and metric of payload.py. A Partial with all numbers comes before the trace itself.

    Raises InvalidParams for a file that does not import or a function that cannot be called or launches nothing, and
    RunFailed for one that breaks on the way.
    """
    planned = plan(params)
    if planned.problem:
        raise InvalidParams(planned.problem, planned.blames)
    findings = Draft("kernel-lab", params, _environment(device))
    traced = yield from phase(0.0, 0.8, lambda progress: trace(planned, progress))
    yield from phase(0.8, 0.9, lambda progress: _count(findings, planned, traced, progress))
    yield Partial(as_partial(findings.result()))
    yield from phase(0.9, 1.0, lambda progress: _keep(findings, traced, progress))
    return findings.result()


def _count(findings: Draft, planned: Plan, traced: Traced, progress: ProgressCallback) -> None:
    findings.tables.update(numbers.tables(planned, traced, progress))
    findings.metrics.update(numbers.metrics(findings.tables))


def _keep(findings: Draft, traced: Traced, progress: ProgressCallback) -> None:
    progress(0, 1, "packing the trace")
    rows, arrays = encode(traced.launches)
    findings.tables["trace"] = rows
    findings.arrays.update({f"{ARRAY_PREFIX}{name}": array for name, array in arrays.items()})


def _environment(device: str) -> Environment:
    if torch.device(device).type == "cuda":
        return Environment(f"cuda ({torch.cuda.get_device_name(device)})", "TTIR interpreter (CUDA)", versions())
    return Environment(f"cpu ({cpu_name()})", "TTIR interpreter (CPU)", versions())
