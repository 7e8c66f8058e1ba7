"""The whole model in one call: what is drawn before, and beside, any run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.contracts.errors import InvalidParams, TilescopeError
from core.language_model.model_config import STANDARD
from core.paths import expanded
from core.topics.lora.matrices import (
    Counted,
    Matrix,
    adapted,
    against_rank,
    check_ranks,
    counted,
    folder_matrices,
    gpt_3,
    small_model_matrices,
)
from core.topics.lora.params import LoraParams
from core.topics.lora.schedule import Phase, Reason, Schedule, why_nothing_changes


@dataclass(frozen=True)
class Plan:
    """What a run will do, from the parameters alone. Everything is modelled.

    `matrices` are those that get adapters, in the model's order; empty where `problem` says why nothing can run,
    blaming the parameter `blames`: then the schedule is of one matrix.
    """

    params: LoraParams
    matrices: tuple[Matrix, ...]
    schedule: Schedule
    problem: str = ""
    blames: str | None = None

    @cached_property
    def budget(self) -> np.ndarray:
        """Triplets allowed after each step, int32 [steps]."""
        return self.schedule.curve()

    @property
    def lora_parameters(self) -> int:
        return sum(matrix.lora_parameters(self.params.target_r) for matrix in self.matrices)

    @property
    def adalora_parameters(self) -> int:
        """Those that are trained, whatever is masked: of rank init_r to the end."""
        return sum(matrix.adalora_parameters(self.params.init_r) for matrix in self.matrices)

    @property
    def preset(self) -> Counted:
        """The chosen public model, adapted as the parameters say."""
        return counted(self.params.architecture, self.params.preset_kinds, self.params.preset_rank)

    @property
    def paper(self) -> Counted:
        """GPT-3 as in the LoRA paper."""
        return gpt_3()

    @cached_property
    def parameters_by_rank(self) -> tuple[np.ndarray, np.ndarray]:
        """Ranks and trainable parameters of the chosen public model, int64 [ranks] each."""
        return against_rank(self.params.architecture, self.params.preset_kinds)

    def phase(self, step: int) -> Phase:
        return self.schedule.phase(step)

    def why(self, step: int) -> Reason:
        """Why the ranks stay as they are after `step`."""
        return why_nothing_changes(self.params, step)


def plan(params: LoraParams) -> Plan:
    """The plan of `params`. Does not raise: what is wrong is its `problem`."""
    matrices: list[Matrix] = []
    problem, blames = "", None
    try:
        matrices = _matrices(params)
    except InvalidParams as error:
        problem, blames = error.sentence, error.field
    except TilescopeError as error:
        problem, blames = error.sentence, "model"
    return Plan(params, tuple(matrices), Schedule.of(params, max(1, len(matrices))), problem, blames)


def check(params: LoraParams) -> None:
    """Raises InvalidParams for a model folder that does not exist, a target that the model does not have, and a rank
    above its matrices. What only the libraries can tell of a folder, a run tells."""
    if params.model.strip():
        folder = expanded(params.model, "model")
        if not os.path.isdir(folder):
            raise InvalidParams(f"There is no folder {folder}: give a local Hugging Face model folder.", "model")
    else:
        _matrices(params)


def _matrices(params: LoraParams) -> list[Matrix]:
    of_model = folder_matrices(params.model) if params.model.strip() else small_model_matrices(STANDARD)
    if not of_model:
        raise InvalidParams(f"{params.model} has no layers with matrices that could be adapted.", "model")
    matrices = adapted(of_model, params.targets)
    check_ranks(params, matrices)
    return matrices
