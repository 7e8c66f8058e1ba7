"""Builds a method on a copy of the model with transformers and peft, and with bitsandbytes for 4 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from core.contracts.text import EMPTY, Text
from core.language_model.adapters import trainable_copy, with_adapter
from core.language_model.data import prompt_ids, target_ids
from core.language_model.libraries import import_peft
from core.language_model.table_task import Example
from core.topics.fine_tuning.experiment.four_bits import with_adapter_on_four_bits
from core.topics.fine_tuning.experiment.prefix_layers import check_prefix_fits
from core.topics.fine_tuning.methods import KEY_VALUE_PREFIX, MethodId
from core.topics.fine_tuning.params import FineTuningParams

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TASK = "CAUSAL_LM"
_PREFIX_INITIAL_STD = 0.02
"""Standard deviation of P-tuning v2's initial keys and values. peft's default is 1, which is larger than this model's
real keys and values."""

_ADALORA_WARM_UP, _ADALORA_FINAL, _ADALORA_ALLOCATIONS = 10, 3, 50
"""AdaLoRA keeps its initial rank for a tenth of the steps and its final ranks for a third, and allocates 50 times."""


@dataclass(frozen=True)
class Built:
    """`model` is in training mode with the method's frozen weights. `runs_on` names the 4-bit implementation, '' if the
    method uses none."""

    model: Any
    runs_on: Text = EMPTY


def build(
    method: MethodId,
    base: Any,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    targets: Sequence[str],
    params: FineTuningParams,
    parameters: Sequence[str] = (),
) -> Built:
    """The method on a copy of `base`. The params' seed alone determines its random values. `targets` must name existing
    linear layers, `parameters` 3-D parameters. Raises TilescopeError, which names the layer, if a layer cannot hold a
    prefix."""
    if method in KEY_VALUE_PREFIX:
        check_prefix_fits(base)
    if method is MethodId.FULL:
        return Built(trainable_copy(base).train())
    config = _config(method, targets, params, parameters)
    if method is MethodId.QLORA:
        model, runs_on = with_adapter_on_four_bits(base, config, params.seed)
        return Built(model, runs_on)
    model = with_adapter(base, config, params.seed)
    if method is MethodId.PROMPT_TUNING:
        _start_from_text(model, tokenizer, examples)
    if method is MethodId.P_TUNING_V2:
        with torch.no_grad():
            vectors(model).mul_(_PREFIX_INITIAL_STD)
    return Built(model)


def vectors(model: Any) -> torch.Tensor:
    """The trainable vectors of a prompt method, [virtual tokens, width]. For P-tuning v2 a row holds the keys and
    values of every layer; for prefix-tuning it is the input of the MLP."""
    weight: torch.Tensor = model.prompt_encoder[model.active_adapter].embedding.weight
    return weight


def _config(method: MethodId, targets: Sequence[str], params: FineTuningParams, parameters: Sequence[str]) -> Any:
    import_peft()
    from peft import AdaLoraConfig, LoraConfig, PrefixTuningConfig, PromptTuningConfig

    if method is MethodId.PROMPT_TUNING:
        return PromptTuningConfig(task_type=_TASK, num_virtual_tokens=params.virtual_tokens)
    if method is MethodId.P_TUNING_V2:
        return PrefixTuningConfig(task_type=_TASK, num_virtual_tokens=params.virtual_tokens)
    if method is MethodId.PREFIX_TUNING:
        return PrefixTuningConfig(
            task_type=_TASK,
            num_virtual_tokens=params.virtual_tokens,
            prefix_projection=True,
            encoder_hidden_size=params.prefix_hidden,
        )
    if method is MethodId.ADALORA:
        return AdaLoraConfig(
            task_type=_TASK,
            init_r=params.initial_rank,
            target_r=params.rank,
            lora_alpha=params.alpha,
            target_modules=list(targets),
            tinit=params.steps // _ADALORA_WARM_UP,
            tfinal=params.steps // _ADALORA_FINAL,
            deltaT=max(1, params.steps // _ADALORA_ALLOCATIONS),
            total_step=params.steps,
        )
    return LoraConfig(
        task_type=_TASK,
        r=params.rank,
        lora_alpha=params.alpha,
        target_modules=list(targets),
        target_parameters=list(parameters) or None,
    )


def _start_from_text(model: Any, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> None:
    """Initialize the prompt vectors with the embeddings of consecutive task rows and sentences. Lester et al. 2021
    found that words work better than noise."""
    prompt = vectors(model)
    ids: list[int] = []
    while len(ids) < len(prompt):
        for example in examples:
            ids += prompt_ids(tokenizer, example.row) + target_ids(tokenizer, example.sentence)
            if len(ids) >= len(prompt):
                break
    embedding = model.get_base_model().get_input_embeddings().weight
    with torch.no_grad():
        prompt.copy_(embedding[torch.tensor(ids[: len(prompt)], device=embedding.device)])
