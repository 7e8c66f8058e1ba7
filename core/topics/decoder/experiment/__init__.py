"""The experiment of the decoder page: a block with real tensors, changed one token at a time.

The attentions of the recorded passes are the project's Triton flash kernel, executed by the TTIR interpreter on a CPU.
The many changed sequences and the gradients go through PyTorch's own operations, on the same weights.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from core.contracts.events import Partial
from core.contracts.result import Environment
from core.contracts.result_builder import Draft, as_partial
from core.contracts.topic import ExperimentRun
from core.engine.phases import in_parts, phase
from core.engine.steps import ProgressCallback
from core.hardware.host import cpu_name
from core.topics.decoder.experiment import metrics
from core.topics.decoder.experiment.checks import check_all
from core.topics.decoder.experiment.gradients import gradient_flow
from core.topics.decoder.experiment.passes import Recorded, Scene, flash_pass, picture, short_name, traced_tables
from core.topics.decoder.experiment.perturbations import changes, influence, swaps
from core.topics.decoder.experiment.predictions import prediction_rows, weight_on_wanted
from core.topics.decoder.experiment.weights import placed, weights_of
from core.topics.decoder.model import Plan, plan
from core.topics.decoder.model.inputs import inputs_of, perturbed, without_last_target
from core.topics.decoder.params import DECODER_ONLY, REVERSAL, DecoderParams
from core.versions import versions


def run(params: DecoderParams, device: str) -> ExperimentRun:
    """Every array, table and metric of payload.py. A Partial with the tensors comes before the perturbations."""
    planned = plan(params)
    findings = Draft("decoder", params, _environment(device))
    findings.metrics.update(metrics.modelled(planned))
    trained_until = 0.6 if params.weights == REVERSAL else 0.02
    trained = yield from phase(0.0, trained_until, lambda progress: weights_of(params, progress))
    findings.metrics.update(metrics.training(params, trained))
    if trained.losses is not None:
        findings.arrays["loss"] = trained.losses
    scene = Scene(params, placed(trained.network, device), planned.inputs, device)

    middle = trained_until + 0.4 * (1 - trained_until)
    recorded = yield from phase(
        trained_until, middle, lambda progress: _flow(findings, scene, planned, in_parts(progress, 3))
    )
    yield Partial(as_partial(findings.result()))
    yield from phase(middle, 0.9, lambda progress: _influence(findings, scene, progress))
    if params.has_cross_attention:
        yield from phase(0.9, 0.98, lambda progress: _memory(findings, scene, in_parts(progress, 2)))
    yield from phase(0.98, 1.0, lambda progress: _variant(findings, scene, recorded, progress))
    return findings.result()


def _flow(findings: Draft, scene: Scene, planned: Plan, progress: ProgressCallback) -> Recorded:
    """The pass as it is, the pass with the chosen token changed, and the checks."""
    recorded = flash_pass(scene, scene.inputs, progress)
    findings.arrays.update({f"stage.{name}": picture(tensor) for name, tensor in recorded.stages.items()})
    probabilities = {short_name(call.name): call.probabilities() for call in recorded.calls}
    findings.arrays.update({f"attention.{name}": p.cpu().numpy() for name, p in probabilities.items()})
    findings.tables.update(traced_tables(recorded))
    visible = {short_name(call.name): call.k.shape[1] for call in recorded.calls}
    findings.metrics.update(
        metrics.attention(findings.tables["traffic"], probabilities, visible, findings.environment.device)
    )

    checks = check_all(scene, recorded)
    findings.tables["checks"] = checks.rows
    findings.metrics.update(metrics.checks(checks, findings.environment.device))
    if scene.inputs.target is not None:
        findings.tables["predictions"] = prediction_rows(scene.inputs, recorded.stages["logits"])
        findings.metrics.update(metrics.predictions(findings.tables["predictions"], findings.environment.device))
    if "cross" in probabilities and scene.params.weights == REVERSAL:
        weight = weight_on_wanted(scene.inputs, probabilities["cross"])
        findings.metrics.update(metrics.alignment(weight, findings.environment.device))
    if planned.perturbation is not None:
        what = planned.perturbation
        after = flash_pass(scene, perturbed(scene.inputs, what.stack, what.position), progress)
        moved = changes(recorded, after)
        findings.arrays.update(moved)
        findings.metrics.update(metrics.perturbation(planned, moved, findings.environment.device))
    return recorded


def _influence(findings: Draft, scene: Scene, progress: ProgressCallback) -> None:
    found = influence(scene, progress)
    if found.source is not None:
        findings.arrays["influence.source"] = found.source
    if found.target is not None:
        findings.arrays["influence.target"] = found.target
    findings.metrics.update(metrics.influence(found, scene.inputs, findings.environment.device))


def _memory(findings: Draft, scene: Scene, progress: ProgressCallback) -> None:
    """Where the cross-attention's Q, K and V come from, and which way gradients take."""
    device = findings.environment.device
    findings.metrics.update(metrics.swaps(swaps(scene), device))
    found = gradient_flow(scene, progress)
    findings.arrays.update({f"gradient.{path}": map_ for path, map_ in found.maps.items()})
    findings.tables["paths"] = [{"path": path, "norm": norm} for path, norm in found.norms.items()]
    findings.metrics.update(metrics.gradients(found, device))
    shorter = replace(scene, inputs=without_last_target(scene.inputs))
    rows = check_all(shorter, flash_pass(shorter, shorter.inputs, progress)).rows
    findings.metrics.update(metrics.shorter(shorter.inputs, rows, device))


def _variant(findings: Draft, scene: Scene, recorded: Recorded, progress: ProgressCallback) -> None:
    """The same texts through a decoder-only block, whatever kind was asked for: what is not there can be counted."""
    params = scene.params.changed(kind=DECODER_ONLY, perturb="none") if scene.params.has_decoder else None
    if params is None:
        return
    alone = replace(scene, params=params, inputs=inputs_of(params))
    its_pass = recorded if scene.params.kind == DECODER_ONLY else flash_pass(alone, alone.inputs, progress)
    rows = check_all(alone, its_pass).rows
    launches = sum(call.name.startswith("decoder.") for call in recorded.calls)
    findings.metrics.update(
        metrics.variant(plan(params), rows, len(its_pass.launches), launches, findings.environment.device)
    )


def _environment(device: str) -> Environment:
    if torch.device(device).type == "cuda":
        return Environment(f"cuda ({torch.cuda.get_device_name(device)})", "CUDA", versions())
    return Environment(f"cpu ({cpu_name()})", "TTIR interpreter (CPU)", versions())
