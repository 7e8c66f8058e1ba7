"""The three runs: LoRA, AdaLoRA and full matrices, from the same model on the same batches; and the held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.contracts.text import EMPTY, Text, tr
from core.language_model.adapters import NonFiniteLoss, Step, train_steps, trainable, trainable_copy, with_adapter
from core.language_model.data import IGNORED_LABEL, ordered_batches, task_batches
from core.language_model.evaluation import TextLoss
from core.language_model.libraries import LIBRARY_ERRORS, reason
from core.language_model.small_model import SmallModel
from core.language_model.table_task import Example, TableTask
from core.language_model.torch_state import evaluating
from core.topics.lora.experiment.allocator import Recorder
from core.topics.lora.params import LoraParams
from core.topics.lora.result import RUN_LABELS
from core.topics.lora.schedule import Schedule

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FULL_RATE_SHARE = 0.2
"""Full matrices train with this share of LoRA's learning rate; at the full rate they diverge or forget."""

HELD_OUT_ROWS = 64
ANSWERED_ROWS = 32
_BATCH_SIZE = 32


@dataclass
class Run:
    """One model in training. `losses` are the losses of its batches; `held_out` are the losses on held-out rows at the
    evaluated steps; `seconds` is the time of its own steps without evaluations."""

    id: str
    model: Any
    learning_rate: float
    total_parameters: int
    trainable_parameters: int
    seconds: float = 0.0
    error: Text = EMPTY
    finished: bool = False
    losses: list[float] = field(default_factory=list)
    held_out: list[TextLoss] = field(default_factory=list)
    recorder: Recorder | None = None
    _steps: Iterator[Step] = field(default_factory=lambda: iter(()), repr=False)

    @property
    def label(self) -> Text:
        return RUN_LABELS[self.id]

    @property
    def steps(self) -> int:
        return len(self.losses)

    def advance(self) -> None:
        """Take one step. Sets `finished` after the last step, or together with `error` if the loss becomes NaN or
        infinite or a library fails."""
        started = perf_counter()
        try:
            step = next(self._steps)
        except StopIteration:
            self.finished = True
        except NonFiniteLoss as error:
            self._stop(error.text)
        except LIBRARY_ERRORS as error:
            step_number = len(self.losses) + 1
            self._stop(
                tr("Training stopped because step {step} failed: {reason}", step=step_number, reason=reason(error))
            )
        else:
            self.losses.append(step.loss - self._regulariser(step.step))
            self.seconds += perf_counter() - started

    def evaluate(self, tokenizer: PreTrainedTokenizerBase, rows: Sequence[Example]) -> None:
        """Measure the loss on held-out rows. Sets `finished` and `error` if a library fails."""
        try:
            self.held_out.append(rows_loss(self.model, tokenizer, rows))
        except LIBRARY_ERRORS as error:
            self._stop(
                tr(
                    "Training stopped because the held-out loss after step {step} failed: {reason}",
                    step=self.steps,
                    reason=reason(error),
                )
            )

    def _stop(self, error: Text) -> None:
        self.finished, self.error = True, error
        if self.recorder is not None:
            self.recorder.truncate(len(self.losses))

    def _regulariser(self, step: int) -> float:
        if self.recorder is None:
            return 0.0
        return self.recorder.params.orth_reg_weight * self.recorder.orthogonality[step - 1]


def lora_run(
    params: LoraParams, base: SmallModel, task: TableTask, targets: Sequence[str], parameters: Sequence[str] = ()
) -> Run:
    from peft import LoraConfig

    config = LoraConfig(
        r=params.target_r,
        lora_alpha=params.alpha,
        target_modules=list(targets),
        target_parameters=list(parameters) or None,
        task_type="CAUSAL_LM",
    )
    return _started(params, base, task, "lora", with_adapter(base.model, config, params.seed), params.learning_rate)


def adalora_run(
    params: LoraParams, base: SmallModel, task: TableTask, targets: Sequence[str], names: Sequence[str]
) -> Run:
    from peft import AdaLoraConfig

    config = AdaLoraConfig(
        init_r=params.init_r,
        target_r=params.target_r,
        lora_alpha=params.alpha,
        tinit=params.tinit,
        tfinal=params.tfinal,
        deltaT=params.delta_t,
        beta1=params.beta1,
        beta2=params.beta2,
        orth_reg_weight=params.orth_reg_weight,
        total_step=params.planned_steps,
        target_modules=list(targets),
        task_type="CAUSAL_LM",
    )
    model = with_adapter(base.model, config, params.seed)
    recorder = Recorder(params, Schedule.of(params, len(names)), names, model)
    return _started(params, base, task, "adalora", model, params.adalora_learning_rate, recorder)


def full_run(params: LoraParams, base: SmallModel, task: TableTask, names: Sequence[str]) -> Run:
    """Trains the adapted matrices themselves and nothing else."""
    model = trainable_copy(base.model).train()
    for weight in model.parameters():
        weight.requires_grad_(False)
    for name in names:
        model.get_submodule(name).weight.requires_grad_(True)
    return _started(params, base, task, "full", model, FULL_RATE_SHARE * params.learning_rate)


def _started(
    params: LoraParams,
    base: SmallModel,
    task: TableTask,
    run_id: str,
    model: Any,
    learning_rate: float,
    recorder: Recorder | None = None,
) -> Run:
    weights = trainable(model)
    optimizer = torch.optim.AdamW(weights, lr=learning_rate)
    batches = task_batches(task.train, base.tokenizer, params.batch, params.seed)
    before: Callable[[int], None] | None = recorder.before_update if recorder else None
    after: Callable[[int], None] | None = recorder.after_update if recorder else None
    run = Run(
        run_id, model, learning_rate, base.parameters, sum(weight.numel() for weight in weights), recorder=recorder
    )
    train = partial(train_steps, after_backward=before, after_step=after)
    run._steps = train(model, batches, optimizer, params.steps)
    return run


def held_out_rows(task: TableTask) -> tuple[Example, ...]:
    """Facts about people without a training row and facts that no text states, alternating."""
    pairs = zip(task.unseen_people, task.unstated_facts, strict=False)
    mixed = [example for pair in pairs for example in pair]
    rest = task.unseen_people[len(task.unstated_facts) :]
    return tuple([*mixed, *rest][:HELD_OUT_ROWS])


def rows_loss(model: Any, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> TextLoss:
    """The loss of the sentences given their rows. Keeps the sums per row, so two models can be compared in pairs."""
    sums: list[float] = []
    tokens: list[int] = []
    with evaluating(model):
        for cpu_batch in ordered_batches(examples, tokenizer, _BATCH_SIZE):
            batch = cpu_batch.to(model.device)
            logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, use_cache=False).logits
            expected = batch.labels[:, 1:]
            losses = torch.nn.functional.cross_entropy(
                logits[:, :-1].transpose(1, 2).float(), expected, ignore_index=IGNORED_LABEL, reduction="none"
            )
            sums += losses.double().sum(dim=1).tolist()
            tokens += (expected != IGNORED_LABEL).sum(dim=1).tolist()
    return TextLoss(sum(sums) / sum(tokens), sum(tokens), np.array(sums), np.array(tokens, dtype=np.float64))
