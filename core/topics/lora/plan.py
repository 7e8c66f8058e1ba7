"""The plan of the lora page: everything that follows from the parameters without a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.text import EMPTY, Text, tr
from core.language_model.dtypes import DTYPE_BYTES
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
    small_model_head,
    small_model_matrices,
    trainable_by_rank,
)
from core.topics.lora.params import LoraParams
from core.topics.lora.schedule import Phase, Reason, Schedule, explain_ranks, total_step_mismatch

_STATE_BYTES = TRAINED_PARAMETER_BYTES - PARAMETER_BYTES


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
        """Triplets allowed after each step, int32 [steps]: of the planned steps or of the trained ones, whichever are
        more."""
        return self.schedule.curve(max(self.schedule.total, self.schedule.trained))

    @property
    def total_step_mismatch(self) -> Text:
        """What a total_step other than the number of trained steps does; empty if they are equal."""
        return total_step_mismatch(self.params)

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
        check_fits(files, params.dtype)
        check_copies(params, files.parameters)
    else:
        _matrices(params)


def check_copies(params: LoraParams, parameters: int, fully_trained: int = 0) -> None:
    """Raises InvalidParams if the runs' own copies of a model do not fit into memory. The `fully_trained` parameters
    also need gradients and moments of their full size."""
    copies = 3 if params.compare_full else 2
    size = DTYPE_BYTES[params.dtype] / PARAMETER_BYTES
    check_memory(
        int(size * (copies * PARAMETER_BYTES * parameters + _STATE_BYTES * fully_trained)),
        copies,
        tr("switch off Also train full matrices, or use a smaller model")
        if params.compare_full
        else tr("use a smaller model"),
        "compare_full" if params.compare_full else "model",
    )


def _matrices(params: LoraParams) -> list[Matrix]:
    if params.model.strip():
        folder = folder_matrices(params.model)
        model_matrices, head, experts = list(folder.matrices), folder.head, folder.experts
    else:
        model_matrices, head, experts = small_model_matrices(STANDARD), small_model_head(STANDARD), {}
    if not model_matrices:
        raise InvalidParams(
            tr(
                "{folder} has no layers with matrices that an adapter fits: use another model folder.",
                folder=params.model,
            ),
            "model",
        )
    matrices = adapted_matrices(model_matrices, params.targets, head, experts)
    check_ranks(params, matrices)
    return matrices
