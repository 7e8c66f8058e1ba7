"""One conversation as it would be trained on, with the character ranges that the checks compare its targets with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from core.chat.doctor.findings import Evidence
from core.chat.doctor.patient import Patient, shared_length
from core.chat.messages import Conversation
from core.chat.packing import UNCUT
from core.chat.rendering import Piece, Rendered, render
from core.chat.targets import IGNORED, targets
from core.chat.tokenizer import Encoded
from core.contracts.text import Text
from core.outside import shown_label

SHOWN_TOKENS = 16
_SHOWN_TEXT = 200


@dataclass(frozen=True)
class Answer:
    """An assistant message in the rendered text, in characters.

    `opens`: where the template begins to write the message. `begins`: what the model itself must generate, after the
    generation prompt. `content_begins`, `content_ends`: the message's own text. `ends`: where the template has written
    all of the message. `stop` is the index of the token that ends the turn, -1 if the message has none. `learned` says
    whether the policy makes the message a target at all.
    """

    message: int
    opens: int
    begins: int
    content_begins: int
    content_ends: int
    ends: int
    stop: int
    learned: bool


@dataclass(frozen=True)
class Case:
    """A conversation, rendered and encoded. `number` is its place in the data from 1, 0 for a probe of the doctor.

    `targets` bool [n] are the tokens that the policy learns from, before truncation and padding.
    """

    patient: Patient
    conversation: Conversation
    number: int
    rendered: Rendered
    encoded: Encoded
    targets: NDArray[np.bool_]

    @property
    def text(self) -> str:
        return self.rendered.text

    @cached_property
    def kept(self) -> slice:
        """The tokens that truncation leaves."""
        setup, count = self.patient.setup, len(self.encoded)
        if setup.max_length is None or setup.packing in UNCUT:
            return slice(0, count)
        if setup.truncation_side == "left":
            return slice(max(0, count - setup.max_length), count)
        return slice(0, min(count, setup.max_length))

    @cached_property
    def trained(self) -> NDArray[np.bool_]:
        """bool [n]: the targets that truncation leaves. The first token of a row is none: nothing predicts it."""
        trained = np.zeros(len(self.encoded), dtype=bool)
        trained[self.kept] = self.targets[self.kept]
        trained[self.kept.start : self.kept.start + 1] = False
        return trained

    @cached_property
    def added(self) -> NDArray[np.bool_]:
        """bool [n]: the tokens that were added to the vocabulary, such as <|im_end|>."""
        return self.patient.added[self.encoded.ids]

    @cached_property
    def spans(self) -> dict[int, tuple[int, int]]:
        """Per message the characters from the first to the last that the template wrote for it."""
        return _extents(self.rendered.pieces)

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """The assistant messages that the template wrote."""
        return tuple(_answers(self))

    @cached_property
    def _contents(self) -> dict[int, tuple[int, int]]:
        """Per message the characters from the first to the last that come from the message itself."""
        return _extents(piece for piece in self.rendered.pieces if piece.from_content)

    def content_of(self, message: int) -> tuple[int, int]:
        """The characters of a message's own text: thought, content and tool calls. Nothing, at its end, if it has
        none."""
        if message in self._contents:
            return self._contents[message]
        opens, ends = self.spans[message]
        content = self.conversation.messages[message].content.strip()
        found = self.text.find(content, opens, ends) if content else -1
        return (found, found + len(content)) if found >= 0 else (ends, ends)

    def rendered_until(self, count: int, *, prompts: bool = False) -> str:
        """The text of the first `count` messages alone. Raises BrokenTemplate."""
        shorter = replace(self.conversation, messages=self.conversation.messages[:count], prompt_messages=None)
        setup = self.patient.setup
        return render(self.patient.template, shorter, add_generation_prompt=prompts, switches=setup.switches).text

    def tokens_in(self, start: int, end: int) -> range:
        """The tokens of the text that begin within the characters from `start` to `end`."""
        first, last = np.searchsorted(self.encoded.starts, (start, end))
        return range(max(int(first), self.encoded.in_front), max(int(last), self.encoded.in_front))

    def token_text(self, token: int) -> str:
        """The characters of a token."""
        return self.text[self.encoded.starts[token] : self.encoded.ends[token]]

    def is_blank(self, token: int) -> bool:
        """Whether a token is white space."""
        return not self.token_text(token).strip()

    def evidence(self, start: int, end: int, note: Text) -> Evidence:
        """The tokens from `start` to before `end` as evidence."""
        shown = self.targets[start : min(end, start + SHOWN_TOKENS)]
        evidence = evidence_in(self.text, self.encoded, range(start, end), note)
        return replace(evidence, targets=tuple(map(bool, shown)), conversation=self.number)


def evidence_in(text: str, encoded: Encoded, tokens: range, note: Text) -> Evidence:
    """Some tokens of any text as evidence."""
    start, end = tokens.start, tokens.stop
    return Evidence(
        note=note,
        text=shown_label(text[encoded.starts[start] : encoded.ends[end - 1]], _SHOWN_TEXT) if tokens else "",
        start=start,
        end=end,
        tokens=tuple(
            text[encoded.starts[token] : encoded.ends[token]] or encoded.tokens[token]
            for token in tokens[:SHOWN_TOKENS]
        ),
    )


def prepare(patient: Patient, conversation: Conversation, number: int = 0) -> Case:
    """Render, encode and label a conversation. Raises BrokenTemplate."""
    setup = patient.setup
    rendered = render(patient.template, conversation, switches=setup.switches)
    encoded = patient.encode(rendered.text)
    labels = targets(rendered, encoded, setup.policy).labels
    return Case(patient, conversation, number, rendered, encoded, labels != IGNORED)


def _extents(pieces: Iterable[Piece]) -> dict[int, tuple[int, int]]:
    """Per message the characters from the first to the last of its pieces."""
    extents: dict[int, tuple[int, int]] = {}
    for piece in pieces:
        if piece.message >= 0 and piece.end > piece.start:
            start = extents[piece.message][0] if piece.message in extents else piece.start
            extents[piece.message] = (start, piece.end)
    return extents


def _answers(case: Case) -> Iterator[Answer]:
    """In order, with what the policy wants of each."""
    messages = case.conversation.messages
    speaking = [index for index, message in enumerate(messages) if message.role == "assistant"]
    wanted = set(speaking if case.patient.setup.policy in ("assistant_only", "all") else speaking[-1:])
    for index in speaking:
        if index not in case.spans:
            continue
        opens, ends = case.spans[index]
        content_begins, content_ends = case.content_of(index)
        opens, begins = _header(case.text, case.patient.generation_prompt, opens, content_begins)
        if content_begins == content_ends:  # an empty answer: nothing stands between the prompt and the end
            content_begins = content_ends = begins
        learned = index in wanted and messages[index].weight != 0
        stop = _stop(case, content_ends, ends, bool(messages[index].tool_calls))
        yield Answer(index, opens, begins, content_begins, content_ends, ends, stop, learned)


def _header(text: str, prompt: str, opens: int, content_begins: int) -> tuple[int, int]:
    """Where the generation prompt of an answer begins and ends; or what the text has of it."""
    found = text.rfind(prompt, max(0, opens - len(prompt)), content_begins) if prompt else -1
    if found >= 0:
        return min(found, opens), found + len(prompt)
    return opens, opens + shared_length(text[opens:content_begins], prompt)


def _stop(case: Case, content_ends: int, ends: int, has_calls: bool) -> int:
    """The token that ends the turn: the last of the added tokens that follow the content. Behind a tool call, which
    may have added tokens of its own, it is the last token of the message, if that is an added one."""
    tokens = [token for token in case.tokens_in(content_ends, ends) if not case.is_blank(token)]
    following = list(takewhile(lambda token: case.added[token], tokens))
    if following and not has_calls:
        return following[-1]
    return tokens[-1] if tokens and case.added[tokens[-1]] else -1
