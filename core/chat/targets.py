"""Which tokens of a conversation the model learns from: the labels and weights that a training uses."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.chat.rendering import ChatTemplate, Rendered, render
from core.chat.tokenizer import Encoded
from core.contracts.errors import TilescopeError

IGNORED = -100
"""The label of a token that is no target, as torch's cross-entropy has it."""

Policy = Literal["assistant_only", "completion_only", "last_turn", "all"]
POLICIES: tuple[Policy, ...] = ("assistant_only", "completion_only", "last_turn", "all")

Truncation = Literal["right", "left"]
"""Which end of a conversation that is too long is cut. TRL calls them keep_start and keep_end."""

Weighting = Literal["token", "turn"]

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")


@dataclass(frozen=True)
class Targets:
    """What each of the n tokens is for the loss. Labels are not shifted: the model shifts them, as in transformers.

    `labels` int64 [n]: the token's id where it is a target, else -100. `weights` float32 [n]: its factor in the loss, 0
    where it is no target. `message` int16 [n]: the message that it belongs to, -1 for none. `role` int8 [n]: an index
    into `roles`, -1 for none. `kept` bool [n]: false for what truncation cut; what it cut is no target.
    """

    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    message: NDArray[np.int16]
    role: NDArray[np.int8]
    roles: tuple[str, ...]
    kept: NDArray[np.bool_]

    @property
    def count(self) -> int:
        """The number of targets."""
        return int(np.count_nonzero(self.labels != IGNORED))


def targets(
    rendered: Rendered,
    encoded: Encoded,
    policy: Policy = "assistant_only",
    *,
    eos_as_pad: bool = False,
    max_length: int | None = None,
    truncation: Truncation = "right",
    weighting: Weighting = "token",
) -> Targets:
    """The targets of a conversation that was rendered and encoded (without special tokens added).

    - assistant_only: what {% generation %} encloses, as TRL's `assistant_only_loss`. Where the template has no such
      block, what it writes for assistant messages after the generation prompt.
    - completion_only: what follows the prompt, as TRL's `completion_only_loss`. Where the data does not tell the
      completion apart, it is the last assistant message.
    - last_turn: of the targets of assistant_only those of the last assistant message.
    - all: every token.

    `eos_as_pad` ignores every end token, as a collator does that pads with it. `weighting` "turn" gives the targets of
    each message a sum of 1; a message's own weight is a factor on either. Raises BrokenTemplate where completion_only
    has to render the prompt and the template refuses it.
    """
    places = _places(rendered, encoded)
    chosen = _chosen(rendered, encoded, policy)
    kept = _kept(len(encoded), max_length, truncation)
    is_target = chosen & kept
    if eos_as_pad:
        is_target &= encoded.ids != encoded.tokenizer.id_of(encoded.tokenizer.eos)
    roles = tuple(dict.fromkeys(message.role for message in rendered.conversation.messages))
    role_of = np.array([*(roles.index(message.role) for message in rendered.conversation.messages), -1], np.int8)
    return Targets(
        labels=np.where(is_target, encoded.ids, IGNORED).astype(np.int64),
        weights=_weights(rendered, places, is_target, weighting),
        message=places,
        role=role_of[places],
        roles=roles,
        kept=kept,
    )


def _places(rendered: Rendered, encoded: Encoded) -> NDArray[np.int16]:
    """The message of each token: that of the piece which wrote its first character; int16 [n], -1 for none."""
    messages = np.array([*(piece.message for piece in rendered.pieces), -1], np.int16)
    return messages[piece_of(rendered, encoded)]


def piece_of(rendered: Rendered, encoded: Encoded) -> NDArray[np.int32]:
    """The index of the piece that wrote the first character of each token, int32 [n]; -1 for those around the text."""
    ends = np.array([piece.end for piece in rendered.pieces], np.int64)
    pieces = np.minimum(np.searchsorted(ends, encoded.starts, side="right"), len(ends) - 1)
    return np.where(encoded.around, -1, pieces).astype(np.int32)


def _kept(count: int, max_length: int | None, truncation: Truncation) -> NDArray[np.bool_]:
    kept = np.ones(count, bool)
    if max_length is not None and count > max_length:
        cut = slice(max_length, None) if truncation == "right" else slice(None, count - max_length)
        kept[cut] = False
    return kept


