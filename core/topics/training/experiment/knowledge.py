"""Two experiments beside the route: where knowledge comes from, and why the loss falls in steps. Workers only."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.contracts.errors import RunFailed
from core.contracts.events import Partial, Progress
from core.contracts.text import Text, tr
from core.topics.training.curves import Curves
from core.topics.training.epoch_steps import epochs_of
from core.topics.training.experiment.answering import abilities, recalled
from core.topics.training.experiment.board import Board
from core.topics.training.experiment.setting import Setting, continued
from core.topics.training.result import Knowledge
from core.topics.training.stage_ids import SFT
from core.topics.training.stages.configs import SftConfig
from core.topics.training.stages.records import Record
from core.topics.training.stages.sft import train_sft

NEW_FACTS = 600
"""New facts among the examples of SFT, in addition to all others."""

EPOCH_EXAMPLES, EPOCH_HELD_OUT, EPOCH_BATCH, EPOCHS = 512, 96, 16, 4
EPOCH_RATE = 2e-3
"""A high rate that stays, so that one look at an example is enough to remember some of it."""

Events = Generator[Progress | Partial, None, Any]


def knowledge(board: Board, setting: Setting, sft_model: Any, step_s: float) -> Events:
    """SFT once more, with facts that pretraining never stated; then the same questions to all three models."""
    taught = setting.with_new_facts(NEW_FACTS)
    found = Knowledge(
        new_facts=NEW_FACTS,
        questions={
            "known": len(taught.data.known),
            "new": len(taught.data.new),
            "unknown": len(taught.data.unknown),
            "unstated": len(taught.world.unstated),
        },
        recalled=recalled(taught, taught.base),
        before=abilities(taught, taught.base),
        without_new=abilities(taught, sft_model),
    )
    board.add(knowledge=found)
    config = taught.settings.sft
    value = yield from _trained(board, taught, config, "knowledge", tr("SFT with new facts"), step_s)
    if value is not None:
        board.add(knowledge=replace(found, with_new=abilities(taught, value.model)))
    yield Partial(board.result)


def epochs(board: Board, setting: Setting, step_s: float) -> Events:
    """Several epochs over few examples: questions about facts that nothing else tells, so that they can only be learned
    by heart. Others of their kind give the held-out loss."""
    config = SftConfig(
        steps=EPOCHS * EPOCH_EXAMPLES // EPOCH_BATCH,
        batch=EPOCH_BATCH,
        learning_rate=EPOCH_RATE,
        constant=True,
        eval_every=EPOCH_EXAMPLES // EPOCH_BATCH // 4,
        questions=0,
        descriptions=0,
        refusals=0,
        new_facts=EPOCH_EXAMPLES + EPOCH_HELD_OUT,
        seed=setting.seed,
    )
    drawn = setting.with_examples(config)
    examples = drawn.data.train
    data = replace(drawn.data, train=examples[:EPOCH_EXAMPLES], known=examples[EPOCH_EXAMPLES:])
    rows: list[tuple[int, Mapping[str, float]]] = []

    def show(record: Record) -> None:
        rows.append((record.step, record.metrics))
        if board.is_due() or record.step == config.steps:
            board.add(epochs=epochs_of(Curves.of(rows), EPOCH_EXAMPLES, EPOCH_BATCH))

    short = replace(drawn, data=data)
    yield from _trained(board, short, config, "epochs", tr("Several epochs"), step_s, show)
    yield Partial(board.result)


def _trained(
    board: Board,
    setting: Setting,
    config: SftConfig,
    name: str,
    label: Text,
    step_s: float,
    show: Callable[[Record], None] = lambda record: None,
) -> Events:
    """SFT with other examples. Returns what it gives, None if it stopped early."""

    def make(folder: Path | None) -> Generator[Record, None, Any]:
        return train_sft(setting.base, setting.tokenizer, setting.data, config, folder)

    records: Generator[Record, None, Any] = continued(make, setting.folder(SFT, name), board.params)
    try:
        while True:
            try:
                record = next(records)
            except StopIteration as end:
                return end.value
            shown = board.result
            show(record)
            text = tr("{stage}, step {step} of {steps}", stage=label, step=record.step, steps=config.steps)
            yield board.progress(record.step * step_s, text)
            if board.result is not shown:
                yield Partial(board.result)
    except RunFailed as failure:
        board.warn(tr("{stage} stopped: {reason}", stage=label, reason=failure.text))
        return None
    finally:
        board.done += config.steps * step_s
