"""The registry of topics: one line each. Pages have theirs in gui/pages/__init__.py."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping

from core.contracts.errors import UnknownName
from core.contracts.topic import Topic

TOPICS: dict[str, str] = {
    "flash-attention": "core.topics.flash_attention",
    "masks": "core.topics.masks",
    "decoder": "core.topics.decoder",
    "quantization": "core.topics.quantization",
    "lora": "core.topics.lora",
    "fine-tuning": "core.topics.fine_tuning",
    "kernel-lab": "core.topics.kernel_lab",
}
"""Topic id to the package that exports it as `TOPIC`."""


def topic(topic_id: str, topics: Mapping[str, str] = TOPICS) -> Topic:
    """The topic of that id. Raises UnknownName, listing those that exist."""
    if topic_id not in topics:
        close = difflib.get_close_matches(topic_id, topics, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UnknownName(f"There is no topic {topic_id!r}: {hint}The topics are {', '.join(topics)}.")
    found: Topic = importlib.import_module(topics[topic_id]).TOPIC
    return found
