"""The model, the task and the matrices that all runs share, and what adapters reach of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from core.contracts.text import listed, tr
from core.engine.steps import ProgressCallback
from core.language_model.adapters import adapted_layers, fused_experts, head_name, is_tied, target_modules
from core.language_model.data import Batch, ordered_batches
from core.language_model.libraries import import_peft
from core.language_model.model_config import STANDARD
from core.language_model.opening import open_model
from core.language_model.reach import experts_notice, parts_of, reach_metrics
from core.language_model.small_model import SmallModel
from core.language_model.table_task import TableTask, table_task
from core.language_model.target_modules import targeted_parameters, tied_head_notice
from core.language_model.world import build_world
from core.topics.lora.experiment.runs import held_out_rows
from core.topics.lora.experiment.summary import Builder
from core.topics.lora.matrices import Matrix, check_ranks, matrix_from_name
from core.topics.lora.params import LoraParams
from core.topics.lora.plan import check_copies

_CHECKED_ROWS = 16


@dataclass
class Setting:
    """The model, task and matrices that all runs share. `parameters` are 3-D parameters that only LoRA adapts."""

    base: SmallModel
    task: TableTask
    targets: list[str]
    names: list[str]
    parameters: list[str]
    matrices: list[Matrix]
    batch: Batch


def open_setting(params: LoraParams, device: str, progress: ProgressCallback) -> Setting:
    base = open_model(params.model, params.dtype, STANDARD, progress)
    progress(1, 1, tr("importing peft"))
    import_peft()
    targets = target_modules(base.model, params.target_modules)
    names = adapted_layers(base.model, targets)
    parameters = targeted_parameters(params.target_parameters, list(fused_experts(base.model)))
    _check_copies(base, names, params)
    base.model.to(torch.device(device))
    matrices = [_matrix(base.model, name) for name in names]
    check_ranks(params, matrices)
    task = table_task(base.world or build_world(params.seed))
    batch = next(ordered_batches(held_out_rows(task)[:_CHECKED_ROWS], base.tokenizer, _CHECKED_ROWS))
    return Setting(base, task, targets, names, parameters, matrices, batch)


def expert_sides(setting: Setting) -> int:
    """The parameters per rank of adapters on 3-D parameters [experts, a, b]: experts x (a + b) each."""
    experts = fused_experts(setting.base.model)
    shapes = [experts[name].shape for name in setting.parameters]
    return sum(count * (first + second) for count, first, second in shapes)


def tell_what_adapters_reach(builder: Builder, setting: Setting) -> None:
    model = setting.base.model
    parts = parts_of(model, setting.names, setting.parameters)
    builder.add(reach_metrics(parts, builder.measured))
    builder.add_message("warning", experts_notice(parts, model))
    builder.add_message("warning", tied_head_notice(is_tied(model) and head_name(model) in setting.names))
    if setting.parameters:
        builder.add_message(
            "notice",
            tr(
                "Only LoRA adapts {parameters} (target_parameters): PEFT's AdaLoRA and the full matrices do without.",
                parameters=listed(dict.fromkeys(".".join(name.split(".")[-3:]) for name in setting.parameters)),
            ),
        )


def _check_copies(base: SmallModel, names: Sequence[str], params: LoraParams) -> None:
    full_parameters = sum(base.model.get_submodule(name).weight.numel() for name in names)
    check_copies(params, base.parameters, full_parameters if params.compare_full else 0)


def _matrix(model: torch.nn.Module, name: str) -> Matrix:
    layer = model.get_submodule(name)
    weight = layer.weight
    assert isinstance(weight, torch.Tensor)
    first, second = weight.shape
    # GPT-2's Conv1D stores its weights as [in, out].
    rows, columns = (first, second) if isinstance(layer, torch.nn.Linear) else (second, first)
    return matrix_from_name(name, rows, columns)
