"""One method in training: one step per call, and what was seen of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from core.language_model.adapters import Step, train_steps, trainable
from core.language_model.data import IGNORED_LABEL, Batch, batch_loss, task_batches
from core.language_model.evaluation import task_loss
from core.language_model.libraries import LIBRARY_ERRORS, reason
from core.language_model.memory import MemoryUse, measure_step
from core.language_model.pretrain import rate_factor
from core.language_model.table_task import Example
from core.topics.fine_tuning.experiment.building import Built
from core.topics.fine_tuning.experiment.module_places import base_of, pieces
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.params import FineTuningParams
from core.topics.fine_tuning.trained_modules import Place

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MAX_FRAMES = 240
_LARGEST_GRADIENT = 1.0


def frames_of(steps: int) -> np.ndarray:
    """int64 [frames]: the steps, from 1, whose gradients are kept: all, or MAX_FRAMES spread evenly, both ends in."""
    return np.unique(np.linspace(1, steps, min(steps, MAX_FRAMES)).round().astype(np.int64))


class MethodRun:
    """A method that takes one step per call of `advance`, until `over`.

    `losses` are those of each step's batch, AdaLoRA's without its regulariser; `held_out` those of the evaluations at
    `held_out_steps`; `gradient_norms` [frames, places] and `frozen_gradients` [places] as in MethodResult. `error`
    is '' or why it stopped: then everything up to there stays. `seconds` counts training steps alone.
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
        self.error = ""
        self.over = False
        self.seconds = 0.0
        self._tokenizer, self._held_out_examples = tokenizer, held_out_examples
        index = {place.id: place.index for place in places}
        named = list(self.model.named_parameters())
        self.trained_pieces = pieces(self.model, method, [(n, w) for n, w in named if w.requires_grad])
        frozen = pieces(self.model, method, [(n, w) for n, w in named if not w.requires_grad])
        self._trained_at = np.array([index[piece.place] for piece in self.trained_pieces])
        self._frozen = [(index[piece.place], piece.parameter) for piece in frozen]
        self._digest = self._frozen_digest()
        self._frames = {int(step): frame for frame, step in enumerate(frames_of(params.steps))}
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
        """nats per learned token of the last evaluation after a step; None before there is one, or if no number."""
        after = [loss for step, loss in zip(self.held_out_steps, self.held_out, strict=True) if step > 0]
        return after[-1] if after and math.isfinite(after[-1]) else None

    @property
    def plain_model(self) -> Any:
        """The model whose loss is the task's alone: peft's AdaLoRA adds its regulariser even in evaluation."""
        return base_of(self.model) if self.method is MethodId.ADALORA else self.model

    def frozen_is_unchanged(self) -> bool | None:
        """Whether the frozen parameters are, bit by bit, what they were; None where none is frozen."""
        return self._frozen_digest() == self._digest if self._frozen else None

    def advance(self) -> None:
        """One step; the first one is preceded by a held-out loss. A loss that is no number, or what a step or an
        evaluation raises, ends it, with `error`."""
        try:
            if not self.held_out:
                self._evaluate(0)
            step = self._timed_step()
            if step is not None and (step.step == self.params.steps or step.step % self.params.held_out_every == 0):
                self._evaluate(step.step)
            self.over = step is None or self.done >= self.params.steps
        except LIBRARY_ERRORS as error:
            self.error, self.over = reason(error), True

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
            self._keep_gradients(step)
            torch.nn.utils.clip_grad_norm_(weights, _LARGEST_GRADIENT)

        def after_step(step: int) -> None:
            if self.method is MethodId.ADALORA:
                self.model.base_model.update_and_allocate(step)
            schedule.step()

        steps = self.params.steps
        taken = train_steps(
            self.model,
            batches,
            optimizer,
            steps,
            loss_of=self._loss_of,
            after_backward=after_backward,
            after_step=after_step,
        )
        for step in taken:
            self.losses.append(self._task_loss if self.method is MethodId.ADALORA else step.loss)
            yield step

    def _loss_of(self, model: Any, batch: Batch) -> torch.Tensor:
        """What is trained. Of AdaLoRA the task's own part is kept beside it."""
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

    def _keep_gradients(self, step: int) -> None:
        for place, weight in self._frozen:
            if weight.grad is not None:
                largest = float(weight.grad.abs().max())
                self.frozen_gradients[place] = np.fmax(self.frozen_gradients[place], np.float32(largest))
        frame = self._frames.get(step)
        if frame is None:
            return
        parts = [piece.of(_gradient(piece.parameter)) for piece in self.trained_pieces]
        norms = torch.stack(torch._foreach_norm(parts)).double().cpu().numpy()
        squares = np.full(self.gradient_norms.shape[1], np.nan)
        squares[self._trained_at] = 0.0
        np.add.at(squares, self._trained_at, norms**2)
        self.gradient_norms[frame] = np.sqrt(squares)

    def _evaluate(self, step: int) -> None:
        loss = task_loss(self.plain_model, self._tokenizer, self._held_out_examples).loss
        self.held_out_steps.append(step)
        self.held_out.append(loss)

    def _measured_memory(self, batch: Batch) -> MemoryUse:
        """A whole step with rate 0: weights stay as they are, to the bit."""
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
