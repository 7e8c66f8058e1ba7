"""What was seen of the methods, under the names of payload.py."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from core.contracts.result import Metric, Provenance, Row
from core.contracts.result_builder import Draft
from core.language_model.evaluation import Answers
from core.language_model.model import parameter_count
from core.topics.fine_tuning.experiment.building import vectors
from core.topics.fine_tuning.experiment.opening import Opened
from core.topics.fine_tuning.experiment.training import MethodRun, frames_of
from core.topics.fine_tuning.methods import METHODS, PROMPTS, MethodId

_UNSEEN, _UNTOLD = "unseen person", "untold fact"


def add_training(findings: Draft, runs: Sequence[MethodRun], shared: Opened) -> None:
    """Curves, gradients and the tables 'methods' and 'places' as far as the methods have come."""
    arrays = findings.arrays
    longest = max((run.held_out_steps for run in runs), key=len, default=[])
    arrays["held_out.steps"] = np.array(longest, dtype=np.int64)
    frames = frames_of(runs[0].params.steps) if runs else np.zeros(0, dtype=np.int64)
    reached = int(np.searchsorted(frames, max((run.done for run in runs), default=0), side="right"))
    arrays["gradient.frames"] = frames[:reached]
    for run in runs:
        name = run.method.value
        arrays[f"loss.{name}"] = np.array(run.losses, dtype=np.float32)
        arrays[f"held_out.{name}"] = np.array(run.held_out, dtype=np.float32)
        arrays[f"gradient.{name}"] = run.gradient[:reached].copy()
        arrays[f"frozen_gradient.{name}"] = run.frozen_gradient.copy()
    findings.tables["places"] = place_rows(runs, shared)
    known = {row["method"]: row for row in findings.tables.get("methods", [])}
    findings.tables["methods"] = [
        _method_row(run, shared.model.parameters, known.get(run.method.value, {})) for run in runs
    ]
    _add_metrics(findings, runs)


def add_answers(findings: Draft, method: MethodId | None, found: Answers, shared: Opened, samples: int) -> None:
    """What `method`, or the model before any (None), said: its exact match, and its column of the table 'samples'."""
    column = "before" if method is None else method.value
    unseen, untold = found.right[: shared.unseen], found.right[shared.unseen :]
    if method is not None:
        for row in findings.tables["methods"]:
            if row["method"] == method.value:
                row["exact_match_unseen"], row["exact_match_untold"] = _mean(unseen), _mean(untold)
    note = f"of {len(unseen)} rows of unseen people; {np.sum(untold)} of {len(untold)} untold facts; to the letter"
    name = "base" if method is None else method.value
    findings.metrics[f"{name}.exact_match"] = Metric(_or_nan(_mean(unseen)), "", _provenance(shared), note)
    rows = findings.tables.get("samples") or _sample_rows(shared, samples)
    findings.tables["samples"] = [{**row, column: found.texts[_index(row, shared)]} for row in rows]


def place_rows(runs: Sequence[MethodRun], shared: Opened) -> list[Row]:
    """The table 'places', a column a method."""
    trained = {run.method.value: _trained_at(run) for run in runs}
    return [
        {
            "index": place.index,
            "place": place.id,
            "layer": place.layer,
            "kind": place.kind,
            "parameters": place.parameters,
            **{method: found.get(place.id, 0) for method, found in trained.items()},
        }
        for place in shared.places
    ]


def vector_rows(run: MethodRun) -> list[Row]:
    """The trained tensors of a prompt method, by the place that they belong to."""
    if run.method not in PROMPTS:
        return []
    heads = run.model.active_peft_config.num_attention_heads
    rows = []
    for piece in run.trained_pieces:
        part = piece.of(piece.parameter.detach())
        shape = list(part.shape)
        if run.method is MethodId.P_TUNING_V2:  # a layer's keys and values, as the attention reads them
            shape = [2, len(vectors(run.model)), heads, part.shape[1] // (2 * heads)]
        rows.append({"method": run.method.value, "place": piece.place, "shape": shape, "count": part.numel()})
    return rows


def _trained_at(run: MethodRun) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for piece in run.trained_pieces:
        counts[piece.place] = counts.get(piece.place, 0) + piece.of(piece.parameter.detach()).numel()
    return counts


def _method_row(run: MethodRun, base_parameters: int, known: Row) -> Row:
    trained, total = _counts(run, base_parameters)
    memory = run.memory
    return {
        "method": run.method.value,
        "label": METHODS[run.method].label,
        "trainable_parameters": trained,
        "total_parameters": total,
        "share": trained / total,
        "extra_parameters": 0 if run.method is MethodId.FULL else trained,
        "where": METHODS[run.method].where.en,
        "steps": run.done,
        "steps_per_s": run.done / run.seconds if run.done else None,
        "learning_rate": run.learning_rate,
        "final_loss": _last_mean(run.losses),
        "held_out_loss": run.held_out_loss,
        "exact_match_unseen": known.get("exact_match_unseen"),
        "exact_match_untold": known.get("exact_match_untold"),
        "weights_bytes": memory.weights_bytes,
        "gradients_bytes": memory.gradients_bytes,
        "optimizer_bytes": memory.optimizer_bytes,
        "activations_bytes": memory.activations_bytes,
        "memory_how": memory.how,
        "runs_on": run.runs_on,
        "frozen_parameters": total - trained,
        "frozen_unchanged": known.get("frozen_unchanged"),
        "error": run.error,
    }


def _counts(run: MethodRun, base_parameters: int) -> tuple[int, int]:
    """(trainable, all), by peft where there is peft; but peft does not know that two weights share a byte of this
    project's NF4."""
    if run.method is MethodId.FULL:
        return parameter_count(run.model, trainable_only=True), parameter_count(run.model)
    trained, total = run.model.get_nb_trainable_parameters()
    return int(trained), base_parameters + int(trained) if run.method is MethodId.QLORA else int(total)


