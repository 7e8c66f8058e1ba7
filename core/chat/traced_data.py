"""The data that a template gets, copied so that its texts are traced and its objects can be told apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.chat.messages import THOUGHTS, Conversation
from core.chat.traced import Run, TracedText


@dataclass
class TracedData:
    """Variables of a template. `owners` tells by id which message an object belongs to, -1 for none; `contents` are the
    texts of each message that a template usually writes."""

    variables: dict[str, Any] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)
    contents: list[tuple[str, ...]] = field(default_factory=list)

    def add_messages(self, conversation: Conversation) -> None:
        """The messages as templates get them; a thought goes by all its names, as in transformers."""
        messages = []
        for index, message in enumerate(conversation.messages):
            traced = self._copied(message.as_dict(), index)
            traced["role"] = TracedText(message.role, (Run(len(message.role), message=index),))
            if (thought := next((traced[key] for key in THOUGHTS if key in traced), None)) is not None:
                traced = {"thinking": thought, **traced, "reasoning_content": thought}
                self.owners[id(traced)] = index
            messages.append(traced)
            texts = (thought, traced.get("content"))
            self.contents.append(tuple(text for text in texts if isinstance(text, TracedText)))
        self.variables["messages"] = messages

    def add(self, name: str, value: Any) -> None:
        """Another variable; texts inside of it are data, not text of the template."""
        self.variables[name] = value if isinstance(value, str) else self._copied(value, -1)

    def _copied(self, value: Any, message: int) -> Any:
        if isinstance(value, str):
            return TracedText(value, (Run(len(value), message=message, from_content=True),) if value else ())
        if isinstance(value, Mapping):
            copy: Any = {key: self._copied(item, message) for key, item in value.items()}
        elif isinstance(value, list | tuple):
            copy = [self._copied(item, message) for item in value]
        else:
            return value
        self.owners[id(copy)] = message
        return copy
