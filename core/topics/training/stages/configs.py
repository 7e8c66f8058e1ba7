"""The settings of every stage. No torch, so the window can read and check them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.contracts.errors import InvalidParams
from core.contracts.text import tr


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """What all stages have: `steps` updates of the weights with AdamW at a peak `learning_rate`, each from `batch`
    examples. The learning rate rises over the first tenth of the steps and then falls to a tenth of its peak, unless it
    is `constant`. `eval_every` and `save_every` count steps. `max_grad_norm` limits the norm of the gradient.
    """

    steps: int
    batch: int
    learning_rate: float
    constant: bool = False
    max_grad_norm: float = 1.0
    eval_every: int = 10
    save_every: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InvalidParams if nothing can be trained like this."""
        if self.steps < 1:
            raise InvalidParams(tr("{steps} steps train nothing: use 1 step or more.", steps=self.steps), "steps")
        if self.batch < 1:
            raise InvalidParams(tr("A batch of {batch} examples teaches nothing: use 1 or more.", batch=self.batch))
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InvalidParams(
                tr("A learning rate of {rate:g} cannot train a model: use a number above 0.", rate=self.learning_rate),
                "learning_rate",
            )
        if min(self.eval_every, self.save_every) < 1:
            raise InvalidParams(tr("Evaluation and saving happen every 1 step or more: use 1 or more."))

    def rate(self, step: int) -> float:
        """The learning rate of a step, which counts from 1."""
        warm_up = max(1, self.steps // 10)
        if self.constant:
            return self.learning_rate
        if step <= warm_up:
            return self.learning_rate * step / warm_up
        share = (step - warm_up) / max(1, self.steps - warm_up)
        return self.learning_rate * (1 - 0.9 * share)


@dataclass(frozen=True, kw_only=True)
class SftConfig(StageConfig):
    """The numbers of examples of each kind: `questions` and `descriptions` are about what pretraining texts state,
    `refusals` about people whom nobody knows, and `new_facts` about what no pretraining text states."""

    steps: int = 300
    batch: int = 32
    learning_rate: float = 1.5e-3
    eval_every: int = 20
    save_every: int = 40
    questions: int = 1600
    descriptions: int = 1200
    refusals: int = 200
    new_facts: int = 0


@dataclass(frozen=True, kw_only=True)
class PairsConfig:
    """`train` and `held_out` pairs of answers, sampled at `temperature`, of at most `max_tokens` tokens.

    `label_noise` is the share of training pairs whose labels are swapped. Held-out pairs are never swapped.
    """

    train: int = 768
    held_out: int = 192
    label_noise: float = 0.0
    temperature: float = 0.8
    max_tokens: int = 48
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises InvalidParams if no reward model can learn from such pairs."""
        if min(self.train, self.held_out) < 1:
            raise InvalidParams(tr("A reward model needs at least one pair to learn from and one to be tested on."))
        if not 0 <= self.label_noise <= 0.5:
            raise InvalidParams(
                tr(
                    "Label noise of {share:.0%} would make most labels wrong: use at most 50%.",
                    share=self.label_noise,
                ),
                "label_noise",
            )


@dataclass(frozen=True, kw_only=True)
class RewardConfig(StageConfig):
    """The reward model. `batch` counts pairs."""

    steps: int = 100
    batch: int = 16
    learning_rate: float = 5e-4


@dataclass(frozen=True, kw_only=True)
class DpoConfig(StageConfig):
    """DPO. `batch` counts pairs. `beta` scales the implicit reward: a small one lets the policy move further."""

    steps: int = 60
    batch: int = 16
    learning_rate: float = 2e-4
    beta: float = 0.1
    max_tokens: int = 48


@dataclass(frozen=True, kw_only=True)
class PpoConfig(StageConfig):
    """PPO. `batch` answers are sampled per step, and learned from in `epochs` passes of `minibatches` parts each.

    `kl_coef` weighs the KL to the SFT model, which is part of the reward of each token. With `target_kl`, the passes of
    a step end once half the mean squared log ratio of a part is larger. `missing_eos_penalty` is taken from the score
    of an answer that did not end.
    """

    steps: int = 40
    batch: int = 32
    learning_rate: float = 3e-4
    save_every: int = 10
    epochs: int = 2
    minibatches: int = 2
    kl_coef: float = 0.05
    clip: float = 0.2
    value_clip: float = 0.2
    value_coef: float = 0.1
    discount: float = 1.0
    trace_decay: float = 0.95
    target_kl: float | None = 0.1
    normalize_advantages: bool = True
    missing_eos_penalty: float = 0.0
    max_tokens: int = 48


@dataclass(frozen=True, kw_only=True)
class GrpoConfig(StageConfig):
    """GRPO. `batch` answers are sampled per step, `group` for each prompt, and learned from in `iterations` passes.

    `beta` weighs the KL to the SFT model, which is part of the loss. Without `scale_advantages` they are not divided by
    the standard deviation of their group.
    """

    steps: int = 40
    batch: int = 32
    learning_rate: float = 2e-4
    save_every: int = 10
    group: int = 8
    iterations: int = 2
    beta: float = 0.2
    clip: float = 0.2
    scale_advantages: bool = True
    max_tokens: int = 48

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.group < 2 or self.batch % self.group:
            raise InvalidParams(
                tr(
                    "{batch} answers cannot be split into groups of {group}: make the batch a multiple of a group of 2 "
                    "or more.",
                    batch=self.batch,
                    group=self.group,
                ),
                "group",
            )
