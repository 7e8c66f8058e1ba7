"""AdaLoRA's budget: how many triplets all matrices together may keep, step by step.

Zhang et al. 2023 (arXiv 2303.10512), section 3.3, "global budget scheduler": whole for tinit steps, then a cubic
descent, then the final budget for tfinal steps. Rounded down, and counted, as peft does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from core.topics.lora.params import LoraParams


class Phase(StrEnum):
    WARM_UP = "warm-up"
    PRUNING = "pruning"
    FINAL = "final"


@dataclass(frozen=True)
class Schedule:
    """`first` and `target` are triplets in all; `steps`, `tinit`, `tfinal` and `delta_t` steps, counted from 1."""

    first: int
    target: int
    steps: int
    tinit: int
    tfinal: int
    delta_t: int

    @classmethod
    def of(cls, params: LoraParams, matrices: int) -> Schedule:
        """Of `matrices` adapted matrices."""
        return cls(
            first=params.init_r * matrices,
            target=params.target_r * matrices,
            steps=params.steps,
            tinit=params.tinit,
            tfinal=params.tfinal,
            delta_t=params.delta_t,
        )

    @property
    def last_allocation(self) -> int:
        """The step at which peft masks whatever deltaT says; afterwards the masks stay."""
        return self.steps - self.tfinal

    def phase(self, step: int) -> Phase:
        if step <= self.tinit:
            return Phase.WARM_UP
        return Phase.PRUNING if step <= self.last_allocation else Phase.FINAL

    def budget(self, step: int) -> int:
        """Triplets that may be kept after `step`: b(t) = b(T) + (b(0) - b(T)) (1 - (t - tinit) / (T - tfinal -
        tinit))^3 between the two other phases."""
        phase = self.phase(step)
        if phase is Phase.WARM_UP:
            return self.first
        if phase is Phase.FINAL:
            return self.target
        left = 1 - (step - self.tinit) / (self.last_allocation - self.tinit)
        return int((self.first - self.target) * left**3 + self.target)

    def allocates(self, step: int) -> bool:
        """Whether triplets are ranked and masked anew after `step`."""
        if self.phase(step) is not Phase.PRUNING:
            return False
        return step % self.delta_t == 0 or step == self.last_allocation

    def scores(self, step: int) -> bool:
        """Whether importance is updated after `step`: in peft until the last allocation, which takes the scores of the
        step before."""
        return step < self.last_allocation

    def next_allocation(self, step: int) -> int | None:
        """The first step after `step` that allocates, None if there is none."""
        if step >= self.last_allocation:
            return None
        following = (max(step, self.tinit) // self.delta_t + 1) * self.delta_t
        return min(following, self.last_allocation)

    def curve(self) -> np.ndarray:
        """Budgets after steps 1 to `steps`, int32 [steps]."""
        return np.array([self.budget(step) for step in range(1, self.steps + 1)], dtype=np.int32)

    def allocations(self) -> Sequence[int]:
        """The steps that allocate, ascending."""
        return [step for step in range(self.tinit + 1, self.last_allocation + 1) if self.allocates(step)]
