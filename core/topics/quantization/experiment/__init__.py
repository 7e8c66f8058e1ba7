"""The experiment of the quantization page: a report of every tensor, what a sample shows, and the effect on outputs."""

from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec

import torch

from core.checkpoint.opening import Checkpoint
from core.checkpoint.slices import FileChanged
from core.comparison import comparison_table
from core.contracts.errors import TilescopeError
from core.contracts.events import Partial, Progress
from core.contracts.result import Environment
from core.contracts.result_builder import Draft, as_partial
from core.contracts.topic import ExperimentRun
from core.engine.phases import in_parts, phase
from core.engine.steps import ProgressCallback
from core.hardware.host import cpu_name
from core.topics.quantization.experiment import comparison, outputs, report, samples
from core.topics.quantization.experiment.matrix import matrix_of
from core.topics.quantization.model.plan import check, memory, opened
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.saving import save_report
from core.versions import versions
from kernels.errors import KernelError

_REPORT, _SAMPLED, _KERNELS, _TIMED, _SMALL = 0.55, 0.65, 0.7, 0.75, 0.9


def run(params: QuantizationParams, device: str) -> ExperimentRun:
    """Every array, table and metric of payload.py, with Partials on the way: the report first, then the sample.

    Raises InvalidParams for a checkpoint, model folder or text that cannot be opened. A shard that goes away or is
    written meanwhile, a kernel that is refused or a model that cannot be measured leave what was measured, and a
    message.
    """
    check(params)
    checkpoint = opened(params.checkpoint) if params.checkpoint.strip() else None
    findings = Draft("quantization", params, _environment(params, device))
    _add_memory(findings, params)
    if checkpoint is None:
        yield from phase(0.0, _REPORT, lambda progress: report.measure_drawn(findings, params, progress))
    else:
        yield from report.survey_checkpoint(findings, params, checkpoint, _REPORT)
        _save(findings, params)  # what follows may be cancelled, and this was the long part
    yield Partial(as_partial(findings.result()))
    yield from phase(_REPORT, _SAMPLED, lambda progress: _add_samples(findings, params, checkpoint, progress))
    yield Partial(as_partial(findings.result()))
    if params.kernels:
        yield from _told(findings, _add_kernels(findings, params, checkpoint, device))
    if params.timing:
        yield from _told(findings, _add_times(findings, params, checkpoint, device))
    if params.outputs:
        yield from _told(findings, _add_small_model(findings, params))
        if params.model.strip():
            yield Partial(as_partial(findings.result()))
            yield from _told(findings, _add_folder(findings, params))
    _save(findings, params)
    return findings.result()


def _add_samples(
    findings: Draft, params: QuantizationParams, checkpoint: Checkpoint | None, progress: ProgressCallback
) -> None:
    in_turn = in_parts(progress, 4 + 4)
    samples.add_distributions(findings, params, in_turn)
    samples.add_outliers(findings, params, in_turn)
    try:
        found = samples.sampled(params, checkpoint, lambda done, total, _: in_turn(done, total, "sampling the weights"))
        samples.add_histograms(findings, params, found, in_turn)
        samples.add_sweep(findings, params, found, in_turn)
        samples.add_scales(findings, params, checkpoint)
    except FileChanged as error:
        _add_message(findings, "warning", error.sentence)


def _add_kernels(
    findings: Draft, params: QuantizationParams, checkpoint: Checkpoint | None, device: str
) -> Generator[Progress | Partial, None, None]:
    if find_spec("triton") is None:
        _add_message(findings, "notice", "Triton is not installed here, so its kernels are neither run nor traced.")
        return
    from core.topics.quantization.experiment import agreement, kernels

    matrix = matrix_of(params, checkpoint, device)
    if matrix.short:
        _add_message(findings, "notice", "The weights are too few for the kernels' matrix: they are repeated in it.")
    yield from phase(_SAMPLED, _KERNELS, lambda progress: kernels.trace_kernels(findings, params, matrix, progress))
    rows = yield from phase(_KERNELS, _TIMED, lambda progress: agreement.agreement_rows(params, matrix, progress))
    findings.tables["agreement"] = rows
    findings.metrics.update(agreement.agreement_metrics(rows))
    yield Partial(as_partial(findings.result()))


def _add_times(
    findings: Draft, params: QuantizationParams, checkpoint: Checkpoint | None, device: str
) -> Generator[Progress | Partial, None, None]:
    matrix = matrix_of(params, checkpoint, device, *comparison.size_on(device))
    if matrix.short:
        text = f"Times are of {matrix.weight.numel():,} weights; there are fewer here, so they are repeated."
        _add_message(findings, "notice", text)
    results = yield from phase(_TIMED, _TIMED, lambda progress: comparison.compare(params, matrix, progress))
    findings.tables["comparison"] = comparison_table(results)
    findings.metrics.update(comparison.comparison_metrics(results))
    yield Partial(as_partial(findings.result()))


def _told(
    findings: Draft, steps: Generator[Progress | Partial, None, None]
) -> Generator[Progress | Partial, None, None]:
    """The steps; an error among them is a message, as what the report took long to measure is not thrown away."""
    try:
        yield from steps
    except (KernelError, TilescopeError) as error:
        _add_message(findings, "warning", str(error))


def _add_small_model(findings: Draft, params: QuantizationParams) -> Generator[Progress | Partial, None, None]:
    until = _SMALL if params.model.strip() else 1.0
    found, notice = yield from phase(_TIMED, until, lambda progress: outputs.small_model_tables(params, progress))
    if notice:
        _add_message(findings, "notice", notice)
    _keep_outputs(findings, found)


def _add_folder(findings: Draft, params: QuantizationParams) -> Generator[Progress | Partial, None, None]:
    found = yield from phase(_SMALL, 1.0, lambda progress: outputs.folder_tables(params, progress))
    _keep_outputs(findings, found)


def _keep_outputs(findings: Draft, found: outputs.Tables) -> None:
    for name, rows in found.items():
        findings.tables[name] = [*findings.tables.get(name, []), *rows]
    findings.metrics.update(outputs.output_metrics(found["outputs"]))


def _save(findings: Draft, params: QuantizationParams) -> None:
    if not params.report.strip():
        return
    try:
        save_report(params.report, findings.result())
    except TilescopeError as error:
        told = [row["text"] for row in findings.tables.get("messages", [])]
        if error.sentence not in told:
            _add_message(findings, "warning", error.sentence)


def _add_memory(findings: Draft, params: QuantizationParams) -> None:
    found = memory(params)
    findings.tables["memory"] = [
        {
            "model": row.model,
            "format": "bf16" if row.format is None else row.format.value,
            "bits_per_parameter": row.bits_per_parameter,
            "bytes": row.bytes,
            "of_bf16": row.bytes / found[0].bytes,
        }
        for row in found
    ]


def _add_message(findings: Draft, severity: str, text: str) -> None:
    told = findings.tables.get("messages", [])
    findings.tables["messages"] = [*told, {"severity": severity, "text": text}]


def _environment(params: QuantizationParams, device: str) -> Environment:
    if params.kernels and torch.device(device).type == "cuda":
        return Environment(f"cuda ({torch.cuda.get_device_name(device)})", "CUDA; numpy for the report", versions())
    backend = "numpy, torch, TTIR interpreter (CPU)" if params.kernels else "numpy and torch"
    return Environment(f"cpu ({cpu_name()})", backend, versions())
