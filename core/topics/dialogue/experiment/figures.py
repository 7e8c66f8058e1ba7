"""The metrics of a run, from the parts of its result. Workers only."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from core.contracts.text import EMPTY, Text, tr
from core.topics.dialogue.experiment.board import Board
from core.topics.dialogue.result import Behaviour, Curve, DialogueResult, WayRun

LAST = 10
"""Steps that a training loss is a mean of."""


def last_loss(curve: Curve) -> float:
    """NaN before the first step."""
    return _mean_of_last(curve.loss, curve.steps) if curve.steps else float("nan")


def equal_tokens(result: DialogueResult, seed: int) -> float:
    """Tokens that every way has computed with a seed: the fewest of all."""
    return min(
        (float(run.curve.num_tokens[-1]) for run in result.ways if run.seed == seed and run.curve.steps), default=0
    )


def add_way_figures(board: Board) -> None:
    """What the ways cost, and how good they are after equal steps and after equal tokens."""
    values: dict[str, list[float]] = defaultdict(list)
    for run in board.result.ways:
        if run.seed == board.params.seed:
            _add_costs(board, run)
        if not run.finished:
            continue
        steps = board.params.steps
        values[f"{run.way}.eval_correct"].append(float(run.curve.correct_after(steps).mean()))
        tokens = equal_tokens(board.result, run.seed)
        values[f"{run.way}.eval_correct_equal_tokens"].append(float(run.curve.correct_at(tokens).mean()))
        values[f"{run.way}.eval_loss"].append(float(np.interp(steps, run.curve.eval_step, run.curve.eval_loss)))
        values[f"{run.way}.loss"].append(_mean_of_last(run.curve.loss, steps))
        values[f"{run.way}.mean_token_accuracy"].append(_mean_of_last(run.curve.mean_token_accuracy, steps))
    for name, found in values.items():
        unit = "nats" if name.endswith("loss") else ""
        board.measured(name, sum(found) / len(found), unit, _spread(found))


def add_behaviour_figures(board: Board, name: str, found: Behaviour) -> None:
    note = tr("of {count} greedy generations of {tokens} tokens", count=found.generations, tokens=found.tokens)
    board.measured(f"{name}.stops", found.stops, "", note)
    board.measured(f"{name}.speaks_for_user", found.speaks_for_user, "", note)


def add_sabotage_figures(board: Board) -> None:
    for run in board.result.sabotages:
        if run.finished:
            board.measured(f"{run.mistake}.loss", last_loss(run.curve), "nats")
            accuracy = _mean_of_last(run.curve.mean_token_accuracy, run.curve.steps)
            board.measured(f"{run.mistake}.mean_token_accuracy", accuracy)
            board.measured(f"{run.mistake}.eval_loss", float(run.curve.eval_loss[-1]), "nats")
            board.measured(f"{run.mistake}.eval_correct", float(run.curve.eval_correct[-1].mean()))
        if run.behaviour is not None:
            add_behaviour_figures(board, run.mistake, run.behaviour)


def add_part_figures(board: Board) -> None:
    """Equality, history, and leaks."""
    result = board.result
    if result.equality is not None:
        note = tr("largest difference of a parameter's gradient, as a share of its norm")
        for name in ("float32", "float64", "unmatched", "packed"):
            board.measured(f"equality.{name}", float(getattr(result.equality, name).max()), "", note)
    if result.history is not None:
        board.measured("history.with", float(result.history.with_history[1:].mean()))
        board.measured("history.without", float(result.history.without_history[1:].mean()))
    behind = [document for document in result.leaks if document.foreign]
    if behind:
        board.measured("leak.masked", float(np.mean([abs(one.masked - one.alone) for one in behind])), "nats")
        board.measured("leak.without_mask", float(np.mean([abs(one.leaked - one.alone) for one in behind])), "nats")
    for name, share in result.leaked_share.items():
        board.measured(f"leak.answers_{name}", share)


def _add_costs(board: Board, run: WayRun) -> None:
    note = tr("over the training set, counted")
    board.counted(f"{run.way}.tokens", run.cost.tokens, "tokens", note)
    board.counted(f"{run.way}.targets", run.cost.targets, "tokens", note)
    board.counted(f"{run.way}.waste", run.cost.waste, "", note)
    board.counted(f"{run.way}.lost", run.cost.lost, "", note)


def _mean_of_last(values: np.ndarray, steps: int) -> float:
    """The mean over the last of the first `steps` steps."""
    return float(np.mean(values[max(0, steps - LAST) : steps]))


def _spread(values: list[float]) -> Text:
    if len(values) < 2:
        return EMPTY
    return tr(
        "mean of {seeds} seeds, from {low:.4g} to {high:.4g}", seeds=len(values), low=min(values), high=max(values)
    )
