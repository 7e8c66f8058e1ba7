"""What is examined: a tokenizer, a template and a setup, with what follows from them before any data is seen."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.chat.doctor.setup import TrainingSetup
from core.chat.messages import Conversation, Message
from core.chat.rendering import ChatTemplate, Rendered, render
from core.chat.targets import has_generation
from core.chat.template_errors import BrokenTemplate
from core.chat.tokenizer import ChatTokenizer, Encoded
from core.contracts.errors import InvalidParams
from core.contracts.text import quoted, tr

_LITERAL = re.compile(r"""'([^'\\\n]{1,80})'|"([^"\\\n]{1,80})\"""")
_SHORTEST_MARK = 3


@dataclass(frozen=True)
class Patient:
    """A tokenizer, its template, and how training is set up."""

    tokenizer: ChatTokenizer
    template: ChatTemplate
    setup: TrainingSetup

    def __post_init__(self) -> None:
        if self.setup.pad_token and self.tokenizer.id_of(self.setup.pad_token) < 0:
            raise InvalidParams(
                tr(
                    "The pad token {token} is not in the tokenizer's vocabulary: use one of its special tokens.",
                    token=quoted(self.setup.pad_token),
                ),
                "pad_token",
            )

    def render(self, messages: Iterable[Message], *, prompts: bool = False) -> Rendered:
        """A conversation of these messages, with the generation prompt at its end if asked for.

        Raises BrokenTemplate.
        """
        return render(
            self.template, Conversation(tuple(messages)), add_generation_prompt=prompts, switches=self.setup.switches
        )

    def encode(self, text: str) -> Encoded:
        """The tokens of a text as training has them: with those that the tokenizer adds, if the setup says so."""
        return self.tokenizer.encode(text, add_special_tokens=self.setup.adds_special_tokens)

    @property
    def has_generation(self) -> bool:
        """Whether the template marks what the assistant generates, so that libraries can make a loss mask of it."""
        return has_generation(self.template)

    @property
    def pad(self) -> str:
        """The token that fills up rows: the tokenizer's end token where it has no pad token, as in TRL."""
        return self.setup.pad_token or self.tokenizer.pad or self.tokenizer.eos

    @property
    def padding_side(self) -> str:
        return self.setup.padding_side or self.tokenizer.padding_side

    @cached_property
    def added(self) -> NDArray[np.bool_]:
        """Per token id, whether it was added to the vocabulary as a whole, as all tokens that end a turn are."""
        table = np.zeros(self.tokenizer.tokenizer.get_vocab_size(with_added_tokens=True), dtype=bool)
        ids = [index for index in self.tokenizer.tokenizer.get_added_tokens_decoder() if index < len(table)]
        table[ids] = True
        return table

    @cached_property
    def control_tokens(self) -> re.Pattern[str]:
        """Finds the texts of the tokenizer's special tokens."""
        longest_first = sorted((text for text, _ in self.tokenizer.special if text), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    @cached_property
    def literals(self) -> re.Pattern[str]:
        """Finds the literals of the template that look like marks, such as '</think>': it may test contents for
        them."""
        found = {match[1] or match[2] for match in _LITERAL.finditer(self.template.source)}
        marks = [text for text in found if text and len(text) >= _SHORTEST_MARK and not text.replace(" ", "").isalnum()]
        return re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True))) or "(?!)")

    @cached_property
    def sound_shapes(self) -> set[Hashable]:
        """Shapes of conversations that were rendered turn by turn and found sound. See `history`."""
        return set()

    @cached_property
    def generation_prompt(self) -> str:
        """What the template writes to make the assistant speak; '' if that is nothing or cannot be told."""
        question = (Message("user", "dummy"),)
        try:
            before, prompted = self.render(question).text, self.render(question, prompts=True).text
        except BrokenTemplate:
            return ""
        return prompted[shared_length(before, prompted) :]


def shared_length(first: str, second: str) -> int:
    """How many characters two texts have in common from their beginnings."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first.startswith(second[:middle]):
            low = middle
        else:
            high = middle - 1
    return low
