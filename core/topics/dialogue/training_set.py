"""The conversations that the experiments train on, as a template and a tokenizer see them. No torch."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cache, cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from core.chat.rows import ConversationRows
from core.language_model.model_config import STANDARD
from core.language_model.world import World, build_world
from core.topics.dialogue.examples import Encoder, Example
from core.topics.dialogue.ways import WayCost, total_costs, way_costs
from core.topics.dialogue.world_conversations import TRAINING, WorldConversation, world_conversations

CONVERSATIONS = 800
_NEIGHBOURS = 24
_KEPT = 4


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """`conversations`, and what they are as tokens. All properties raise BrokenTemplate where the template refuses
    them."""

    encoder: Encoder
    conversations: tuple[WorldConversation, ...]

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        return tuple(self.encoder.example(item.conversation) for item in self.conversations)

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """Tokens of each, int32 [conversations]."""
        return np.array([len(example) for example in self.examples], dtype=np.int32)

    @cached_property
    def costs(self) -> tuple[WayCost, ...]:
        """What the three ways to train compute and learn from."""
        return total_costs(way_costs(example.turns) for example in self.examples)

    @cached_property
    def neighbours(self) -> tuple[ConversationRows, ...]:
        """The rows of the first of them."""
        return tuple(self.encoder.rows(item.conversation) for item in self.conversations[:_NEIGHBOURS])


@cache
def world() -> World:
    """The world of the small model that comes with the program."""
    return build_world(STANDARD.seed, STANDARD.people)


def training_set(encoder: Encoder, turns: int, seed: int) -> TrainingSet:
    """The training set as this template and tokenizer see it. The last ones are kept."""
    template = encoder.template
    key = (template.source, tuple(template.special.items()), encoder.tokenizer, turns, seed)
    with _lock:
        found = _sets.get(key)
        if found is None:
            found = TrainingSet(encoder, world_conversations(world(), CONVERSATIONS, turns, seed, TRAINING))
            _sets[key] = found
        _sets.move_to_end(key)
        while len(_sets) > _KEPT:
            _sets.popitem(last=False)
    return found


_sets: OrderedDict[tuple[object, ...], TrainingSet] = OrderedDict()
_lock = Lock()
