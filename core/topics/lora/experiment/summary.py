"""Puts the observations so far into the result."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.contracts.result import Message, Metric, Provenance, number_or_none
from core.contracts.result_builder import ResultBuilder
from core.contracts.text import Text, listed, tr, verbatim
from core.topics.lora.experiment.allocator import Masking, Recorder
from core.topics.lora.experiment.runs import Run
from core.topics.lora.experiment.updates import Updates
from core.topics.lora.matrices import Matrix, gpt_3
from core.topics.lora.params import LoraParams
from core.topics.lora.result import (
    AdaptedMatrix,
    Allocation,
    HeldOutPair,
    LoraResult,
    RankChange,
    RankHistory,
    TrainingRun,
)
from core.topics.lora.triplets import TripletFrames, spearman

_LAST_STEPS = 10


class Builder(ResultBuilder[LoraResult]):
    """Builds the result of a run on `device`."""

    def __init__(self, params: LoraParams, device: str) -> None:
        super().__init__(LoraResult(params=params))
        self.measured = Provenance.MEASURED if device.startswith("cuda") else Provenance.MEASURED_CPU

    def add_message(self, severity: str, text: Text) -> None:
        """Add a message of severity 'notice' or 'warning'. An empty text adds nothing."""
        if text:
            self.add(messages=(*self.result.messages, Message(severity, text)))

    def add_number(self, name: str, value: float, note: Text) -> None:
        """Add a measured metric without a unit, unless its value is NaN or infinite."""
        if math.isfinite(value):
            self.add({name: Metric(value, "", self.measured, note)})


def add_curves(builder: Builder, runs: Sequence[Run], evaluated: Sequence[int]) -> None:
    """Add the runs so far with their losses and metrics. `evaluated` are the steps of the held-out losses."""
    metrics: dict[str, Metric] = {}
    for run in runs:
        if run.seconds:
            note = tr("{steps} steps, without evaluations and the other runs", steps=run.steps)
            metrics[f"steps_per_s.{run.id}"] = Metric(run.steps / run.seconds, "steps/s", builder.measured, note)
        if run.held_out:
            note = tr("nats per token on {rows} rows", rows=len(run.held_out[-1].window_sums))
            metrics[f"held_out.{run.id}"] = Metric(run.held_out[-1].loss, "nats", builder.measured, note)
        if run.id != "full":
            metrics[f"{run.id}.trainable"] = Metric(
                run.trainable_parameters, "parameters", builder.measured, tr("PEFT's count")
            )
            share = 100 * run.trainable_parameters / run.total_parameters
            note = tr("of the model's {parameters:,} parameters without adapters", parameters=run.total_parameters)
            metrics[f"{run.id}.share"] = Metric(share, "%", builder.measured, note)
    steps = np.array(evaluated, dtype=np.int64)
    builder.add(metrics, runs={run.id: _training_run(run) for run in runs}, held_out_steps=steps)


def held_out_pairs(runs: Sequence[Run]) -> tuple[HeldOutPair, ...]:
    """Compares the last held-out losses row by row, for all pairs of runs without an error."""
    last = {run.id: run.held_out[-1] for run in runs if run.held_out and not run.error}
    return tuple(
        HeldOutPair(one, two, number_or_none(difference), number_or_none(error))
        for one in last
        for two in last
        if one < two
        for difference, error in (last[one].minus(last[two]),)
    )


def add_history(builder: Builder, recorder: Recorder, matrices: Sequence[Matrix]) -> None:
    """Add AdaLoRA's history: ranks, budget, frames, allocations."""
    steps = len(recorder.ranks)
    ranks = np.array(recorder.ranks, dtype=np.int16).reshape(steps, len(matrices))
    history = RankHistory(
        ranks=ranks,
        total_rank=ranks.sum(axis=1).astype(np.int32),
        budget=recorder.schedule.curve(recorder.schedule.trained),
        allocated=np.array(recorder.allocated, dtype=bool),
        orthogonality=np.array(recorder.orthogonality[:steps], dtype=np.float32),
        frames=_frames(recorder) if recorder.frames else None,
        allocations=tuple(_allocation(masking, matrices) for masking in recorder.maskings),
    )
    schedule = recorder.schedule
    note = tr("total_step = {total:,}, tfinal = {tfinal:,}", total=schedule.total, tfinal=schedule.tfinal)
    metrics = {
        "budget.target": Metric(schedule.target, "triplets", Provenance.MODELLED),
        "budget.arrives": Metric(schedule.last_allocation, "steps", Provenance.MODELLED, note),
    }
    if steps:
        note = tr("kept after step {step}", step=steps)
        metrics["budget.final"] = Metric(float(ranks[-1].sum()), "triplets", builder.measured, note)
    builder.add(metrics, history=history)


