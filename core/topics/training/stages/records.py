"""What a stage writes down at every step. No torch: the window reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

STEP = "step"


@dataclass(frozen=True)
class TokenView:
    """One sampled answer, token by token; every tuple has one element per token.

    `logprobs` are those of the policy that sampled, `reference` those of the SFT model, in nats. `rewards` is what each
    token earned (the score at the last one, minus the KL term), `values` what the value model expected. Both are empty
    for GRPO. `clipped` marks the tokens that PPO's clipping left without gradient in the last pass. `score` is the
    reward model's, `true_reward` the rule's.
    """

    prompt: str
    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]
    reference: tuple[float, ...]
    advantages: tuple[float, ...]
    clipped: tuple[bool, ...]
    score: float
    true_reward: float
    rewards: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    @property
    def kl(self) -> tuple[float, ...]:
        """The k1 estimate of the KL of each token, in nats."""
        return tuple(policy - reference for policy, reference in zip(self.logprobs, self.reference, strict=True))

    @property
    def text(self) -> str:
        return "".join(self.tokens)


@dataclass(frozen=True)
class Record:
    """One step, which counts from 1: its metrics by TRL's names, and one of its answers where it sampled any."""

    step: int
    metrics: Mapping[str, float]
    sample: TokenView | None = field(default=None, compare=False)

    def line(self) -> str:
        """The record as a line of JSON, without its answer."""
        return json.dumps({STEP: self.step, **self.metrics}, allow_nan=False)

    def sample_line(self) -> str:
        """The answer as a line of JSON; empty if there is none."""
        return json.dumps({STEP: self.step, **asdict(self.sample)}) if self.sample else ""


def parse_record(line: str) -> Record:
    """The record of a line. Raises ValueError, KeyError or TypeError if it is none."""
    values: dict[str, Any] = json.loads(line)
    return Record(int(values.pop(STEP)), {name: float(value) for name, value in values.items()})


def parse_sample(line: str) -> tuple[int, TokenView]:
    """Step and answer of a line. Raises ValueError, KeyError or TypeError if it is none."""
    values: dict[str, Any] = json.loads(line)
    step = int(values.pop(STEP))
    fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return step, TokenView(**fields)
