"""What all experiments share: the small model with the tokens of the template, and the conversations. Workers only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from core.chat.template_errors import BrokenTemplate
from core.contracts.errors import RunFailed
from core.contracts.text import tr
from core.language_model.adapters import trainable_copy
from core.topics.dialogue.examples import Encoder, Example
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.training_set import training_set, world
from core.topics.dialogue.world_conversations import HELD_OUT, WorldConversation, world_conversations

HELD_OUT_CONVERSATIONS = 96


@dataclass(frozen=True, eq=False)
class Setting:
    """`model` has an embedding for each token of `encoder`. `context` is the longest row that it can read."""

    params: DialogueParams
    encoder: Encoder
    model: Any
    seed: int

    @property
    def context(self) -> int:
        return int(self.model.config.max_position_embeddings)

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """The training set, each to its last target.

        Raises RunFailed where the template refuses them, marks no target, or makes them longer than the context.
        """
        found = self._sound(training_set(self.encoder, self.params.turns, self.seed).examples)
        return tuple(example.trimmed for example in found)

    @cached_property
    def held_out(self) -> tuple[WorldConversation, ...]:
        return world_conversations(world(), HELD_OUT_CONVERSATIONS, self.params.turns, self.seed, HELD_OUT)

    @cached_property
    def held_out_examples(self) -> tuple[Example, ...]:
        examples = tuple(self.encoder.example(item.conversation) for item in self.held_out)
        return tuple(example.trimmed for example in self._sound(examples))

    @cached_property
    def end_token(self) -> int:
        return self.encoder.end_token(self.examples[0])

    def batch(self, step: int, size: int, count: int) -> list[int]:
        """Which of `count` examples a step reads, from 1: every epoch reads each once, in an order of its own."""
        places = range((step - 1) * size, step * size)
        orders = {
            epoch: np.random.default_rng((self.seed, 8, epoch)).permutation(count)
            for epoch in {place // count for place in places}
        }
        return [int(orders[place // count][place % count]) for place in places]

    def text(self, ids: Any) -> str:
        """Token ids as text, with special tokens."""
        decoded: str = self.encoder.tokenizer.tokenizer.decode([int(token) for token in ids], skip_special_tokens=False)
        return decoded

    def _sound(self, examples: tuple[Example, ...]) -> tuple[Example, ...]:
        if not all(example.last_turn == self.params.turns - 1 for example in examples):
            raise RunFailed(
                tr(
                    "The experiments cannot train with this template: it marks no target in some assistant turns. See "
                    "what the doctor says."
                )
            )
        longest = max(len(example) for example in examples)
        if longest > self.context:
            raise RunFailed(
                tr(
                    "The experiments cannot train with this template: it makes conversations of {tokens} tokens, and "
                    "the small model reads {context}.",
                    tokens=longest,
                    context=self.context,
                )
            )
        return examples


def with_vocabulary(model: Any, tokens: int, seed: int = 0) -> Any:
    """A copy of the model with embeddings for `tokens` tokens. New ones are drawn around the mean of the others, with
    their spread; the seed determines them.

    transformers' `resize_token_embeddings` puts all of them at the mean. Then the tokens of a template, which all begin
    alike, take several times as many steps to be told apart.
    """
    copied = trainable_copy(model)
    known = copied.get_input_embeddings().weight.shape[0]
    if tokens > known:
        copied.resize_token_embeddings(tokens, mean_resizing=False)
        weight = copied.get_input_embeddings().weight
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            old = weight[:known]
            noise = torch.randn(tokens - known, weight.shape[1], generator=generator)
            weight[known:] = old.mean(dim=0) + old.std(dim=0) * noise
    return copied.eval()


def refusal(error: BrokenTemplate | RunFailed) -> RunFailed:
    """Why nothing can be trained with a template."""
    if isinstance(error, RunFailed):
        return error
    return RunFailed(tr("The experiments cannot train with this template: {reason}", reason=error.text))
