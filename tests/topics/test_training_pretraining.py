"""Pretraining as a stage gives the weights that `pretrain` gives, in one go or after a kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from core.language_model.model_config import TINY, ModelConfig
from core.language_model.pretrain import pretrain, world_tokenizer
from core.language_model.torch_state import torch_threads
from core.language_model.world import build_world
from core.topics.training.stages.pretraining import PretrainingConfig, train_pretraining
from core.topics.training.stages.records import Record
from core.topics.training.stages.trained import Trained

SHORT = replace(TINY, steps=6)


def trained(model: ModelConfig, folder: Path | None = None, until: int = 99) -> tuple[list[Record], Trained | None]:
    """The records of a run that is killed after `until` steps."""
    world = build_world(model.seed, model.people)
    config = replace(PretrainingConfig.of(model), save_every=2, eval_every=3)
    records = train_pretraining(world, world_tokenizer(world, model), config, folder)
    found: list[Record] = []
    while True:
        try:
            found.append(next(records))
        except StopIteration as end:
            return found, end.value
        if len(found) == until:
            records.close()
            return found, None


def test_that_the_stage_is_the_pretraining_of_the_shipped_model() -> None:
    with torch_threads(1):
        records, model = trained(SHORT)
        whole = pretrain(SHORT)
    assert model is not None
    assert np.array_equal(np.array([record.metrics["loss"] for record in records], dtype=np.float32), whole.losses)
    weights = zip(model.model.parameters(), whole.model.parameters(), strict=True)
    assert all(torch.equal(ours, theirs) for ours, theirs in weights)
    assert [record.step for record in records if "eval_loss" in record.metrics] == [1, 3, 6]


def test_that_a_killed_pretraining_continues_to_the_same_figures(tmp_path: Path) -> None:
    with torch_threads(1):
        records, _ = trained(SHORT)
        trained(SHORT, tmp_path, until=3)
        again, _ = trained(SHORT, tmp_path)
    assert again == records
