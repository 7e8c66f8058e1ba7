"""The model, the task and the places that all methods of a run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.engine.steps import ProgressCallback
from core.language_model.adapters import adapted_layers, target_modules
from core.language_model.data import prompt_ids, target_ids
from core.language_model.folder import open_folder
from core.language_model.generation import context_length
from core.language_model.model_config import STANDARD
from core.language_model.small_model import SmallModel, small_model
from core.language_model.table_task import Example, TableTask, table_task
from core.language_model.world import build_world
from core.paths import expanded
from core.topics.fine_tuning.experiment.module_places import places_of_model
from core.topics.fine_tuning.methods import ADAPTERS
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.plan import check_copies, check_rank, check_virtual_tokens
from core.topics.fine_tuning.trained_modules import Place

HELD_OUT_ROWS = 64


@dataclass(frozen=True)
class RunSetup:
    """`base` is on the run's device and is never trained. `answered` are the rows for exact match: first `unseen` rows
    about unseen people, then rows with unstated facts."""

    model: SmallModel
    base: Any
    task: TableTask
    targets: tuple[str, ...]
    places: tuple[Place, ...]
    answered: tuple[Example, ...]
    unseen: int

    @property
    def held_out(self) -> tuple[Example, ...]:
        return self.task.unseen_people[:HELD_OUT_ROWS]


def open_setup(params: FineTuningParams, device: str, progress: ProgressCallback) -> RunSetup:
    """Open the model and check the parameters against it. Raises InvalidParams if the folder cannot be opened, target
    modules do not exist, the rank or the virtual tokens do not fit, or the copies do not fit into memory."""
    folder = params.model.strip()
    model = open_folder(expanded(folder, "model"), progress, "model") if folder else small_model(STANDARD, progress)
    check_copies(params, model.parameters)
    targets: list[str] = []
    if set(params.chosen) & set(ADAPTERS):
        targets = target_modules(model.model, params.target_modules)
        layers = [model.model.get_submodule(name) for name in adapted_layers(model.model, targets)]
        check_rank(params, min(min(layer.weight.shape) for layer in layers))
    task = table_task(model.world or build_world())
    check_virtual_tokens(params, context_length(model.model), _longest(model, task))
    unseen, unstated = task.unseen_people[: params.exact_match_rows], task.unstated_facts[: params.exact_match_rows]
    return RunSetup(
        model=model,
        base=model.model.to(device),
        task=task,
        targets=tuple(targets),
        places=places_of_model(model.model),
        answered=(*unseen, *unstated),
        unseen=len(unseen),
    )


def _longest(model: SmallModel, task: TableTask) -> int:
    """The number of tokens of the longest row with its sentence."""
    return max(
        len(prompt_ids(model.tokenizer, example.row)) + len(target_ids(model.tokenizer, example.sentence))
        for example in (*task.train, *task.unseen_people, *task.unstated_facts)
    )
