"""The model, the task and the places that all methods of a run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.engine.steps import ProgressCallback
from core.language_model.adapters import adapted_layers, fused_experts, target_modules
from core.language_model.data import pairs_ids
from core.language_model.generation import context_length
from core.language_model.model_config import STANDARD
from core.language_model.opening import open_model
from core.language_model.small_model import SmallModel
from core.language_model.table_task import Example, TableTask, table_task
from core.language_model.target_modules import targeted_parameters
from core.language_model.world import build_world
from core.topics.fine_tuning.experiment.module_places import places_of_model
from core.topics.fine_tuning.methods import ADAPTERS
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import check_copies, check_rank, check_virtual_tokens
from core.topics.fine_tuning.trained_modules import Place

HELD_OUT_ROWS = 64


@dataclass(frozen=True)
class RunSetup:
    """`base` is on the run's device and is never trained. `layers` are the full names of the linear layers that
    `targets` name, `parameters` 3-D parameters that LoRA and QLoRA adapt beside them. `answered` are the rows for exact
    match: first `unseen` rows about unseen people, then rows with unstated facts."""

    model: SmallModel
    base: Any
    task: TableTask
    targets: tuple[str, ...]
    parameters: tuple[str, ...]
    layers: tuple[str, ...]
    places: tuple[Place, ...]
    answered: tuple[Example, ...]
    unseen: int

    @property
    def held_out(self) -> tuple[Example, ...]:
        return self.task.unseen_people[:HELD_OUT_ROWS]


def open_setup(params: FineTuningParams, device: str, progress: ProgressCallback) -> RunSetup:
    """Open the model and check the parameters against it. Raises InvalidParams if the folder cannot be opened, target
    modules do not exist, the rank or the virtual tokens do not fit, or the copies do not fit into memory."""
    model = open_model(params.model, params.dtype, STANDARD, progress)
    if params.gradient_checkpointing:  # the copies inherit it; it acts only in training mode
        # With use_reentrant, autograd saves the layers' inputs, so that they are counted as activations.
        model.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": True})
    check_copies(params, model.parameters)
    targets: list[str] = []
    names: list[str] = []
    parameters: list[str] = []
    if set(params.chosen) & set(ADAPTERS):
        targets = target_modules(model.model, params.target_modules)
        names = adapted_layers(model.model, targets)
        check_rank(params, min(min(model.model.get_submodule(name).weight.shape) for name in names))
        parameters = targeted_parameters(params.target_parameters, list(fused_experts(model.model)))
    task = table_task(model.world or build_world())
    check_virtual_tokens(params, context_length(model.model), _longest(model, task))
    unseen, unstated = task.unseen_people[: params.exact_match_rows], task.unstated_facts[: params.exact_match_rows]
    return RunSetup(
        model=model,
        base=model.model.to(device),
        task=task,
        targets=tuple(targets),
        parameters=tuple(parameters),
        layers=tuple(names),
        places=places_of_model(model.model),
        answered=(*unseen, *unstated),
        unseen=len(unseen),
    )


def _longest(model: SmallModel, task: TableTask) -> int:
    """The number of tokens of the longest row with its sentence."""
    examples = (*task.train, *task.unseen_people, *task.unstated_facts)
    return max(len(prompt) + len(target) for prompt, target in pairs_ids(model.tokenizer, examples))
