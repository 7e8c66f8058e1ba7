"""Whether positions need to be reset in packed rows, per position scheme. Workers only."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch

from core.chat.targets import IGNORED
from core.contracts.events import Progress
from core.contracts.text import Text, tr, verbatim
from core.language_model.torch_state import evaluating
from core.topics.dialogue.examples import Example
from core.topics.dialogue.experiment.batches import Rows, one_per_row, packed
from core.topics.dialogue.experiment.board import Board
from core.topics.dialogue.experiment.gradients import exact
from core.topics.dialogue.experiment.position_model import (
    ALIBI,
    LAYERS,
    LEARNED,
    NONE,
    RELATIVE,
    ROPE,
    SCHEMES,
    SINUSOIDAL,
    WIDTH,
    position_model,
)
from core.topics.dialogue.experiment.setting import Setting
from core.topics.dialogue.experiment.training import rows_loss
from core.topics.dialogue.result import PositionScheme

STEPS, BATCH, RATE = 40, 8, 5e-3
STEP_S = 0.025
SCHEMES_S = len(SCHEMES) * STEPS * STEP_S
"""Estimated seconds of a step, and of all trainings here."""

ROPE_SMALL = "small_model"
LABELS: dict[str, Text] = {
    ROPE_SMALL: tr("RoPE, small model"),
    ROPE: verbatim("RoPE"),
    ALIBI: verbatim("ALiBi"),
    NONE: tr("no positions"),
    LEARNED: tr("learned absolute"),
    SINUSOIDAL: tr("sinusoidal absolute"),
}


def schemes(
    board: Board, setting: Setting, trained: Any, capacity: int
) -> Generator[Progress, None, tuple[PositionScheme, ...]]:
    """The small model `trained`, and for each scheme a model of its own: untrained for the logits, and trained briefly
    on conversations that start from position 0 for the losses."""
    held_out = _filling(setting.held_out_examples, capacity)
    reset, packing = packed(held_out, capacity)
    kept, _ = packed(held_out, capacity, positions_reset=False)
    begins = int(packing.offset[packing.offset > 0].min(initial=0))
    later = _later(kept, reset)
    name = tr("the small model, after training on all assistant turns")
    found = [
        _compared(ROPE_SMALL, name, exact(trained), trained, reset, kept, later, begins, lambda output: output.logits)
    ]
    vocabulary = int(trained.get_input_embeddings().weight.shape[0])
    for scheme in SCHEMES:
        untrained = position_model(scheme, vocabulary, setting.seed)
        model = position_model(scheme, vocabulary, setting.seed)
        yield from _train(board, setting, model, scheme)
        name = tr("{layers} layers of width {width}, {steps} training steps", layers=LAYERS, width=WIDTH, steps=STEPS)
        found.append(
            _compared(scheme, name, untrained.double(), model, reset, kept, later, begins, lambda logits: logits)
        )
    return tuple(found)


def _train(board: Board, setting: Setting, model: Any, scheme: str) -> Generator[Progress, None, None]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    for step in range(1, STEPS + 1):
        chosen = setting.batch(step, BATCH, len(setting.examples))
        rows = one_per_row([setting.examples[number] for number in chosen])
        loss = rows_loss(model(**rows.inputs()), rows.labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 10 == 0:
            board.done += 10 * STEP_S
            yield board.progress(0, tr("position scheme: {scheme}", scheme=LABELS[scheme]))


def _compared(
    scheme: str,
    name: Text,
    double: Any,
    model: Any,
    reset: Rows,
    kept: Rows,
    later: torch.Tensor,
    begins: int,
    logits_of: Callable[[Any], torch.Tensor],
) -> PositionScheme:
    """`later` marks the tokens of conversations that do not begin their row: only their positions differ."""
    with evaluating(double):
        difference = (logits_of(double(**reset.inputs())) - logits_of(double(**kept.inputs()))).abs()
    losses = []
    with evaluating(model):
        for rows in (reset, kept):
            labels = rows.labels.where(later, torch.full_like(rows.labels, IGNORED))
            losses.append(float(rows_loss(logits_of(model(**rows.inputs())), labels)))
    return PositionScheme(
        id=scheme,
        label=LABELS[scheme],
        is_relative=scheme in (*RELATIVE, ROPE_SMALL),
        model=name,
        logits=float(difference[later].max()),
        alone=losses[0],
        not_reset=losses[1],
        begins=begins,
    )


def _later(kept: Rows, reset: Rows) -> torch.Tensor:
    return kept.positions != reset.positions


def _filling(examples: Sequence[Example], capacity: int) -> list[Example]:
    """The first conversations that fill two rows."""
    chosen: list[Example] = []
    for example in examples:
        if sum(map(len, chosen)) + len(example) > 2 * capacity:
            break
        chosen.append(example)
    return chosen
