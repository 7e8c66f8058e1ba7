"""A conversation as aligned rows, one per token: text, id, role, position, segment, label, weight, origin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.chat.rendering import Rendered
from core.chat.targets import Targets, piece_of
from core.chat.tokenizer import Encoded

_NO_PIECE = (-1, -1, -1, False, False)


@dataclass(frozen=True)
class ConversationRows:
    """One row per token, as arrays of length n.

    `start` and `end` are characters of the rendered text; `piece` is the index of the piece that wrote the token's
    first character, -1 for a token that the tokenizer has put around the text. `template_start` and `template_end` are
    that piece's range in the template, -1 if unknown. `from_content` marks tokens whose first character is text of a
    message, and `typed` those special tokens among them: somebody typed them, and they control the model all the same.
    See `Targets` for the others.
    """

    tokens: tuple[str, ...]
    id: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    special: NDArray[np.bool_]
    message: NDArray[np.int16]
    role: NDArray[np.int8]
    roles: tuple[str, ...]
    position: NDArray[np.int32]
    segment: NDArray[np.int32]
    label: NDArray[np.int64]
    weight: NDArray[np.float32]
    kept: NDArray[np.bool_]
    piece: NDArray[np.int32]
    template_start: NDArray[np.int32]
    template_end: NDArray[np.int32]
    from_content: NDArray[np.bool_]
    typed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.id)


def conversation_rows(rendered: Rendered, encoded: Encoded, targets: Targets, *, segment: int = 0) -> ConversationRows:
    """The rows of one conversation. Positions count from 0 over the tokens that are kept; those cut have -1."""
    pieces = piece_of(rendered, encoded)
    table = np.array([*(piece[2:] for piece in rendered.pieces), _NO_PIECE], np.int32)[pieces]
    from_content = table[:, 3].astype(bool)
    return ConversationRows(
        tokens=encoded.tokens,
        id=encoded.ids,
        start=encoded.starts,
        end=encoded.ends,
        special=encoded.special,
        message=targets.message,
        role=targets.role,
        roles=targets.roles,
        position=np.where(targets.kept, np.cumsum(targets.kept) - 1, -1).astype(np.int32),
        segment=np.full(len(encoded), segment, np.int32),
        label=targets.labels,
        weight=targets.weights,
        kept=targets.kept,
        piece=pieces,
        template_start=table[:, 0],
        template_end=table[:, 1],
        from_content=from_content,
        typed=from_content & encoded.special,
    )
