"""The experiment of the quantization page: a report of every tensor, what a sample shows, and the effect on outputs."""

from __future__ import annotations

from collections.abc import Generator

from core.checkpoint.opening import Checkpoint
from core.checkpoint.slices import FileChanged
from core.engine.phases import in_parts, phase
from core.engine.steps import Tick
from core.errors import InvalidParams
from core.events import Partial, Progress
from core.hardware.host import cpu_name
from core.partial import Draft, as_partial
from core.result import Environment
from core.topic import ExperimentRun
from core.topics.quantization.experiment import outputs, report, samples
from core.topics.quantization.model.plan import check, memory, opened
from core.topics.quantization.params import QuantizationParams
from core.versions import versions

_REPORT, _SAMPLED = 0.6, 0.75


def run(params: QuantizationParams, device: str) -> ExperimentRun:
    """Every array, table and metric of payload.py, with Partials on the way: the report first, then the sample.

    Raises InvalidParams for a checkpoint, model folder or text that cannot be opened. A shard that goes away or is
    written meanwhile leaves what was measured, and a message.
    """
    check(params)
    checkpoint = opened(params.checkpoint) if params.checkpoint.strip() else None
    findings = Draft("quantization", params, _environment())
    _add_memory(findings, params)
    if checkpoint is None:
        yield from phase(0.0, _REPORT, lambda tick: report.measure_drawn(findings, params, tick))
    else:
        yield from report.survey_checkpoint(findings, params, checkpoint, _REPORT)
    yield Partial(as_partial(findings.result()))
    yield from phase(_REPORT, _SAMPLED, lambda tick: _add_samples(findings, params, checkpoint, tick))
    yield Partial(as_partial(findings.result()))
    if params.outputs:
        yield from _add_outputs(findings, params)
    return findings.result()


def _add_samples(findings: Draft, params: QuantizationParams, checkpoint: Checkpoint | None, tick: Tick) -> None:
    in_turn = in_parts(tick, 4 + 4)
    samples.add_distributions(findings, params, in_turn)
    samples.add_outliers(findings, params, in_turn)
    try:
        found = samples.sampled(params, checkpoint, lambda done, total, _: in_turn(done, total, "sampling the weights"))
        samples.add_histograms(findings, params, found, in_turn)
        samples.add_sweep(findings, params, found, in_turn)
        samples.add_scales(findings, params, checkpoint)
    except FileChanged as error:
        _add_message(findings, "warning", error.sentence)


def _add_outputs(findings: Draft, params: QuantizationParams) -> Generator[Progress | Partial, None, None]:
    folder = params.model.strip()
    middle = 0.9 if folder else 1.0
    rows, notice = yield from phase(_SAMPLED, middle, lambda tick: outputs.small_model_rows(params, tick))
    if notice:
        _add_message(findings, "notice", notice)
    _keep_outputs(findings, rows)
    if folder:
        yield Partial(as_partial(findings.result()))
        try:
            found = yield from phase(middle, 1.0, lambda tick: outputs.folder_rows(params, tick))
        except InvalidParams as error:
            # Found out only now, when the model was read: what the report took long to measure is not thrown away.
            _add_message(findings, "warning", error.sentence)
        else:
            _keep_outputs(findings, [*rows, *found])


def _keep_outputs(findings: Draft, rows: list[dict[str, object]]) -> None:
    findings.tables["outputs"] = rows
    findings.metrics.update(outputs.output_metrics(rows))


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
    findings.tables.setdefault("messages", []).append({"severity": severity, "text": text})


def _environment() -> Environment:
    return Environment(f"cpu ({cpu_name()})", "numpy and torch", versions())
