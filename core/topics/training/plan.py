"""The plan of the training page: routes, stages, data and memory, computed from the parameters alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.text import EMPTY, Text, tr
from core.language_model.memory_check import check_memory
from core.language_model.model_config import STANDARD, ModelConfig
from core.topics.training.data_samples import DataSample, data_samples
from core.topics.training.folders import StageFolder, found
from core.topics.training.own_log import OwnLog, open_log
from core.topics.training.params import SCRATCH, TrainingParams
from core.topics.training.result import HeldModel
from core.topics.training.sabotage import NONE, SABOTAGES, Sabotage
from core.topics.training.settings import model_config
from core.topics.training.stage_ids import (
    DPO,
    GRPO,
    NEEDS,
    PPO,
    PRETRAINING,
    REWARD,
    ROUTES,
    SFT,
    STAGE_LABELS,
    STAGES,
    Route,
)

PAIRS_PER_STEP = 32


@dataclass(frozen=True)
class StagePlan:
    """One stage before a run; modelled.

    `runs` says that the chosen stages include it, `recorded` that its model comes with the program. `unit` is what
    `batch` counts per step: 'sequences', 'examples', 'pairs' or 'answers'. `available` is the number of different ones,
    None where the model itself makes them. `models` are held in memory together. `samples` is what it learns from.
    """

    id: str
    label: Text
    needs: tuple[str, ...]
    runs: bool
    recorded: bool
    steps: int
    batch: int
    unit: str
    available: int | None
    models: tuple[HeldModel, ...]
    samples: tuple[DataSample, ...]
    folder: StageFolder | None

    @property
    def bytes(self) -> int:
        """Weights, gradients and optimizer state of all models that it holds, without activations."""
        return sum(model.bytes for model in self.models)


@dataclass(frozen=True)
class Plan:
    """Everything that follows from the parameters without a run, and the log that the user opened.

    `effective` has the settings that a run uses. `problem` says why nothing can run, '' if it can; `log_problem` why
    the own log cannot be shown. `blames` names the parameter of `problem`.
    """

    params: TrainingParams
    effective: TrainingParams
    stages: Mapping[str, StagePlan]
    routes: tuple[Route, ...] = ROUTES
    sabotage: Sabotage = field(default_factory=lambda: SABOTAGES[NONE])
    own_log: OwnLog | None = None
    log_problem: Text = EMPTY
    problem: Text = EMPTY
    blames: str | None = None

    def is_lit(self, route: Route) -> bool:
        """Whether a run covers the whole route."""
        return all(self.stages[stage].runs for stage in route.stages)


def plan(params: TrainingParams) -> Plan:
    """The plan of `params`. Does not raise: an error in them becomes `problem` or `log_problem`."""
    own_log, log_problem, problem, blames = None, EMPTY, EMPTY, None
    if params.log.strip():
        try:
            own_log = open_log(params.log)
        except TilescopeError as error:
            log_problem = error.text
    folders: dict[str, StageFolder] = {}
    try:
        folders = {stage: found(params, stage, params.seed) for stage in STAGES}
    except InvalidParams as error:
        problem, blames = error.text, error.field
    effective = params.effective
    return Plan(
        params=params,
        effective=effective,
        stages={stage: _stage(stage, params, effective, folders.get(stage)) for stage in STAGES},
        sabotage=SABOTAGES[params.sabotage],
        own_log=own_log,
        log_problem=log_problem,
        problem=problem,
        blames=blames,
    )


def check(params: TrainingParams) -> None:
    """Raises InvalidParams if nothing can run: the folder cannot be a path or is a file, or the models need more memory
    than is free."""
    planned = plan(params)
    if planned.problem:
        raise InvalidParams(planned.problem, planned.blames)
    largest = max((planned.stages[stage] for stage in params.stages), key=lambda stage: stage.bytes)
    check_memory(largest.bytes, len(largest.models), tr("close other programs"), None)


def held_models(stage: str, config: ModelConfig = STANDARD) -> tuple[HeldModel, ...]:
    """The models that a stage holds in memory. A reward or value model has a scalar head in place of the tied one."""
    policy = _parameters(config)
    scalar = policy + config.hidden + 1
    trained, frozen = HeldModel("policy", True, policy), HeldModel("reference", False, policy)
    reward = HeldModel("reward", False, scalar)
    return {
        PRETRAINING: (trained,),
        SFT: (trained,),
        REWARD: (HeldModel("reward", True, scalar),),
        PPO: (trained, frozen, reward, HeldModel("value", True, scalar)),
        DPO: (trained, frozen),
        GRPO: (trained, frozen, reward),
    }[stage]


def _parameters(config: ModelConfig) -> int:
    attention, mlp, norms = 4 * config.hidden**2, 3 * config.hidden * config.intermediate, 2 * config.hidden
    return config.vocabulary * config.hidden + config.layers * (attention + mlp + norms) + config.hidden


def _stage(stage: str, params: TrainingParams, effective: TrainingParams, folder: StageFolder | None) -> StagePlan:
    config = model_config(params)
    steps, batch, unit, available = {
        PRETRAINING: (config.steps, config.batch, "sequences", None),
        SFT: (effective.sft_steps, effective.sft_batch, "examples", None),
        REWARD: (effective.reward_steps, PAIRS_PER_STEP, "pairs", effective.pairs),
        PPO: (effective.ppo_steps, effective.rollouts, "answers", None),
        DPO: (effective.dpo_steps, PAIRS_PER_STEP, "pairs", effective.pairs),
        GRPO: (effective.grpo_steps, effective.rollouts, "answers", None),
    }[stage]
    return StagePlan(
        id=stage,
        label=STAGE_LABELS[stage],
        needs=NEEDS[stage],
        runs=stage in params.stages,
        recorded=stage == PRETRAINING and params.pretraining != SCRATCH,
        steps=steps,
        batch=batch,
        unit=unit,
        available=available,
        models=held_models(stage, config),
        samples=data_samples()[stage],
        folder=folder,
    )
