"""Three ways to train on a conversation, and what each computes and learns from. Counted, numpy only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.chat.messages import Conversation
from core.chat.targets import IGNORED, Targets
from core.topics.dialogue.choices import LAST_TURN_WAY, ONE_PASS, PER_TURN, TRAINING_WAYS


@dataclass(frozen=True)
class WayCost:
    """What one way computes per conversation, or over several: `examples` rows with `tokens` tokens, `targets` of which
    the model learns from. `all_targets` are those of all assistant turns, each counted once."""

    way: str
    examples: int = 0
    tokens: int = 0
    targets: int = 0
    all_targets: int = 0

    @property
    def waste(self) -> float:
        """The share of the computed tokens that teach nothing, 0 to 1. NaN without tokens."""
        return 1 - self.targets / self.tokens if self.tokens else float("nan")

    @property
    def lost(self) -> float:
        """The share of the targets that are never learned from, 0 to 1. NaN without targets."""
        return 1 - self.targets / self.all_targets if self.all_targets else float("nan")

    def __add__(self, other: WayCost) -> WayCost:
        return WayCost(
            self.way,
            self.examples + other.examples,
            self.tokens + other.tokens,
            self.targets + other.targets,
            self.all_targets + other.all_targets,
        )


def turns_of(conversation: Conversation, marked: Targets) -> NDArray[np.int64]:
    """The assistant turn, from 0, that each target belongs to, -1 for other tokens: int64 [n].

    It is the last one that has begun: ChatGLM's end of a turn is what the template writes for the next message.
    """
    begun = np.cumsum([message.role == "assistant" for message in conversation.messages]) - 1
    turn = np.append(begun, -1)[marked.message]
    return np.where(marked.labels == IGNORED, -1, turn)


def turn_ends(turns: NDArray[np.integer]) -> list[int]:
    """Where each turn that has a target ends: one past its last target, in order."""
    targets = np.flatnonzero(turns >= 0)
    if not targets.size:
        return []
    last_of_turn = np.append(np.diff(turns[targets]) != 0, True)
    return [int(end) for end in targets[last_of_turn] + 1]


def way_costs(turns: NDArray[np.integer]) -> tuple[WayCost, ...]:
    """The costs of the three ways for one conversation; `turns` [n] is the assistant turn of each target, -1 elsewhere.

    What follows the last target is not computed: it teaches nothing. An example of one turn ends with that turn, and
    begins as the whole conversation does, which is so for templates that render prefixes alike.
    """
    ends = turn_ends(turns)
    targets = int(np.count_nonzero(turns >= 0))
    last = int(np.count_nonzero(turns[ends[-2] if len(ends) > 1 else 0 :] >= 0))
    whole = ends[-1] if ends else 0
    return (
        WayCost(LAST_TURN_WAY, len(ends[:1]), whole, last, targets),
        WayCost(PER_TURN, len(ends), sum(ends), targets, targets),
        WayCost(ONE_PASS, len(ends[:1]), whole, targets, targets),
    )


def total_costs(costs: Iterable[tuple[WayCost, ...]]) -> tuple[WayCost, ...]:
    """The costs of many conversations together."""
    totals = tuple(WayCost(way) for way in TRAINING_WAYS)
    for one in costs:
        totals = tuple(total + cost for total, cost in zip(totals, one, strict=True))
    return totals
