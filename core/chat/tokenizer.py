"""Tokenizers of chat models: the text as tokens, each with its characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer


@dataclass(frozen=True, eq=False)
class ChatTokenizer:
    """A fast tokenizer and what its configuration says of it. It equals itself alone.

    `special` are the texts of all special tokens with their ids. `adds_bos` and `adds_eos` say whether its
    post-processor puts a token in front of a text or behind it, where that is asked for. `max_length` is None where
    none is set.
    """

    tokenizer: Tokenizer = field(repr=False)
    name: str = ""
    bos: str = ""
    eos: str = ""
    pad: str = ""
    unk: str = ""
    special: tuple[tuple[str, int], ...] = ()
    padding_side: str = "right"
    max_length: int | None = None
    adds_bos: bool = False
    adds_eos: bool = False

    def id_of(self, token: str) -> int:
        """The id of a token; -1 if the vocabulary lacks it."""
        index = self.tokenizer.token_to_id(token) if token else None
        return -1 if index is None else int(index)

    def encode(self, text: str, *, add_special_tokens: bool = False) -> Encoded:
        """The tokens of a text. Lone surrogates, which no tokenizer takes, count as U+FFFD."""
        return self._encoded(self.tokenizer.encode(_encodable(text), add_special_tokens=add_special_tokens))

    def encode_all(self, texts: Iterable[str], *, add_special_tokens: bool = False) -> list[Encoded]:
        """The tokens of many texts, in parallel where the machine has several cores."""
        batch = self.tokenizer.encode_batch(list(map(_encodable, texts)), add_special_tokens=add_special_tokens)
        return list(map(self._encoded, batch))

    @cached_property
    def special_ids(self) -> NDArray[np.int32]:
        """The ids of the special tokens, sorted."""
        return np.unique(np.array([index for _, index in self.special], dtype=np.int32))

    def _encoded(self, encoding: Encoding) -> Encoded:
        ids = np.array(encoding.ids, dtype=np.int32)
        starts, ends = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2).T
        around = np.array(encoding.special_tokens_mask, dtype=bool)
        reached = np.maximum.accumulate(ends)  # the library places what it adds behind the text at its beginning
        starts, ends = np.where(around, reached, starts), np.where(around, reached, ends)
        return Encoded(ids, starts, ends, tuple(encoding.tokens), np.isin(ids, self.special_ids), around, self)


@dataclass(frozen=True)
class Encoded:
    """A text as tokens: `ids`, and the characters [starts, ends) of the text that each token covers, int32 [n].

    Tokens of one character that takes several tokens all cover it. `special` marks special tokens, bool [n], and
    `around` those that the tokenizer has put around the text: they cover nothing, at its beginning or its end.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    tokens: tuple[str, ...]
    special: NDArray[np.bool_]
    around: NDArray[np.bool_]
    tokenizer: ChatTokenizer = field(repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.ids)

    def token_at(self, character: int) -> int:
        """The first token that covers a character of the text; -1 if none does, as for white space that a tokenizer
        leaves out. transformers calls this `char_to_token`."""
        index = int(np.searchsorted(self._reached, character, side="right"))
        return index if index < len(self.ids) and self.starts[index] <= character < self.ends[index] else -1

    @cached_property
    def in_front(self) -> int:
        """How many tokens the tokenizer has put in front of the text."""
        return int(np.argmin(np.append(self.around, False)))

    def covering(self, start: int, end: int) -> range:
        """The tokens that cover any of the characters from `start` to `end`."""
        return range(int((self.ends <= start).sum()), int((self.starts < end).sum()))

    @cached_property
    def _reached(self) -> NDArray[np.int32]:
        """How many characters are covered up to each token."""
        return np.maximum.accumulate(self.ends)


def chat_tokenizer(
    tokenizer: Tokenizer,
    name: str,
    *,
    bos: str = "",
    eos: str = "",
    pad: str = "",
    unk: str = "",
    padding_side: str = "right",
    max_length: int | None = None,
) -> ChatTokenizer:
    """A tokenizer that neither cuts nor pads a text, with the special tokens that it knows."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    added = tokenizer.get_added_tokens_decoder()
    special = tuple((token.content, index) for index, token in sorted(added.items()) if token.special)
    before, after = _added_around(tokenizer)
    return ChatTokenizer(
        tokenizer,
        name,
        bos=bos,
        eos=eos,
        pad=pad,
        unk=unk,
        special=special,
        padding_side=padding_side,
        max_length=max_length,
        adds_bos=bool(before),
        adds_eos=bool(after),
    )


def _added_around(tokenizer: Tokenizer) -> tuple[Sequence[int], Sequence[int]]:
    """The tokens that the tokenizer puts in front of a text and behind it."""
    text = "a"
    bare = tokenizer.encode(text, add_special_tokens=False).ids
    whole = tokenizer.encode(text, add_special_tokens=True).ids
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    return [], []


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
