"""One method in training: one step per call, with its recorded losses and gradients."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.contracts.text import EMPTY
from core.language_model.adapters import Step, train_steps, trainable
from core.language_model.data import IGNORED_LABEL, Batch, batch_loss, task_batches
from core.language_model.evaluation import task_loss
from core.language_model.libraries import LIBRARY_ERRORS, reason
from core.language_model.memory import MemoryUse, measure_step
from core.language_model.pretrain import rate_factor
from core.language_model.table_task import Example
from core.topics.fine_tuning.experiment.building import Built
from core.topics.fine_tuning.experiment.module_places import base_of, parameter_parts
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.trained_modules import Place

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_FRAMES = 240
_MAX_GRADIENT_NORM = 1.0


def recorded_steps(steps: int) -> np.ndarray:
    """The steps whose gradients are recorded, int64 [frames], counted from 1: all steps, or MAX_FRAMES evenly spaced
    ones including both ends."""
    return np.unique(np.linspace(1, steps, min(steps, MAX_FRAMES)).round().astype(np.int64))


class MethodRun:
    """A method that takes one step per call of `advance` until it is `finished`.

    `losses` are the losses of the batches, without AdaLoRA's regulariser. `held_out` are the losses of the evaluations
    at `held_out_steps`. `gradient_norms` [frames, places] and `frozen_gradients` [places] are as in MethodResult.
    `error` says why the method stopped early, '' if it did not; earlier records stay. `seconds` counts only training
    steps.
    """

    def __init__(
        self,
        method: MethodId,
        built: Built,
        places: Sequence[Place],
        examples: Sequence[Example],
        held_out_examples: Sequence[Example],
        tokenizer: PreTrainedTokenizerBase,
        params: FineTuningParams,
    ) -> None:
        self.method, self.model, self.runs_on, self.params = method, built.model, built.runs_on, params
        self.learning_rate = METHODS[method].learning_rate * params.rate_factor
        self.losses: list[float] = []
        self.held_out_steps: list[int] = []
        self.held_out: list[float] = []
        self.error = EMPTY
        self.finished = False
        self.seconds = 0.0
        self._tokenizer, self._held_out_examples = tokenizer, held_out_examples
        index = {place.id: place.index for place in places}
        named = list(self.model.named_parameters())
        self.trained_parts = parameter_parts(self.model, method, [(n, w) for n, w in named if w.requires_grad])
        frozen = parameter_parts(self.model, method, [(n, w) for n, w in named if not w.requires_grad])
        self._trained_at = np.array([index[part.place] for part in self.trained_parts])
        self._frozen = [(index[part.place], part.parameter) for part in frozen]
        self._digest = self._frozen_digest()
        self._frames = {int(step): frame for frame, step in enumerate(recorded_steps(params.steps))}
        self.gradient_norms = np.full((len(self._frames), len(places)), np.nan, dtype=np.float32)
        self.frozen_gradients = np.full(len(places), np.nan, dtype=np.float32)
        self.frozen_gradients[[place for place, _ in self._frozen]] = 0.0
        self.memory = self._measured_memory(next(task_batches(examples, tokenizer, params.batch, params.seed)))
        self._steps = self._training(task_batches(examples, tokenizer, params.batch, params.seed))

    @property
    def done(self) -> int:
        return len(self.losses)

    @property
    def held_out_loss(self) -> float | None:
        """The loss of the last evaluation after a step, in nats per labelled token. None if there is no such evaluation
        or the loss is not finite."""
        after = [loss for step, loss in zip(self.held_out_steps, self.held_out, strict=True) if step > 0]
        return after[-1] if after and math.isfinite(after[-1]) else None

    @property
    def plain_model(self) -> Any:
        """The model whose loss is the task loss. peft's AdaLoRA model adds its regulariser even in evaluation."""
        return base_of(self.model) if self.method is MethodId.ADALORA else self.model

    def frozen_is_unchanged(self) -> bool | None:
        """Whether the frozen parameters are still equal to the bit; None if nothing is frozen."""
        return self._frozen_digest() == self._digest if self._frozen else None

    def advance(self) -> None:
        """Take one step. A held-out evaluation precedes the first step. A NaN or infinite loss, or an error in a step
        or evaluation, ends the run and sets `error`."""
        try:
            if not self.held_out:
                self._evaluate(0)
            step = self._timed_step()
            if step is not None and (step.step == self.params.steps or step.step % self.params.held_out_every == 0):
                self._evaluate(step.step)
            self.finished = step is None or self.done >= self.params.steps
        except LIBRARY_ERRORS as error:
            self.error, self.finished = reason(error), True

    def _timed_step(self) -> Step | None:
        started = perf_counter()
        try:
            return next(self._steps, None)
        finally:
            self.seconds += perf_counter() - started

    def _training(self, batches: Iterator[Batch]) -> Iterator[Step]:
        weights = trainable(self.model)
        optimizer = torch.optim.AdamW(weights, lr=self.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, self.params.steps))

        def after_backward(step: int) -> None:
            self._record_gradients(step)
            torch.nn.utils.clip_grad_norm_(weights, _MAX_GRADIENT_NORM)

        def after_step(step: int) -> None:
            if self.method is MethodId.ADALORA:
                self.model.base_model.update_and_allocate(step)
            schedule.step()

        steps = self.params.steps
        training_steps = train_steps(
            self.model,
            batches,
            optimizer,
            steps,
            loss_of=self._loss_of,
            after_backward=after_backward,
            after_step=after_step,
        )
        for step in training_steps:
            self.losses.append(self._task_loss if self.method is MethodId.ADALORA else step.loss)
            yield step

    def _loss_of(self, model: Any, batch: Batch) -> torch.Tensor:
        """The loss that is trained. For AdaLoRA the task loss without the regulariser is stored as well."""
        if self.method is not MethodId.ADALORA:
            return batch_loss(model, batch)
        outputs = model(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels, use_cache=False
        )
        logits = outputs.logits.detach()[:, :-1].flatten(0, 1).float()
        labels = batch.labels[:, 1:].flatten()
        self._task_loss = float(torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED_LABEL))
        loss: torch.Tensor = outputs.loss
        return loss

    def _record_gradients(self, step: int) -> None:
        for place, weight in self._frozen:
            if weight.grad is not None:
                largest = float(weight.grad.abs().max())
                self.frozen_gradients[place] = np.fmax(self.frozen_gradients[place], np.float32(largest))
        frame = self._frames.get(step)
        if frame is None:
            return
        parts = [part.of(_gradient(part.parameter)) for part in self.trained_parts]
        norms = torch.stack(torch._foreach_norm(parts, 2, torch.float32)).double().cpu().numpy()
        squares = np.full(self.gradient_norms.shape[1], np.nan)
        squares[self._trained_at] = 0.0
        np.add.at(squares, self._trained_at, norms**2)
        self.gradient_norms[frame] = np.sqrt(squares)

    def _evaluate(self, step: int) -> None:
        loss = task_loss(self.plain_model, self._tokenizer, self._held_out_examples).loss
        self.held_out_steps.append(step)
        self.held_out.append(loss)

    def _measured_memory(self, batch: Batch) -> MemoryUse:
        """Measure a full step with learning rate 0, which leaves the weights equal to the bit."""
        optimizer = torch.optim.AdamW(trainable(self.model), lr=0.0, weight_decay=0.0)
        batch = batch.to(next(self.model.parameters()).device)
        return measure_step(self.model, optimizer, lambda: batch_loss(self.model, batch))

    def _frozen_digest(self) -> bytes:
        digest = hashlib.blake2b(digest_size=16)
        for _, weight in self._frozen:
            digest.update(weight.detach().reshape(-1).view(torch.uint8).cpu().numpy().data)
        return digest.digest()


def _gradient(weight: torch.nn.Parameter) -> torch.Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad
