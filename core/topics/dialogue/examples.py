"""Conversations as token ids and labels: what the experiments train on. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.chat.messages import Conversation, Message
from core.chat.rendering import ChatTemplate, render
from core.chat.rows import ConversationRows, conversation_rows
from core.chat.targets import IGNORED, targets
from core.chat.tokenizer import ChatTokenizer
from core.topics.dialogue.ways import turns_of

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Example:
    """The tokens of a conversation, all [n]: `ids`; `labels`, IGNORED where a token is no target; and `turns`, the
    assistant turn from 0 that a target belongs to, -1 for other tokens."""

    ids: Ids
    labels: Ids
    turns: Ids

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def targets(self) -> int:
        return int(np.count_nonzero(self.labels != IGNORED))

    def up_to(self, turn: int) -> Example:
        """The conversation to the end of a turn, with that turn as the only target."""
        end = int(np.flatnonzero(self.turns == turn)[-1]) + 1
        return self.only(turn).first(end)

    def only(self, turn: int) -> Example:
        """The same tokens with one turn as the only target."""
        return replace(self, labels=np.where(self.turns == turn, self.labels, IGNORED))

    def first(self, count: int) -> Example:
        return Example(self.ids[:count], self.labels[:count], self.turns[:count])

    def with_all_targets(self) -> Example:
        """Every token as a target: the mistake of dropping the mask."""
        return replace(self, labels=self.ids.copy())

    def without_targets(self, token: int) -> Example:
        """One token is no target any more: what a collator does that pads with it and ignores its id."""
        return replace(self, labels=np.where(self.ids == token, IGNORED, self.labels))

    @property
    def last_turn(self) -> int:
        return int(self.turns.max(initial=-1))

    @property
    def trimmed(self) -> Example:
        """The conversation to its last target: what follows teaches nothing."""
        return self.first(int(np.flatnonzero(self.labels != IGNORED)[-1]) + 1)


@dataclass(frozen=True)
class Encoder:
    """Conversations as tokens of a template and a tokenizer."""

    template: ChatTemplate
    tokenizer: ChatTokenizer

    @property
    def vocabulary(self) -> int:
        """The number of token ids."""
        return int(self.tokenizer.tokenizer.get_vocab_size(with_added_tokens=True))

    def example(self, conversation: Conversation) -> Example:
        """The whole conversation with all assistant turns as targets. Raises BrokenTemplate."""
        rendered = render(self.template, conversation)
        encoded = self.tokenizer.encode(rendered.text)
        marked = targets(rendered, encoded, "assistant_only")
        return Example(encoded.ids.astype(np.int64), marked.labels, turns_of(conversation, marked))

    def rows(self, conversation: Conversation) -> ConversationRows:
        """Its aligned rows, with all assistant turns as targets. Raises BrokenTemplate."""
        rendered = render(self.template, conversation)
        encoded = self.tokenizer.encode(rendered.text)
        return conversation_rows(rendered, encoded, targets(rendered, encoded, "assistant_only"))

    def prompt(self, messages: Sequence[Message]) -> Ids:
        """The tokens before the assistant's next message, with what makes it speak. Raises BrokenTemplate."""
        rendered = render(self.template, Conversation(tuple(messages)), add_generation_prompt=True)
        return self.tokenizer.encode(rendered.text).ids.astype(np.int64)

    def text_tokens(self, messages: Sequence[Message]) -> Ids:
        """The tokens of these messages. Raises BrokenTemplate."""
        rendered = render(self.template, Conversation(tuple(messages)))
        return self.tokenizer.encode(rendered.text).ids.astype(np.int64)

    def opening(self, role: str) -> str:
        """What the template writes between the end of a turn and the words of a `role`, such as '<|im_start|>user\\n'.

        '' if it writes nothing. Raises BrokenTemplate.
        """
        before = [Message("user", "question"), Message("assistant", "answer")]
        if role == "assistant":
            before.pop()
        rendered = render(self.template, Conversation((*before, Message(role, "words"))))
        own = [piece for piece in rendered.pieces if piece.message == len(before)]
        words = [piece for piece in own if piece.from_content]
        return rendered.text[own[0].start : words[0].start] if words else ""

    def end_token(self, example: Example) -> int:
        """The token that ends a turn: the last target of the first turn that the tokenizer has as a special token; its
        end token if there is none."""
        special = {token for _, token in self.tokenizer.special}
        first = example.ids[example.turns == 0]
        ends = [int(token) for token in first if int(token) in special]
        return ends[-1] if ends else self.tokenizer.id_of(self.tokenizer.eos)


def per_turn(example: Example) -> list[Example]:
    """One example per assistant turn: the conversation to its end, with that turn as the only target."""
    turns = sorted(set(example.turns[example.turns >= 0].tolist()))
    return [example.up_to(turn) for turn in turns]
