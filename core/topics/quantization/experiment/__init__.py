"""The experiment of the quantization page: the report, the samples, the kernels, and the effect on outputs."""

from __future__ import annotations

from collections.abc import Generator

from core.checkpoint.opening import Checkpoint
from core.checkpoint.slices import FileChanged
from core.contracts.errors import TilescopeError
from core.contracts.events import Partial, Progress
from core.contracts.result import Message
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import Text, tr
from core.contracts.topic import ExperimentRun
from core.engine.environment import environment_of
from core.engine.phases import in_parts, phase
from core.engine.steps import ProgressCallback
from core.topics.quantization import TOPIC
from core.topics.quantization.experiment import comparison, outputs, report, samples, shapes, versions
from core.topics.quantization.experiment.matrix import matrix_of
from core.topics.quantization.params import QuantizationParams
from core.topics.quantization.plan import check
from core.topics.quantization.result import QuantizationResult
from core.topics.quantization.sampling import open_cached
from core.topics.quantization.saving import save_report
from core.wording import NOT_TRACED, reason_of
from kernels.errors import KernelError
from kernels.launching import has_triton

_REPORT, _SHAPED, _COMPARED, _SAMPLED, _KERNELS, _TIMED, _SMALL = 0.45, 0.5, 0.6, 0.65, 0.7, 0.75, 0.9

Builder = ResultBuilder[QuantizationResult]
Steps = Generator[Progress | Partial, None, None]


def run(params: QuantizationParams, device: str) -> ExperimentRun:
    """Yields a Partial after the report, after the samples, and after each further part.

    Raises InvalidParams for a checkpoint, model folder or text that cannot be opened. If a shard is removed or written
    meanwhile, a kernel refuses its inputs or a model cannot be measured, the measured numbers stay and a message says
    what is missing.
    """
    check(params)
    checkpoint = open_cached(params) if params.checkpoint.strip() else None
    # Stamped here and not by the worker: a report that is saved before the end says where it was measured.
    builder = Builder(QuantizationResult(params=params, environment=environment_of(TOPIC, params, device)))
    if checkpoint is None:
        yield from phase(0.0, _REPORT, lambda progress: report.measure_drawn(builder, progress))
    else:
        yield from report.survey_checkpoint(builder, checkpoint, _REPORT)
        _save(builder)  # the rest may be cancelled, and this was the long part
        yield from phase(_REPORT, _SHAPED, lambda progress: shapes.measure_shapes(builder, checkpoint, progress))
    yield Partial(builder.result)
    if params.gguf_types or params.quantized_file.strip():
        yield from phase(_SHAPED, _COMPARED, lambda progress: versions.compare_versions(builder, checkpoint, progress))
        _save(builder)
        yield Partial(builder.result)
    yield from phase(_COMPARED, _SAMPLED, lambda progress: _add_samples(builder, checkpoint, progress))
    yield Partial(builder.result)
    if params.kernels:
        yield from _errors_become_messages(builder, _add_kernels(builder, checkpoint, device))
    if params.timing:
        yield from _errors_become_messages(builder, _add_times(builder, checkpoint, device))
    if params.outputs:
        yield from _errors_become_messages(builder, _add_small_model(builder))
        if params.model.strip():
            yield Partial(builder.result)
            yield from _errors_become_messages(builder, _add_folder(builder))
    _save(builder)
    return builder.result


def _add_samples(builder: Builder, checkpoint: Checkpoint | None, progress: ProgressCallback) -> None:
    params, in_turn = builder.result.params, in_parts(progress, 4 + 4)
    builder.add(distributions=samples.distributions(params, in_turn), outliers=samples.outliers(params, in_turn))
    try:
        weights = samples.sampled(
            params, checkpoint, lambda done, total, _: in_turn(done, total, tr("sampling the weights"))
        )
        histogram, codebooks = samples.histograms(params, weights, in_turn)
        builder.add(histogram=histogram, codebooks=codebooks)
        builder.add(sweep=samples.swept(params, weights, in_turn))
        scales = samples.scales(params, checkpoint)
        builder.add(samples.scale_metrics(scales), scales=scales, scale_levels=samples.scale_levels(params, scales))
    except FileChanged as error:
        _add_message(builder, "warning", error.text)


def _add_kernels(builder: Builder, checkpoint: Checkpoint | None, device: str) -> Steps:
    if not has_triton():
        _add_message(builder, "warning", NOT_TRACED)
        return
    from core.topics.quantization.experiment import agreement, kernels

    params = builder.result.params
    matrix = matrix_of(params, checkpoint, device)
    if matrix.is_repeated:
        _add_message(
            builder, "notice", tr("There are too few weights for the matrix of the kernels: they are repeated.")
        )
    builder.add(kernels.stored_metrics())  # before the kernels, any of which may refuse its inputs
    traced = yield from phase(_SAMPLED, _KERNELS, lambda progress: kernels.trace_kernels(params, matrix, progress))
    builder.add(
        kernels.matmul_metrics(traced),
        traffic=traced.traffic,
        lines=traced.lines,
        sources=traced.sources,
        products=traced.products,
    )
    rows = yield from phase(_KERNELS, _TIMED, lambda progress: agreement.agreement_rows(params, matrix, progress))
    builder.add(agreement.agreement_metrics(rows), agreement=rows)
    yield Partial(builder.result)


def _add_times(builder: Builder, checkpoint: Checkpoint | None, device: str) -> Steps:
    params = builder.result.params
    matrix = matrix_of(params, checkpoint, device, *comparison.size_on(device))
    if matrix.is_repeated:
        text = tr(
            "Times are of {weights:,} weights. There are fewer, so they are repeated.", weights=matrix.weight.numel()
        )
        _add_message(builder, "notice", text)
    results = yield from phase(_TIMED, _TIMED, lambda progress: comparison.compare(params, matrix, progress))
    builder.add(comparison.comparison_metrics(results), comparison=results)
    yield Partial(builder.result)


def _errors_become_messages(builder: Builder, steps: Steps) -> Steps:
    """Run the steps. An error becomes a message: the report took long to measure and must not be lost."""
    try:
        yield from steps
    except KernelError as error:
        _add_message(builder, "warning", reason_of(error))
    except TilescopeError as error:
        _add_message(builder, "warning", error.text)


def _add_small_model(builder: Builder) -> Steps:
    params = builder.result.params
    until = _SMALL if params.model.strip() else 1.0
    losses, notice = yield from phase(_TIMED, until, lambda progress: outputs.small_model_losses(params, progress))
    if notice:
        _add_message(builder, "notice", notice)
    _add_losses(builder, losses)


def _add_folder(builder: Builder) -> Steps:
    params = builder.result.params
    _add_losses(builder, (yield from phase(_SMALL, 1.0, lambda progress: outputs.folder_losses(params, progress))))


def _add_losses(builder: Builder, losses: outputs.Losses) -> None:
    result = builder.result
    builder.add(
        outputs.output_metrics(losses.outputs),
        outputs=result.outputs + losses.outputs,
        output_pairs=result.output_pairs + losses.pairs,
    )


def _save(builder: Builder) -> None:
    path = builder.result.params.report
    if not path.strip():
        return
    try:
        save_report(path, builder.result)
    except TilescopeError as error:
        if error.text not in [message.text for message in builder.result.messages]:
            _add_message(builder, "warning", error.text)


def _add_message(builder: Builder, severity: str, text: Text) -> None:
    builder.add(messages=(*builder.result.messages, Message(severity, text)))
