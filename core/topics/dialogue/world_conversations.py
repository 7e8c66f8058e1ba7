"""Conversations about the people of the small world, several turns each, whose later turns need the earlier ones.

    user       She is Ada Bolow. Home: Sizport. Hobby: chess. What does Ada Bolow enjoy?
    assistant  The card says that she enjoys chess.
    user       And the home?
    assistant  She lives in Sizport.

Half of them begin with such a card about somebody in no text: the answers can only come from the card. The others ask
about people whom the small model read about: it knows the answers, but only the first question tells whose. numpy only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.chat.messages import Conversation, Message
from core.language_model.unseen_people import UnseenPeople
from core.language_model.world import Fact, World

TRAINING, HELD_OUT, STRANGERS = 0, 1, 2
"""Which set of conversations a generator draws: they share people of the world, but no card."""

CARD_SHARE = 0.5


@dataclass(frozen=True)
class WorldConversation:
    """A conversation and what it is about. `facts` are those asked for, one per turn. `on_card` says that a card of
    somebody in no text begins it."""

    conversation: Conversation
    facts: tuple[Fact, ...]
    on_card: bool

    @property
    def answers(self) -> tuple[str, ...]:
        """The assistant's messages."""
        return tuple(message.content for message in self.conversation.messages if message.role == "assistant")


def world_conversations(world: World, count: int, turns: int, seed: int, part: int) -> tuple[WorldConversation, ...]:
    """`count` conversations of `turns` questions and answers (at most 8). All arguments together determine them."""
    rng = np.random.default_rng((world.seed, 7, seed, part))
    outsiders = UnseenPeople(world, rng)
    known = [facts for facts in world.stated_of.values() if len(facts) >= turns]
    return tuple(
        _on_a_card(rng, outsiders.facts(turns))
        if rng.random() < CARD_SHARE or not known
        else _from_memory(rng, known[int(rng.integers(len(known)))], turns)
        for _ in range(count)
    )


def card(facts: Sequence[Fact]) -> str:
    """For example 'She is Ada Bolow. Home: Sizport. Hobby: chess.'"""
    person = facts[0].person
    listed = " ".join(f"{fact.relation.label}: {fact.value}." for fact in facts)
    return f"{person.pronoun.capitalize()} is {person.name}. {listed}"


def first_question(rng: np.random.Generator, fact: Fact) -> str:
    """For example 'What does Ada Bolow enjoy?'"""
    questions = fact.relation.questions
    return questions[int(rng.integers(len(questions)))].format(n=fact.person.name)


def later_question(fact: Fact) -> str:
    """For example 'And the hobby?': who is meant, the history tells."""
    return f"And the {fact.relation.label.lower()}?"


def _on_a_card(rng: np.random.Generator, facts: Sequence[Fact]) -> WorldConversation:
    asked = [facts[index] for index in rng.permutation(len(facts))]
    question = f"{card(facts)} {first_question(rng, asked[0])}"
    first = f"The card says that {_statement(asked[0], asked[0].person.pronoun)}"
    return _conversation(asked, question, first, on_card=True)


def _from_memory(rng: np.random.Generator, facts: Sequence[Fact], turns: int) -> WorldConversation:
    asked = [facts[index] for index in rng.permutation(len(facts))[:turns]]
    first = f"I read that {_statement(asked[0], asked[0].person.name)}"
    return _conversation(asked, first_question(rng, asked[0]), first, on_card=False)


def _conversation(asked: Sequence[Fact], question: str, first: str, on_card: bool) -> WorldConversation:
    messages = [Message("user", question), Message("assistant", first)]
    for fact in asked[1:]:
        statement = _statement(fact, fact.person.pronoun)
        messages += [
            Message("user", later_question(fact)),
            Message("assistant", statement[0].upper() + statement[1:]),
        ]
    return WorldConversation(Conversation(tuple(messages)), tuple(asked), on_card)


def _statement(fact: Fact, subject: str) -> str:
    """The fact in its first phrasing, such as 'she lives in Sizport.'

    In an answer, a word stands before a name, so that it has the tokens that it has inside of the question."""
    return fact.relation.phrasings[0].format(s=subject, p="", v=fact.value)
