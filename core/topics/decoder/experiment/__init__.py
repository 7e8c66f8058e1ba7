"""The experiment of the decoder page: a block with real tensors, with one token replaced at a time.

The recorded passes run attention on the project's Triton flash kernel; on a CPU, the TTIR interpreter executes it.
The many changed sequences and the gradients use PyTorch's own operations on the same weights; one gradient is computed
by the kernels' backward pass, too.
"""

from __future__ import annotations

from dataclasses import replace

from core.contracts.events import Partial
from core.contracts.result_builder import ResultBuilder
from core.contracts.topic import ExperimentRun
from core.engine.phases import in_parts, phase
from core.engine.steps import ProgressCallback
from core.interpreter import require_triton
from core.topics.decoder.experiment import metrics
from core.topics.decoder.experiment.checks import check_all, check_output
from core.topics.decoder.experiment.empty_memory import empty_memory
from core.topics.decoder.experiment.influence import changes, gradient_flow, swaps, token_changes
from core.topics.decoder.experiment.passes import (
    Recorded,
    Scene,
    attentions_of,
    downsampled,
    flash_pass,
    predictions_of,
    short_name,
    traffic_of,
    weight_on_expected,
)
from core.topics.decoder.experiment.weights import copied_to, weights_of
from core.topics.decoder.inputs import inputs_of, perturbed, without_last_target
from core.topics.decoder.params import DECODER_ONLY, REVERSAL, DecoderParams
from core.topics.decoder.plan import Plan, plan
from core.topics.decoder.result import DecoderResult

Builder = ResultBuilder[DecoderResult]


def run(params: DecoderParams, device: str) -> ExperimentRun:
    """Yields a Partial with the tensors before it replaces every token in turn. Raises MissingRequirement without
    Triton: every attention of the block is its kernel's."""
    require_triton()  # before anything is trained
    planned = plan(params)
    builder = Builder(DecoderResult(params=params))
    builder.add(metrics.modelled(planned))
    trained_until = 0.6 if params.weights == REVERSAL else 0.02
    trained = yield from phase(0.0, trained_until, lambda progress: weights_of(params, progress))
    builder.add(metrics.training(params, trained), training_loss=trained.losses)
    scene = Scene(params, copied_to(trained.network, device), planned.inputs, device)

    middle = trained_until + 0.4 * (1 - trained_until)
    recorded = yield from phase(
        trained_until, middle, lambda progress: _add_flow(builder, scene, planned, in_parts(progress, 3))
    )
    yield Partial(builder.result)
    yield from phase(middle, 0.9, lambda progress: _add_influence(builder, scene, progress))
    if params.memory_is_padding:
        yield from phase(0.9, 1.0, lambda progress: _add_empty_memory(builder, scene, recorded))
        return builder.result
    if params.has_cross_attention:
        yield from phase(0.9, 0.98, lambda progress: _add_memory(builder, scene, in_parts(progress, 2)))
    yield from phase(0.98, 1.0, lambda progress: _add_variant(builder, scene, recorded, progress))
    return builder.result


def _add_flow(builder: Builder, scene: Scene, planned: Plan, progress: ProgressCallback) -> Recorded:
    """Record the pass, its checks and predictions, and the pass with the chosen token replaced."""
    recorded = flash_pass(scene, scene.inputs, progress)
    traffic = traffic_of(recorded)
    attentions = attentions_of(recorded, traffic)
    visible = {short_name(call.name): call.k.shape[1] for call in recorded.calls}
    builder.add(
        metrics.attention(attentions, visible, scene.device),
        tensors={name: downsampled(tensor) for name, tensor in recorded.tensors.items()},
        attentions=attentions,
        lines=tuple(line for kernel in traffic.values() for line in kernel.lines),
        sources=tuple(dict.fromkeys(source for kernel in traffic.values() for source in kernel.sources)),
    )
    checks = (check_output if scene.params.memory_is_padding else check_all)(scene, recorded)
    builder.add(metrics.checks(checks, scene.device), checks=checks.checks)
    if scene.inputs.target is not None:
        predictions = predictions_of(scene.inputs, recorded.tensors["logits"])
        builder.add(metrics.predictions(predictions, scene.device), predictions=predictions)
    if "cross" in attentions and scene.params.weights == REVERSAL:
        weight = weight_on_expected(scene.inputs, attentions["cross"].probabilities)
        builder.add(metrics.alignment(weight, scene.device))
    if planned.perturbation is not None:
        inputs = perturbed(scene.inputs, planned.perturbation.stack, planned.perturbation.position)
        changed = changes(recorded, flash_pass(scene, inputs, progress))
        builder.add(metrics.perturbation(planned, changed, scene.device), changes=changed)
    return recorded


def _add_influence(builder: Builder, scene: Scene, progress: ProgressCallback) -> None:
    every_token = token_changes(scene, progress)
    builder.add(metrics.influence(every_token, scene.inputs, scene.device), influence=every_token.influence)


def _add_empty_memory(builder: Builder, scene: Scene, recorded: Recorded) -> None:
    """What each implementation makes of it, instead of what depends on a memory that is seen."""
    rows = empty_memory(scene, recorded)
    builder.add(metrics.empty_memory(rows, scene.device), empty_memory=rows)


def _add_memory(builder: Builder, scene: Scene, progress: ProgressCallback) -> None:
    """Where the cross-attention's Q, K and V come from, and which paths gradients take."""
    builder.add(metrics.swaps(swaps(scene), scene.device))
    flow = gradient_flow(scene, progress)
    builder.add(metrics.gradients(flow, scene.device), gradient=flow.gradient)
    shorter = replace(scene, inputs=without_last_target(scene.inputs))
    checks = check_all(shorter, flash_pass(shorter, shorter.inputs, progress))
    builder.add(metrics.shorter(shorter.inputs, checks.checks, scene.device))


def _add_variant(builder: Builder, scene: Scene, recorded: Recorded, progress: ProgressCallback) -> None:
    """Run the same texts through a decoder-only block, for comparison with every model type."""
    if not scene.params.has_decoder:
        return
    params = scene.params.changed(kind=DECODER_ONLY, perturb="none")
    decoder_only = replace(scene, params=params, inputs=inputs_of(params))
    if scene.params.kind == DECODER_ONLY:
        variant_pass = recorded
    else:
        variant_pass = flash_pass(decoder_only, decoder_only.inputs, progress)
    checks = check_all(decoder_only, variant_pass)
    launches = sum(call.name.startswith("decoder.") for call in recorded.calls)
    builder.add(metrics.variant(plan(params), checks.checks, len(variant_pass.launches), launches, scene.device))
