"""A method on a copy of the model, as the libraries build it: transformers and peft, bitsandbytes for 4 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from core.language_model.adapters import trainable_copy, with_adapter
from core.language_model.data import prompt_ids, target_ids
from core.language_model.libraries import import_peft
from core.language_model.table_task import Example
from core.topics.fine_tuning.experiment.four_bits import with_adapter_on_four_bits
from core.topics.fine_tuning.methods import MethodId
from core.topics.fine_tuning.params import FineTuningParams

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TASK = "CAUSAL_LM"
_SMALL_START = 0.02
"""Standard deviation of P-tuning v2's first keys and values. peft's own is 1, larger than this model's real ones."""

_ADALORA_WARM_UP, _ADALORA_LAST, _ADALORA_DECISIONS = 10, 3, 50
"""AdaLoRA holds its first rank for a tenth of the steps and its last for a third, and decides fifty times per run."""


@dataclass(frozen=True)
class Built:
    """`model` is in training mode, frozen as the method freezes it. `runs_on` says what does 4-bit work, '' if none."""

    model: Any
    runs_on: str = ""


def build(
    method: MethodId,
    base: Any,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    targets: Sequence[str],
    params: FineTuningParams,
) -> Built:
    """The method on a copy of `base`; what is drawn follows from the params' seed alone. `targets` are names of linear
    layers that are there."""
    if method is MethodId.FULL:
        return Built(trainable_copy(base).train())
    config = _config(method, targets, params)
    if method is MethodId.QLORA:
        model, runs_on = with_adapter_on_four_bits(base, config, params.seed)
        return Built(model, runs_on)
    model = with_adapter(base, config, params.seed)
    if method is MethodId.PROMPT_TUNING:
        _start_from_text(model, tokenizer, examples)
    if method is MethodId.P_TUNING_V2:
        with torch.no_grad():
            vectors(model).mul_(_SMALL_START)
    return Built(model)


def vectors(model: Any) -> torch.Tensor:
    """The trainable vectors of a prompt method: [virtual tokens, width]; of P-tuning v2 every layer's keys and values,
    of prefix-tuning what its MLP reads."""
    weight: torch.Tensor = model.prompt_encoder[model.active_adapter].embedding.weight
    return weight


def _config(method: MethodId, targets: Sequence[str], params: FineTuningParams) -> Any:
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
            tfinal=params.steps // _ADALORA_LAST,
            deltaT=max(1, params.steps // _ADALORA_DECISIONS),
            total_step=params.steps,
        )
    return LoraConfig(task_type=_TASK, r=params.rank, lora_alpha=params.alpha, target_modules=list(targets))


def _start_from_text(model: Any, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> None:
    """Prompt vectors begin as the embeddings of rows and sentences of the task, one after another (Lester et al. 2021
    found words better than noise)."""
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
