"""What was seen so far, under the names of payload.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from core.contracts.result import Metric, Provenance, Row
from core.contracts.result_builder import Draft
from core.topics.lora.experiment.allocator import Allocation, Recorder
from core.topics.lora.experiment.runs import Run
from core.topics.lora.experiment.updates import Updates
from core.topics.lora.model.counting import gpt_3
from core.topics.lora.model.importance import spearman
from core.topics.lora.model.matrices import Matrix
from core.topics.lora.params import LoraParams

_LAST_STEPS = 10


def add_curves(draft: Draft, runs: Sequence[Run], evaluated: Sequence[int]) -> None:
    """'loss.*', 'held_out.*', the table 'runs' and its metrics."""
    measured = _measured(draft)
    draft.arrays["held_out.steps"] = np.array(evaluated, dtype=np.int64)
    for run in runs:
        draft.arrays[f"loss.{run.id}"] = np.array(run.losses, dtype=np.float32)
        draft.arrays[f"held_out.{run.id}"] = np.array([found.loss for found in run.held_out], dtype=np.float32)
        note = f"{run.steps} steps, evaluations and the other runs not counted"
        if run.seconds:
            draft.metrics[f"steps_per_s.{run.id}"] = Metric(run.steps / run.seconds, "steps/s", measured, note)
        if run.held_out:
            note = f"nats per token of {len(run.held_out[-1].window_sums)} rows"
            draft.metrics[f"held_out.{run.id}"] = Metric(run.held_out[-1].loss, "nats", measured, note)
        if run.id != "full":
            draft.metrics[f"{run.id}.trainable"] = Metric(run.trainable_parameters, "parameters", measured, "peft")
            share = 100 * run.trainable_parameters / run.total_parameters
            draft.metrics[f"{run.id}.share"] = Metric(
                share, "%", measured, f"of the {run.total_parameters:,} parameters of the model without adapters"
            )
    answered = {row["run"]: row["exact_match"] for row in draft.tables.get("runs", [])}
    draft.tables["runs"] = [_run_row(run, answered.get(run.id)) for run in runs]


def add_answers(draft: Draft, exact_match: Mapping[str, float]) -> None:
    for row in draft.tables["runs"]:
        row["exact_match"] = exact_match.get(row["run"])


def add_pairs(draft: Draft, runs: Sequence[Run]) -> None:
    """'held_out_pairs': the last held-out losses, row by row, of the runs that went through."""
    last = {run.id: run.held_out[-1] for run in runs if run.held_out and not run.error}
    draft.tables["held_out_pairs"] = [
        {"run": one, "other": two, "loss_difference": _number(difference), "stderr": _number(error)}
        for one in last
        for two in last
        if one < two
        for difference, error in (last[one].minus(last[two]),)
    ]


def add_allocation(draft: Draft, recorder: Recorder, matrices: Sequence[Matrix]) -> None:
    """Everything of AdaLoRA: ranks, budget, frames, allocations."""
    steps = len(recorder.ranks)
    ranks = np.array(recorder.ranks, dtype=np.int16).reshape(steps, len(matrices))
    draft.arrays["rank"] = ranks
    draft.arrays["budget"] = recorder.schedule.curve()
    draft.arrays["total_rank"] = ranks.sum(axis=1).astype(np.int32)
    draft.arrays["orthogonality"] = np.array(recorder.orthogonality[:steps], dtype=np.float32)
    draft.arrays["allocated"] = np.array(recorder.allocated, dtype=bool)
    draft.arrays["frames"] = np.array([frame.step for frame in recorder.frames], dtype=np.int64)
    if recorder.frames:
        for name in ("importance", "sensitivity", "uncertainty", "singular_value", "kept"):
            draft.arrays[name] = np.stack([getattr(frame, name) for frame in recorder.frames])
    draft.tables["allocations"] = [_allocation_row(found, matrices) for found in recorder.allocations]
    draft.metrics["budget.target"] = Metric(recorder.schedule.target, "triplets", Provenance.MODELLED)
    if steps:
        draft.metrics["budget.final"] = Metric(
            float(ranks[-1].sum()), "triplets", _measured(draft), f"kept after step {steps}"
        )


def add_matrices(
    draft: Draft,
    params: LoraParams,
    matrices: Sequence[Matrix],
    recorder: Recorder | None,
    updates: Updates | None = None,
) -> None:
    """The table 'matrices', and how final ranks go with importance."""
    ranks = recorder.ranks[-1] if recorder and recorder.ranks else None
    scores = recorder.last_scores.mean(axis=1) if recorder and recorder.last_scores is not None else None
    draft.tables["matrices"] = [
        {
            "index": index,
            "name": matrix.name,
            "layer": matrix.layer,
            "kind": matrix.kind,
            "rows": matrix.rows,
            "columns": matrix.columns,
            "lora_rank": params.target_r,
            "final_rank": None if ranks is None else int(ranks[index]),
            "importance": None if scores is None else _number(float(scores[index])),
            "full_update": None if updates is None else _number(float(updates.full_norm[index])),
            "energy_in_rank": None if updates is None else _number(float(updates.energy_in_rank[index])),
            "lora_params": matrix.lora_parameters(params.target_r),
            "adalora_params": matrix.adalora_parameters(params.init_r),
        }
        for index, matrix in enumerate(matrices)
    ]
    _add_correlations(draft, ranks, scores, updates)


def add_gpt_3(draft: Draft) -> None:
    """'gpt3.*': the paper's case, from the shapes."""
    found = gpt_3()
    note = f"rank {found.rank} on {' and '.join(found.kinds)} of {found.name}"
    draft.metrics["gpt3.parameters"] = Metric(found.parameters, "parameters", Provenance.MODELLED, found.name)
    draft.metrics["gpt3.trainable"] = Metric(found.trainable, "parameters", Provenance.MODELLED, note)
    draft.metrics["gpt3.reduction"] = Metric(found.reduction, "x", Provenance.MODELLED, note)


