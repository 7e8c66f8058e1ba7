"""Aligned rows for tests, of words instead of tokens, without a template or a tokenizer."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from core.chat.rows import ConversationRows
from core.chat.targets import IGNORED
from gui.pages.dialogue.token_source import TokenSource

ROLES = ("system", "user", "assistant", "tool")
SMALL_TALK = (
    ("system", "Answer in a sentence."),
    ("user", "What does Ada Morel enjoy?\nAnd where?"),
    ("assistant", "She enjoys chess  in Lanston."),
    ("user", "And the award?"),
    ("assistant", "She won the Bristin Cup."),
)
Turns = Sequence[tuple[str, str]]


def example_rows(turns: Turns = SMALL_TALK, *documents: Turns) -> TokenSource:
    """Words, spaces and line ends as tokens, each message between <|role|> and <|end|>; assistants' words are targets.

    More conversations are further documents of the same row.
    """
    texts, columns = [], []
    start = 0
    for segment, conversation in enumerate((turns, *documents)):
        position = 0
        for message, (role, content) in enumerate(conversation):
            words = re.findall(r"\n| ?[^\s]+| +", content)
            for word in (f"<|{role}|>", *words, "<|end|>"):
                special = word.startswith("<|")
                target = role == "assistant" and word != "<|assistant|>"
                ident = sum(map(ord, word)) * 7 % 30_000
                columns.append(
                    (ident, start, start + len(word), special, message, ROLES.index(role), position, segment,
                     ident if target else IGNORED, float(target), 40 if special else 70, 55 if special else 90,
                     not special)
                )  # fmt: skip
                texts.append(word)
                start += len(word)
                position += 1
    table = np.array(columns, dtype=np.float64)
    kinds = (np.int32, np.int32, np.int32, np.bool_, np.int16, np.int8, np.int32, np.int32, np.int64, np.float32)
    ids, starts, ends, special, message, role, position, segment, label, weight = (
        table[:, place].astype(kind) for place, kind in enumerate(kinds)
    )
    rows = ConversationRows(
        tokens=tuple(texts), id=ids, start=starts, end=ends, special=special, message=message, role=role, roles=ROLES,
        position=position, segment=segment, label=label, weight=weight, kept=np.ones(len(ids), dtype=bool),
        piece=np.arange(len(ids), dtype=np.int32), template_start=table[:, 10].astype(np.int32),
        template_end=table[:, 11].astype(np.int32), from_content=table[:, 12].astype(bool),
        typed=np.zeros(len(ids), dtype=bool),
    )  # fmt: skip
    return TokenSource(rows, tuple(texts))