def add_matrices(
    builder: Builder,
    params: LoraParams,
    matrices: Sequence[Matrix],
    recorder: Recorder | None,
    updates: Updates | None = None,
) -> None:
    """Add the matrices, and the correlation of final ranks with importance."""
    ranks = recorder.ranks[-1] if recorder and recorder.ranks else None
    scores = recorder.last_scores.mean(axis=1) if recorder and recorder.last_scores is not None else None
    builder.add(
        matrices=tuple(
            AdaptedMatrix(
                name=matrix.name,
                layer=matrix.layer,
                kind=matrix.kind,
                rows=matrix.rows,
                columns=matrix.columns,
                lora_rank=params.target_r,
                final_rank=None if ranks is None else int(ranks[index]),
                importance=None if scores is None else number_or_none(float(scores[index])),
                full_update=None if updates is None else number_or_none(float(updates.full_norm[index])),
                energy_in_rank=None if updates is None else number_or_none(float(updates.energy_in_rank[index])),
                lora_params=matrix.lora_parameters(params.target_r),
                adalora_params=matrix.adalora_parameters(params.init_r),
            )
            for index, matrix in enumerate(matrices)
        )
    )
    _add_correlations(builder, ranks, scores, updates)


def gpt_3_metrics() -> dict[str, Metric]:
    """The metrics 'gpt3.*': the paper's example, computed from the shapes."""
    paper = gpt_3()
    note = tr("rank {rank} on {kinds} of {model}", rank=paper.rank, kinds=listed(paper.kinds), model=paper.name)
    return {
        "gpt3.parameters": Metric(paper.parameters, "parameters", Provenance.MODELLED, verbatim(paper.name)),
        "gpt3.trainable": Metric(paper.trainable, "parameters", Provenance.MODELLED, note),
        "gpt3.reduction": Metric(paper.reduction, "x", Provenance.MODELLED, note),
    }


def _add_correlations(
    builder: Builder, ranks: np.ndarray | None, scores: np.ndarray | None, updates: Updates | None
) -> None:
    if ranks is not None and scores is not None:
        note = tr(
            "Spearman over {matrices} matrices: final rank and mean importance at the last allocation",
            matrices=len(ranks),
        )
        builder.add_number("rank.correlation", spearman(ranks, scores), note)
    if updates is None or np.isnan(updates.energy_in_rank).all():
        return
    note = tr("share of the squared singular values of full updates within LoRA's rank, mean over matrices")
    builder.add_number("energy_in_rank", float(np.nanmean(updates.energy_in_rank)), note)
    if ranks is not None:
        note = tr(
            "Spearman over {matrices} matrices: final rank and Frobenius norm of the full update", matrices=len(ranks)
        )
        builder.add_number("rank.full_correlation", spearman(ranks, updates.full_norm), note)


def _training_run(run: Run) -> TrainingRun:
    last = run.losses[-_LAST_STEPS:]
    return TrainingRun(
        label=run.label,
        trainable_parameters=run.trainable_parameters,
        total_parameters=run.total_parameters,
        share=run.trainable_parameters / run.total_parameters,
        seconds=run.seconds,
        steps=run.steps,
        learning_rate=run.learning_rate,
        steps_per_s=number_or_none(run.steps / run.seconds) if run.seconds else None,
        final_loss=number_or_none(sum(last) / len(last)) if last else None,
        held_out_loss=number_or_none(run.held_out[-1].loss) if run.held_out else None,
        error=run.error,
        losses=np.array(run.losses, dtype=np.float32),
        held_out_losses=np.array([evaluation.loss for evaluation in run.held_out], dtype=np.float32),
    )


def _frames(recorder: Recorder) -> TripletFrames:
    frames = recorder.frames
    return TripletFrames(
        steps=np.array([frame.step for frame in frames], dtype=np.int64),
        importance=np.stack([frame.importance for frame in frames]),
        sensitivity=np.stack([frame.sensitivity for frame in frames]),
        uncertainty=np.stack([frame.uncertainty for frame in frames]),
        singular_value=np.stack([frame.singular_value for frame in frames]),
        kept=np.stack([frame.kept for frame in frames]),
    )


def _allocation(masking: Masking, matrices: Sequence[Matrix]) -> Allocation:
    changed = np.flatnonzero(masking.before != masking.after).tolist()
    return Allocation(
        step=masking.step,
        budget=masking.budget,
        before=int(masking.before.sum()),
        after=int(masking.after.sum()),
        changed=tuple(
            RankChange(matrices[index].name, int(masking.before[index]), int(masking.after[index])) for index in changed
        ),
    )
