"""AdaLoRA's budget: the number of triplets that all matrices together may keep at each step.

Zhang et al. 2023 (arXiv 2303.10512), section 3.3, "global budget scheduler": the full budget for tinit steps, then a
cubic descent, then the final budget for tfinal steps. Rounds down and counts steps as peft does. The schedule also
explains why ranks do not change at a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.contracts.text import EMPTY, Text, sentences, tr
from core.topics.lora.params import LoraParams


class Phase(StrEnum):
    WARM_UP = "warm-up"
    PRUNING = "pruning"
    FINAL = "final"

    @property
    def label(self) -> Text:
        return _PHASE_LABELS[self]


_PHASE_LABELS = {
    Phase.WARM_UP: tr("warm-up"),
    Phase.PRUNING: tr("pruning"),
    Phase.FINAL: tr("final phase"),
}


@dataclass(frozen=True)
class Schedule:
    """`first` and `target` are total numbers of triplets. The other fields are numbers of steps, which count from 1:
    `total` (peft's total_step) are planned, `trained` are taken."""

    first: int
    target: int
    total: int
    tinit: int
    tfinal: int
    delta_t: int
    trained: int

    @classmethod
    def of(cls, params: LoraParams, matrices: int) -> Schedule:
        """The schedule for `matrices` adapted matrices."""
        return cls(
            first=params.init_r * matrices,
            target=params.target_r * matrices,
            total=params.planned_steps,
            tinit=params.tinit,
            tfinal=params.tfinal,
            delta_t=params.delta_t,
            trained=params.steps,
        )

    @property
    def last_allocation(self) -> int:
        """The step at which peft always masks, regardless of deltaT. Afterwards the masks stay fixed."""
        return self.total - self.tfinal

    def phase(self, step: int) -> Phase:
        if step <= self.tinit:
            return Phase.WARM_UP
        return Phase.PRUNING if step <= self.last_allocation else Phase.FINAL

    def budget(self, step: int) -> int:
        """The number of triplets that may be kept after `step`. In the pruning phase it is
        b(t) = b(T) + (b(0) - b(T)) (1 - (t - tinit) / (T - tfinal - tinit))^3."""
        phase = self.phase(step)
        if phase is Phase.WARM_UP:
            return self.first
        if phase is Phase.FINAL:
            return self.target
        remaining = 1 - (step - self.tinit) / (self.last_allocation - self.tinit)
        return int((self.first - self.target) * remaining**3 + self.target)

    def allocates(self, step: int) -> bool:
        """Whether triplets are ranked and masked anew after `step`."""
        if self.phase(step) is not Phase.PRUNING:
            return False
        return step % self.delta_t == 0 or step == self.last_allocation

    def scores(self, step: int) -> bool:
        """Whether importance is updated after `step`. peft stops before the last allocation, which uses the scores of
        the step before it."""
        return step < self.last_allocation

    def next_allocation(self, step: int) -> int | None:
        """The first allocating step after `step`, None if there is none."""
        if step >= self.last_allocation:
            return None
        following = (max(step, self.tinit) // self.delta_t + 1) * self.delta_t
        return min(following, self.last_allocation)

    def curve(self, steps: int) -> np.ndarray:
        """Budgets after steps 1 to `steps`, int32 [steps]."""
        first, last = min(self.tinit, steps), min(self.last_allocation, steps)
        # Step by step only where it falls: numpy's powers round otherwise than peft's.
        falling = [self.budget(step) for step in range(first + 1, last + 1)]
        return np.array([self.first] * first + falling + [self.target] * (steps - last), dtype=np.int32)

    @property
    def final_budget(self) -> int:
        """The number of triplets that masks leave after the last trained step."""
        last = self.last_allocated()
        return self.first if last is None else self.budget(last)

    def last_allocated(self) -> int | None:
        """The last allocating step among the trained ones, None if none of them allocates."""
        if self.trained >= self.last_allocation:
            return self.last_allocation
        step = self.trained - self.trained % self.delta_t
        return step if step > self.tinit else None

    def allocations(self) -> Sequence[int]:
        """The allocating steps, ascending."""
        return [step for step in range(self.tinit + 1, self.last_allocation + 1) if self.allocates(step)]


def total_step_mismatch(params: LoraParams) -> Text:
    """What a total_step other than the number of trained steps does to the budget; empty if they are equal or ranks
    never change."""
    schedule = Schedule.of(params, 1)
    if schedule.total == schedule.trained or not params.call_update or params.init_r == params.target_r:
        return EMPTY
    last, trained = schedule.last_allocation, schedule.trained
    if trained < last:
        arrives = tr(
            "The budget never arrives: total_step = {total:,} puts the last allocation at step {last:,}, but training "
            "ends at step {trained:,}, with {rank} triplets per matrix on average instead of {target}.",
            total=schedule.total,
            last=last,
            trained=trained,
            rank=schedule.final_budget,
            target=schedule.target,
        )
    elif trained < schedule.total:
        arrives = tr(
            "The budget arrives at step {last:,}, but training ends at step {trained:,} of total_step = {total:,}: "
            "{final:,} of the {tfinal:,} final steps (tfinal) are trained.",
            last=last,
            trained=trained,
            total=schedule.total,
            final=trained - last,
            tfinal=schedule.tfinal,
        )
    else:
        arrives = tr(
            "The budget arrives too early: total_step = {total:,} puts the last allocation at step {last:,} of "
            "{trained:,}, so ranks are fixed for the last {fixed:,} steps instead of {tfinal:,} (tfinal).",
            total=schedule.total,
            last=last,
            trained=trained,
            fixed=trained - last,
            tfinal=schedule.tfinal,
        )
    remedy = tr(
        "Set total_step to the number of calls of update_and_allocate, which is that of the optimizer's steps, not of "
        "the batches that gradients are accumulated over: {trained:,} here.",
        trained=trained,
    )
    return sentences(arrives, remedy)


class Cause(StrEnum):
    NOT_CALLED = "update_and_allocate is not called"
    NOTHING_TO_PRUNE = "init_r = target_r"
    BEFORE_TINIT = "before tinit"
    BETWEEN_ALLOCATIONS = "between allocations"
    BUDGET_MET = "budget met"
    ALLOCATING = "allocating"


@dataclass(frozen=True)
class Reason:
    """Why ranks do not change at a step. If `changes` is True they may change, and the sentence says how."""

    cause: Cause
    sentence: Text

    @property
    def changes(self) -> bool:
        return self.cause is Cause.ALLOCATING


def explain_ranks(params: LoraParams, step: int) -> Reason:
    """Why the ranks stay the same after `step`, or how they change. Step 0 is before training."""
    schedule = Schedule.of(params, 1)
    if not params.call_update:
        return Reason(
            Cause.NOT_CALLED,
            tr(
                "No rank ever changes, because update_and_allocate is not called: call it after each optimizer step, "
                "before the gradients are cleared."
            ),
        )
    if params.init_r == params.target_r:
        return Reason(
            Cause.NOTHING_TO_PRUNE,
            tr(
                "No rank changes, because init_r and target_r are both {rank}: the budget is met from the start, so "
                "there is nothing to prune.",
                rank=params.init_r,
            ),
        )
    phase, following = schedule.phase(step), schedule.next_allocation(step)
    if phase is Phase.WARM_UP:
        return Reason(
            Cause.BEFORE_TINIT,
            tr(
                "No rank changes yet: until step {tinit} (tinit), every matrix keeps all {init_r} triplets while "
                "scores accumulate. The first allocation is at step {next}.",
                tinit=params.tinit,
                init_r=params.init_r,
                next=following or schedule.last_allocation,
            ),
        )
    if phase is Phase.FINAL:
        return Reason(
            Cause.BUDGET_MET,
            tr(
                "No rank changes any more: since step {last}, the budget of {target_r} triplets per matrix is met, and "
                "the masks stay fixed for the last {tfinal} steps.",
                last=schedule.last_allocation,
                target_r=params.target_r,
                tfinal=max(0, params.steps - schedule.last_allocation),
            ),
        )
    if not schedule.allocates(step):
        return Reason(
            Cause.BETWEEN_ALLOCATIONS,
            tr(
                "No rank changes at this step: ranks are allocated every {delta_t} steps (deltaT), next at step "
                "{next}.",
                delta_t=params.delta_t,
                next=following or schedule.last_allocation,
            ),
        )
    return Reason(
        Cause.ALLOCATING,
        tr(
            "Ranks are allocated at this step: the triplets with the highest scores stay, as many as the budget allows."
        ),
    )