def _add_metrics(findings: Draft, runs: Sequence[MethodRun]) -> None:
    rows = {row["method"]: row for row in findings.tables["methods"]}
    for run in runs:
        name, row = run.method.value, rows[run.method.value]
        how = _where_measured(run.model)
        counted = "by peft" if run.method is not MethodId.FULL else "every weight once"
        findings.metrics[f"{name}.trainable"] = Metric(row["trainable_parameters"], "parameters", how, counted)
        findings.metrics[f"{name}.share"] = Metric(row["share"], "", how, "of the model's and the method's parameters")
        findings.metrics[f"{name}.held_out"] = Metric(_or_nan(row["held_out_loss"]), "nats", how, "per learned token")
        note = f"{run.done} steps of {run.params.batch} rows, evaluations not counted"
        findings.metrics[f"{name}.steps_per_s"] = Metric(_or_nan(row["steps_per_s"]), "steps/s", how, note)
        findings.metrics[f"{name}.memory"] = Metric(run.memory.total_bytes, "B", how, run.memory.how)


def _sample_rows(shared: Opened, samples: int) -> list[Row]:
    """Half of them of unseen people, half untold facts, as far as there are."""
    unseen, untold = shared.answered[: shared.unseen], shared.answered[shared.unseen :]
    half = min(len(untold), samples // 2)
    return [
        {"row": example.row, "wanted": example.sentence, "split": split}
        for split, rows in ((_UNSEEN, unseen[: samples - half]), (_UNTOLD, untold[:half]))
        for example in rows
    ]


def _index(row: Row, shared: Opened) -> int:
    return [example.row for example in shared.answered].index(row["row"])


def _mean(right: np.ndarray) -> float | None:
    return float(right.mean()) if len(right) else None


def _last_mean(losses: Sequence[float]) -> float | None:
    """Of the last ten steps: one batch more or less says little."""
    return float(np.mean(losses[-10:])) if losses else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _provenance(shared: Opened) -> Provenance:
    return _where_measured(shared.base)


def _where_measured(model: torch.nn.Module) -> Provenance:
    on_cpu = next(model.parameters()).device.type == "cpu"
    return Provenance.MEASURED_CPU if on_cpu else Provenance.MEASURED
