"""The registry of topics: one id each. Packages and pages follow from it by name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from core.contracts.errors import UnknownName
from core.contracts.headings import HEADINGS, Heading
from core.contracts.text import listed, quoted, tr

if TYPE_CHECKING:
    from core.contracts.topic import Topic

TOPICS = {topic_id: f"core.topics.{topic_id.replace('-', '_')}" for topic_id in HEADINGS}
"""Topic id to the package that exports it as `TOPIC`."""


def is_imported(topic_id: str, topics: Mapping[str, str] = TOPICS) -> bool:
    """Whether `topic` returns at once: to import a topic takes up to half a second."""
    return topics.get(topic_id, topic_id) in sys.modules


def topic(topic_id: str, topics: Mapping[str, str] = TOPICS) -> Topic:
    """The topic of that id. Raises UnknownName, listing those that exist."""
    if topic_id not in topics:
        import difflib

        close = difflib.get_close_matches(topic_id, topics, n=1)
        known, name = listed(topics), quoted(topic_id)
        if close:
            raise UnknownName(
                tr(
                    "There is no topic {name}: did you mean {close}? The topics are {known}.",
                    name=name,
                    close=close[0],
                    known=known,
                )
            )
        raise UnknownName(tr("There is no topic {name}. The topics are {known}.", name=name, known=known))
    declared: Topic = importlib.import_module(topics[topic_id]).TOPIC
    return declared


class Topics(Mapping[str, "Topic"]):
    """All topics by id, in the order of the navigation. Each is imported when it is first asked for."""

    def __getitem__(self, topic_id: str) -> Topic:
        if topic_id not in TOPICS:
            raise KeyError(topic_id)
        return topic(topic_id)

    def __iter__(self) -> Iterator[str]:
        return iter(TOPICS)

    def __len__(self) -> int:
        return len(TOPICS)

    def __contains__(self, topic_id: object) -> bool:
        return topic_id in TOPICS

    def headings(self) -> tuple[Heading, ...]:
        """What the topics are called, without importing them."""
        return tuple(HEADINGS.values())


def headings_of(topics: Mapping[str, Topic]) -> Sequence[Heading | Topic]:
    """What these topics are called; a Topic is its own heading."""
    return topics.headings() if isinstance(topics, Topics) else tuple(topics.values())
