"""The experiment of the training page: every stage of the route with every seed, then what their models can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.contracts.events import Partial
from core.contracts.topic import ExperimentRun
from core.engine.phases import phase
from core.language_model.pretrain import world_tokenizer
from core.language_model.small_model import small_model
from core.language_model.torch_state import torch_threads
from core.language_model.world import build_world
from core.topics.training.curves import Curves
from core.topics.training.experiment import knowledge
from core.topics.training.experiment.board import Board
from core.topics.training.experiment.costs import STEP_S, estimated_s
from core.topics.training.experiment.route import run_route
from core.topics.training.experiment.setting import Setting, prepared_folder
from core.topics.training.experiment.stage_runner import Events, run_stage
from core.topics.training.folders import stage_folder
from core.topics.training.params import SCRATCH, TrainingParams
from core.topics.training.plan import check
from core.topics.training.result import SeedRun, StageRun
from core.topics.training.settings import model_config
from core.topics.training.stage_ids import PRETRAINING, SFT
from core.topics.training.stages.pretraining import PretrainingConfig, train_pretraining

THREADS = 1
"""A fixed number, so that the same settings give the same figures on machines with more cores."""


def run(params: TrainingParams, device: str) -> ExperimentRun:
    """Run the stages with about two Partials per second. Can be cancelled between steps, and continues from the last
    checkpoints the next time.

    Raises InvalidParams for a folder that cannot be used or holds another configuration. A stage whose loss becomes NaN
    or whose files cannot be saved stops with a message; what it had measured stays, and stages that need it are left
    out.
    """
    check(params)
    board = Board(params, estimated_s(params))
    not_kept = prepared_folder(params)
    board.warn(not_kept)
    with torch_threads(THREADS):
        seed_run, base = yield from _pretrained(board, params, keeps=not not_kept)
        if base is None:
            return board.result
        for seed in range(params.seed, params.seed + params.seeds):
            setting = base.with_seed(seed)
            route = yield from run_route(board, setting, SeedRun(seed, seed_run.stages))
            if seed == params.seed and SFT in route.models:
                if params.knowledge:
                    yield from knowledge.knowledge(board, setting, route.models[SFT], STEP_S[SFT])
                if params.epochs:
                    yield from knowledge.epochs(board, setting, STEP_S["epochs"])
    return board.result


def _pretrained(board: Board, params: TrainingParams, keeps: bool) -> Events:
    """The pretrained model as the setting of the first seed, with the curves of its training. None if it stopped."""
    config = model_config(params)
    seed_run = SeedRun(params.seed)
    if params.pretraining == SCRATCH:
        world = build_world(config.seed, config.people)
        tokenizer = world_tokenizer(world, config)

        def make(folder: Path | None) -> Any:
            return train_pretraining(world, tokenizer, PretrainingConfig.of(config), folder)

        folder = stage_folder(params, PRETRAINING, params.seed) if keeps else None
        seed_run, trained = yield from run_stage(
            board, seed_run, PRETRAINING, config.steps, STEP_S[PRETRAINING], make, folder
        )
        if trained is None:
            return seed_run, None
        return seed_run, Setting.of(params, params.seed, trained.model, tokenizer, world, keeps)
    shipped = yield from phase(0.0, 0.0, lambda progress: small_model(config, progress))
    board.warn(shipped.notice, "notice")
    assert shipped.world is not None
    losses = [(step, {"loss": float(loss)}) for step, loss in enumerate(shipped.losses, 1)]
    run = StageRun(PRETRAINING, config.steps, Curves.of(losses), finished=True, recorded=True, seconds=shipped.seconds)
    seed_run = SeedRun(params.seed, {PRETRAINING: run})
    board.show(seed_run)
    yield Partial(board.result)
    return seed_run, Setting.of(params, params.seed, shipped.model, shipped.tokenizer, shipped.world, keeps)