def _weights(
    rendered: Rendered, places: NDArray[np.int16], is_target: NDArray[np.bool_], weighting: Weighting
) -> NDArray[np.float32]:
    messages = rendered.conversation.messages
    own = np.array([*(1.0 if message.weight is None else message.weight for message in messages), 1.0])
    weights = np.where(is_target, own[places], 0.0)
    if weighting == "turn":
        counts = np.bincount(places[is_target] + 1, minlength=len(messages) + 1)
        weights /= np.maximum(counts, 1)[places + 1]
    return weights.astype(np.float32)


def _chosen(rendered: Rendered, encoded: Encoded, policy: Policy) -> NDArray[np.bool_]:
    """Which tokens the policy picks, before anything is cut: bool [n]."""
    if policy == "all":
        return np.ones(len(encoded), bool)
    if policy == "completion_only":
        chosen = np.ones(len(encoded), bool)
        chosen[: _prompt_tokens(rendered, encoded)] = False
        return chosen
    spans = target_spans(rendered)
    return _covered(encoded, _of_last_answer(rendered, spans) if policy == "last_turn" else spans)


def _covered(encoded: Encoded, spans: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """The tokens of ranges of characters, as transformers finds them for `return_assistant_tokens_mask`.

    Where the last character of a range has no token (white space that the tokenizer drops), or has the first, the rest
    of the text is covered; where its first character has none, neither this range nor any later one is.
    """
    covered = np.zeros(len(encoded), bool)
    for start, end in spans:
        first, last = encoded.token_at(start), encoded.token_at(end - 1)
        if first < 0:
            break
        covered[first : last + 1 if last > 0 else len(encoded)] = True
    return covered


def has_generation(template: ChatTemplate) -> bool:
    """Whether a template has a {% generation %} block, as TRL and transformers find out."""
    return _GENERATION.search(template.source) is not None


def target_spans(rendered: Rendered) -> tuple[tuple[int, int], ...]:
    """The ranges of characters that assistant_only learns from."""
    return rendered.generation_spans if has_generation(rendered.template) else _answers(rendered)


def _answers(rendered: Rendered) -> tuple[tuple[int, int], ...]:
    """What a template without {% generation %} writes for assistant messages: each stretch of text that belongs to one,
    without the generation prompt at its beginning."""
    messages, text = rendered.conversation.messages, rendered.text
    spans: list[tuple[int, int]] = []
    prompt = None
    for index, group in groupby(rendered.pieces, key=lambda piece: piece.message):
        if index < 0 or messages[index].role != "assistant":
            continue
        pieces = list(group)
        start, end = pieces[0].start, pieces[-1].end
        if prompt is None:
            prompt = _generation_prompt(rendered, index)
        if prompt and text.startswith(prompt, start):
            start += len(prompt)
        elif not prompt:
            start = next((piece.start for piece in pieces if piece.from_content), start)
        if start < end:
            spans.append((start, end))
    return tuple(spans)


def _generation_prompt(rendered: Rendered, count: int) -> str:
    """What the template adds to the first `count` messages to make the assistant speak; '' if that cannot be told."""
    if not count:
        return ""
    try:
        before = _part(rendered, count, add_generation_prompt=False).text
        after = _part(rendered, count, add_generation_prompt=True).text
    except TilescopeError:
        return ""
    return after[len(before) :] if after.startswith(before) else ""


def _prompt_tokens(rendered: Rendered, encoded: Encoded) -> int:
    """The number of tokens of the prompt with its generation prompt, as TRL counts them: they need not be the first
    tokens of the whole."""
    conversation = rendered.conversation
    count = conversation.prompt_messages
    if count is None:
        answers = [index for index, message in enumerate(conversation.messages) if message.role == "assistant"]
        count = answers[-1] if answers else len(conversation.messages)
    if not count:
        return 0
    prompt = encoded.tokenizer.encode(_part(rendered, count, add_generation_prompt=True).text)
    return encoded.in_front + len(prompt)


def _part(rendered: Rendered, count: int, *, add_generation_prompt: bool) -> Rendered:
    """The first `count` messages, rendered as the whole was."""
    conversation = rendered.conversation
    return render(
        rendered.template,
        replace(conversation, messages=conversation.messages[:count]),
        add_generation_prompt=add_generation_prompt,
        switches=rendered.switches,
        date=rendered.date,
    )


def _of_last_answer(rendered: Rendered, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges that belong to the last assistant message among them."""
    ends = [piece.end for piece in rendered.pieces]
    owners = [rendered.pieces[bisect_right(ends, start)].message if start < ends[-1] else -1 for start, _ in spans]
    return [span for span, owner in zip(spans, owners, strict=True) if owner == owners[-1]]