def _add_correlations(
    draft: Draft, ranks: np.ndarray | None, scores: np.ndarray | None, updates: Updates | None
) -> None:
    measured = _measured(draft)
    if ranks is not None and scores is not None:
        _add_metric(
            draft, "rank.correlation", spearman(ranks, scores), measured,
            f"Spearman, over {len(ranks)} matrices: final rank and mean importance at the last allocation",
        )  # fmt: skip
    if updates is not None and not np.isnan(updates.energy_in_rank).all():
        _add_metric(
            draft, "energy_in_rank", float(np.nanmean(updates.energy_in_rank)), measured,
            "share of the squared singular values of whole updates that LoRA's rank could hold, mean over matrices",
        )  # fmt: skip
        if ranks is not None:
            _add_metric(
                draft, "rank.full_correlation", spearman(ranks, updates.full_norm), measured,
                f"Spearman, over {len(ranks)} matrices: final rank and Frobenius norm of the whole matrix's update",
            )  # fmt: skip


def _add_metric(draft: Draft, name: str, value: float, provenance: Provenance, note: str) -> None:
    if math.isfinite(value):
        draft.metrics[name] = Metric(value, "", provenance, note)


def _run_row(run: Run, exact_match: float | None) -> Row:
    last = run.losses[-_LAST_STEPS:]
    return {
        "run": run.id,
        "label": run.label,
        "trainable_parameters": run.trainable_parameters,
        "total_parameters": run.total_parameters,
        "share": run.trainable_parameters / run.total_parameters,
        "seconds": run.seconds,
        "steps": run.steps,
        "steps_per_s": _number(run.steps / run.seconds) if run.seconds else None,
        "learning_rate": run.learning_rate,
        "final_loss": _number(sum(last) / len(last)) if last else None,
        "held_out_loss": _number(run.held_out[-1].loss) if run.held_out else None,
        "exact_match": exact_match,
        "error": run.error,
    }


def _allocation_row(found: Allocation, matrices: Sequence[Matrix]) -> Row:
    changed = np.flatnonzero(found.before != found.after).tolist()
    return {
        "step": found.step,
        "budget": found.budget,
        "before": int(found.before.sum()),
        "after": int(found.after.sum()),
        "changed": [
            {"name": matrices[index].name, "from": int(found.before[index]), "to": int(found.after[index])}
            for index in changed
        ],
    }


def _measured(draft: Draft) -> Provenance:
    return Provenance.MEASURED if draft.environment.device.startswith("cuda") else Provenance.MEASURED_CPU


def _number(value: float) -> float | None:
    """JSON has no NaN: what is not a number is None."""
    return value if math.isfinite(value) else None
