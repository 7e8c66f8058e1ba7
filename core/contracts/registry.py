"""The registry of topics: one id each. Packages and pages follow from it by name."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping

from core.contracts.errors import UnknownName
from core.contracts.text import listed, quoted, tr
from core.contracts.topic import Topic

_IDS = (
    "flash-attention",
    "attention-heads",
    "masks",
    "decoder",
    "quantization",
    "lora",
    "fine-tuning",
    "training",
    "kernel-lab",
)
"""In the order of the navigation in the window."""

TOPICS = {topic_id: f"core.topics.{topic_id.replace('-', '_')}" for topic_id in _IDS}
"""Topic id to the package that exports it as `TOPIC`."""


def topic(topic_id: str, topics: Mapping[str, str] = TOPICS) -> Topic:
    """The topic of that id. Raises UnknownName, listing those that exist."""
    if topic_id not in topics:
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
