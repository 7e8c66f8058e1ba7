"""The parameters of the masks page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, text
from core.masks.parser import MaskSyntaxError, parse
from core.masks.presets import PRESET_IDS

MAX_LENGTH = 8192
"""The longest sequence of queries or keys."""

MAX_SEQUENCES = 32

_MAX_TEXT_LENGTH = 262_144


class MasksParams(Params):
    """What is left empty (or 0) is the preset's: its expression, its text, the length of that text."""

    preset: str = choice(
        "causal",
        *PRESET_IDS,
        label="Preset",
        help="A mask that models use, with a text to show it on; everything below that is left empty is the preset's.",
        group="Mask",
    )
    expression: str = text(
        "",
        label="Expression",
        help="Terms joined by &, | and ~: causal, window(n), ahead(n), prefix(n), documents, turns, same_turn, "
        "padding, padded_queries, all, none. Empty: the preset's.",
        group="Mask",
    )
    query_text: str = text(
        "",
        label="Text",
        help="Labels of the tokens; <pad> marks a pad, <doc> and <eos> documents, <user> and <assistant> turns.",
        group="Tokens",
        max_length=_MAX_TEXT_LENGTH,
    )
    key_text: str = text(
        "",
        label="Text of the keys",
        help="For cross-attention: the text that is looked at. Empty: the queries' own (or the preset's).",
        group="Tokens",
        max_length=_MAX_TEXT_LENGTH,
    )
    seq_len: int = number(
        0,
        minimum=0,
        maximum=MAX_LENGTH,
        label="Query length",
        unit="tokens",
        help="0: the text's. A text shorter than this is stretched, each token repeated; a longer one is cut.",
        group="Tokens",
    )
    key_len: int = number(
        0,
        minimum=0,
        maximum=MAX_LENGTH,
        label="Key length",
        unit="tokens",
        help="0: the queries'. More keys than queries without a text of their own: the queries are the last ones, as "
        "with a KV cache.",
        group="Tokens",
    )
    lengths: str = text(
        "",
        label="Lengths of the batch",
        help="Real keys of each sequence, such as 24, 17, 9; what follows is padding. Empty: one sequence.",
        group="Tokens",
    )
    documents: str = text(
        "",
        label="Lengths of the documents",
        help="Tokens of each packed document, such as 300, 500, 200. Empty: what the markers in the text say.",
        group="Tokens",
    )
    sequence: int = number(
        0,
        minimum=0,
        maximum=MAX_SEQUENCES - 1,
        label="Sequence shown",
        help="Which sequence of the batch is drawn; the numbers are those of the whole batch.",
        group="Tokens",
    )
    block_q: int = choice(
        16, 16, 32, 64, 128, label="Q tile", unit="rows", help="Query rows of one tile.", group="Tiling"
    )
    block_kv: int = choice(16, 16, 32, 64, 128, label="KV tile", unit="rows", help="Keys of one tile.", group="Tiling")
    heads: int = number(
        2, minimum=1, maximum=128, label="Heads", unit="heads", help="Heads; all share the mask.", group="Shape"
    )
    head_dim: int = choice(
        64, 32, 64, 128, label="Head dim d", unit="elements", help="Width of one head.", group="Shape"
    )
    dtype: str = choice(
        "fp32", "fp32", "fp16", "bf16", label="Precision", help="Element type of Q, K, V and O.", group="Shape"
    )
    seed: int = number(0, minimum=0, maximum=2**31 - 1, label="Seed", help="Seed of the random inputs.", group="Inputs")

    @property
    def is_plain_preset(self) -> bool:
        """Whether the mask and its text are the preset's own."""
        return not any((self.expression, self.query_text, self.key_text, self.lengths, self.documents))

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.expression.strip():
            try:
                parse(self.expression)
            except MaskSyntaxError as error:
                raise InvalidParams(error.sentence, "expression") from None
        for name in ("lengths", "documents"):
            numbers_of(getattr(self, name), name)
        return self


def numbers_of(written: str, field: str) -> tuple[int, ...]:
    """'24, 17, 9' as numbers; () for an empty text. Raises InvalidParams for anything else."""
    numbers = []
    for part in written.replace(";", ",").replace("，", ",").replace(" ", ",").split(","):
        if not part:
            continue
        if not part.isascii() or not part.isdigit() or int(part[:9]) > MAX_LENGTH or len(part) > 9:
            shown = part if len(part) <= 20 else f"{part[:17]}..."
            raise InvalidParams(
                f"{field} has {shown!r}, which is no length: write whole numbers from 0 to {MAX_LENGTH:,}, "
                "with commas between them.",
                field,
            )
        numbers.append(int(part))
    if field == "lengths" and len(numbers) > MAX_SEQUENCES:
        raise InvalidParams(
            f"{field} has {len(numbers)} sequences, and {MAX_SEQUENCES} are the most: leave some out.", field
        )
    return tuple(numbers)
