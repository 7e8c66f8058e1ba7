"""The stages after pretraining with one seed, each followed by what its model can do. Workers only."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.contracts.errors import RunFailed
from core.contracts.events import Partial, Progress
from core.contracts.text import listed, tr
from core.topics.training.experiment.board import Board
from core.topics.training.experiment.costs import STEP_S
from core.topics.training.experiment.measuring import (
    Measured,
    add_start_score,
    measure_policy,
    measure_pretrained,
    reliability,
)
from core.topics.training.experiment.setting import Setting
from core.topics.training.experiment.stage_runner import run_stage
from core.topics.training.frontier import comparisons, frontier_points
from core.topics.training.result import PreferencePair, SeedRun
from core.topics.training.stage_ids import DPO, GRPO, NEEDS, POLICY_STAGES, PPO, PRETRAINING, REWARD, SFT, STAGE_LABELS
from core.topics.training.stages.dpo import train_dpo
from core.topics.training.stages.grpo import train_grpo
from core.topics.training.stages.ppo import train_ppo
from core.topics.training.stages.preferences import Pairs, make_pairs
from core.topics.training.stages.records import Record
from core.topics.training.stages.reward import train_reward
from core.topics.training.stages.sft import train_sft

SHOWN_PAIRS = 12


@dataclass
class Route:
    """What the stages of one seed have given so far: `models` by stage."""

    setting: Setting
    seed_run: SeedRun
    models: dict[str, Any]
    pairs: Pairs | None = None
    measured: dict[str, Measured] = field(default_factory=dict)

    def stage(self, stage: str, folder: Path | None) -> Generator[Record, None, Any]:
        """The records of a stage, which starts from the models before it."""
        setting = self.setting
        settings, tokenizer, data = setting.settings, setting.tokenizer, setting.data
        if stage == SFT:
            return train_sft(setting.base, tokenizer, data, settings.sft, folder)
        start: Any = self.models[SFT]
        judge: Any = self.models.get(REWARD)
        if stage == REWARD:
            assert self.pairs is not None
            return train_reward(start, tokenizer, self.pairs, settings.reward, folder)
        if stage == PPO:
            return train_ppo(start, judge, tokenizer, setting.reader, data, settings.ppo, folder)
        if stage == GRPO:
            return train_grpo(start, judge, tokenizer, setting.reader, data, settings.grpo, folder)
        assert self.pairs is not None
        return train_dpo(start, tokenizer, setting.reader, data, self.pairs, settings.dpo, folder, judge)


def run_route(board: Board, setting: Setting, seed_run: SeedRun) -> Generator[Progress | Partial, None, Route]:
    """Run the stages, and measure the model of each. A stage whose predecessor stopped is left out, with a message."""
    route = Route(setting, seed_run, {PRETRAINING: setting.base})
    shows = setting.seed == board.params.seed
    if shows:
        measure_pretrained(board, setting)
        yield Partial(board.result)
    for stage in board.params.stages[1:]:
        if stage in (REWARD, DPO) and route.pairs is None and SFT in route.models:
            yield from _pairs(board, route, shows)
        missing = [name for name in NEEDS[stage] if name not in route.models]
        if missing or (stage in (REWARD, DPO) and route.pairs is None):
            yield from _left_out(board, stage, missing)
            continue
        steps = getattr(setting.settings, stage).steps
        route.seed_run, trained = yield from run_stage(
            board,
            route.seed_run,
            stage,
            steps,
            STEP_S[stage],
            lambda folder, stage=stage: route.stage(stage, folder),  # type: ignore[misc]
            setting.folder(stage),
        )
        if trained is not None:
            route.models[stage] = trained.model
            _measure(board, route, stage, shows)
        if shows and stage in POLICY_STAGES:
            _add_frontier(board, route)
        yield Partial(board.result)
    return route


def _pairs(board: Board, route: Route, shows: bool) -> Generator[Progress | Partial, None, None]:
    setting = route.setting
    config = setting.settings.pairs
    total = config.train + config.held_out
    making = make_pairs(
        route.models[SFT], setting.tokenizer, setting.reader, setting.data, config, setting.folder(REWARD, "pairs")
    )
    try:
        while True:
            try:
                done, _ = next(making)
            except StopIteration as end:
                route.pairs = end.value
                break
            yield board.progress(
                done * STEP_S["pairs"], tr("sampling pairs: {done} of {total}", done=done, total=total)
            )
    except RunFailed as failure:
        board.warn(failure.text)
    board.done += total * STEP_S["pairs"]
    if route.pairs is not None:
        board.measured(setting.seed, "pairs", {"tokens": float(route.pairs.num_tokens)})
    if shows and route.pairs is not None:
        shown = route.pairs.train[:SHOWN_PAIRS]
        board.add(
            pairs=tuple(
                PreferencePair(p.prompt, p.chosen, p.rejected, p.chosen_score, p.rejected_score, p.swapped)
                for p in shown
            )
        )


def _left_out(board: Board, stage: str, missing: list[str]) -> Generator[Progress | Partial, None, None]:
    steps = getattr(board.settings, stage).steps
    board.done += steps * STEP_S[stage]
    label = STAGE_LABELS[stage]
    if missing:
        board.warn(
            tr(
                "{stage} is left out, because it needs {missing}.",
                stage=label,
                missing=listed(STAGE_LABELS[name] for name in missing),
            )
        )
    else:
        board.warn(tr("{stage} is left out, because there are no pairs.", stage=label))
    yield board.progress(0, label)


def _measure(board: Board, route: Route, stage: str, shows: bool) -> None:
    setting, model = route.setting, route.models[stage]
    if stage == REWARD:
        assert route.pairs is not None
        found = reliability(setting, model, route.pairs)
        route.measured[stage] = {"accuracy": found.accuracy_of_all, "calibration_error": found.expected_error}
        if shows:
            board.add(reliability=found)
        board.measured(setting.seed, SFT, add_start_score(board, setting, route.models))
    else:
        route.measured[stage] = measure_policy(board, setting, stage, route.models, shows)
    run = route.seed_run.stages[stage]
    route.measured[stage] |= {"bytes": float(sum(held.bytes for held in run.models)), "seconds": run.seconds}
    if stage in POLICY_STAGES:
        route.measured[stage]["tokens"] = run.curves.last("num_tokens")
    if stage == DPO:
        losses = run.curves.points("loss")[1]
        route.measured[stage]["first_loss"] = float(losses[0]) if len(losses) else np.nan
    board.measured(setting.seed, stage, route.measured[stage])


def _add_frontier(board: Board, route: Route) -> None:
    points = [
        point
        for name in POLICY_STAGES
        if name in route.seed_run.stages
        for point in frontier_points(name, route.seed_run.stages[name].curves)
    ]
    start = board.result.start
    board.add(frontier=tuple(points), comparisons=comparisons(points, start) if start is not None else ())
