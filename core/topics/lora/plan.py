"""The plan of the lora page: everything that follows from the parameters without a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.text import EMPTY, Text, tr
from core.language_model.folder_files import check_fits, inspect
from core.language_model.memory_check import PARAMETER_BYTES, TRAINED_PARAMETER_BYTES, check_memory
from core.language_model.model_config import STANDARD
from core.topics.lora.matrices import (
    LoraCounts,
    Matrix,
    adapted_matrices,
    check_ranks,
    folder_matrices,
    gpt_3,
    lora_counts,
    small_model_matrices,
    trainable_by_rank,
)
from core.topics.lora.params import LoraParams
from core.topics.lora.schedule import Phase, Reason, Schedule, explain_ranks


@dataclass(frozen=True)
class Plan:
    """What a run will do, computed from the parameters alone. Everything is modelled.

    `matrices` are the matrices that get adapters, in the model's order. If nothing can run, they are empty, `problem`
    says why, `blames` names the parameter, and the schedule is that of one matrix.
    """

    params: LoraParams
    matrices: tuple[Matrix, ...]
    schedule: Schedule
    problem: Text = EMPTY
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
        """AdaLoRA trains all init_r triplets until the end, including masked ones."""
        return sum(matrix.adalora_parameters(self.params.init_r) for matrix in self.matrices)

    @property
    def preset(self) -> LoraCounts:
        """The selected public model with the selected rank and targets."""
        return lora_counts(self.params.architecture, self.params.preset_kinds, self.params.preset_rank)

    @property
    def paper(self) -> LoraCounts:
        """The GPT-3 example of the LoRA paper."""
        return gpt_3()

    @cached_property
    def parameters_by_rank(self) -> tuple[np.ndarray, np.ndarray]:
        """Ranks and trainable parameters of the selected public model, int64 [ranks] each."""
        return trainable_by_rank(self.params.architecture, self.params.preset_kinds)

    def phase(self, step: int) -> Phase:
        return self.schedule.phase(step)

    def explain_ranks(self, step: int) -> Reason:
        """Why the ranks stay as they are after `step`."""
        return explain_ranks(self.params, step)


def plan(params: LoraParams) -> Plan:
    """The plan of `params`. Never raises; an error becomes its `problem`."""
    matrices: list[Matrix] = []
    problem, blames = EMPTY, None
    try:
        matrices = _matrices(params)
    except InvalidParams as error:
        problem, blames = error.text, error.field
    except TilescopeError as error:
        problem, blames = error.text, "model"
    return Plan(params, tuple(matrices), Schedule.of(params, max(1, len(matrices))), problem, blames)


def check(params: LoraParams) -> None:
    """Raises InvalidParams if the model folder is incomplete or damaged, if the models do not fit into memory, if a
    target is not in the model, or if a rank is larger than its matrices. Errors that need the libraries appear when a
    run opens the folder."""
    if params.model.strip():
        files = inspect(params.model, "model")
        check_fits(files)
        check_copies(params, files.parameters)
    else:
        _matrices(params)


def check_copies(params: LoraParams, parameters: int, fully_trained: int = 0) -> None:
    """Raises InvalidParams if the runs' own copies of a model do not fit into memory. The `fully_trained` parameters
    also need gradients and moments of their full size."""
    copies = 3 if params.compare_full else 2
    check_memory(
        copies * PARAMETER_BYTES * parameters + (TRAINED_PARAMETER_BYTES - PARAMETER_BYTES) * fully_trained,
        copies,
        tr("switch off Also train full matrices, or use a smaller model")
        if params.compare_full
        else tr("use a smaller model"),
        "compare_full" if params.compare_full else "model",
    )


def _matrices(params: LoraParams) -> list[Matrix]:
    model_matrices = folder_matrices(params.model) if params.model.strip() else small_model_matrices(STANDARD)
    if not model_matrices:
        raise InvalidParams(
            tr(
                "{folder} has no layers with matrices that an adapter fits: use another model folder.",
                folder=params.model,
            ),
            "model",
        )
    matrices = adapted_matrices(model_matrices, params.targets)
    check_ranks(params, matrices)
    return matrices
