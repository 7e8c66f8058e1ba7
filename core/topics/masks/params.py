"""The parameters of the masks page."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from core.contracts.errors import InvalidParams
from core.contracts.params import Params, choice, number, text
from core.contracts.text import tr
from core.masks.parser import MaskSyntaxError, parse
from core.masks.presets import PRESET_IDS, PRESETS

MAX_LENGTH = 8192
"""The longest sequence of queries or keys."""

MAX_SEQUENCES = 32

_MAX_TEXT_LENGTH = 262_144
_OF_PRESET = tr("the text of the preset")


class MasksParams(Params):
    """Empty (or 0) fields take the values of the preset: its expression, its text, the length of that text."""

    preset: str = choice(
        "causal",
        *PRESET_IDS,
        labels={preset.id: preset.title for preset in PRESETS},
        label=tr("Preset"),
        help=tr("A mask that models use, with an example text. Empty fields below take their values from the preset."),
        group=tr("Mask"),
    )
    expression: str = text(
        "",
        label=tr("Expression"),
        help=tr(
            "Terms joined by &, | and ~: causal (both ends aligned), causal_top_left, window(n) (n keys, its own among "
            "them), ahead(n), prefix(n), documents, turns, same_turn, padding, padded_queries, all, none. Empty: the "
            "expression of the preset."
        ),
        group=tr("Mask"),
    )
    query_text: str = text(
        "",
        label=tr("Text"),
        help=tr(
            "The text gives the tokens. <pad> marks a pad, <doc> and <eos> documents, <user> and <assistant> turns."
        ),
        group=tr("Tokens"),
        max_length=_MAX_TEXT_LENGTH,
        if_empty=_OF_PRESET,
    )
    key_text: str = text(
        "",
        label=tr("Key text"),
        help=tr(
            "For cross-attention: the text that the queries attend to. Empty: the same text (or that of the preset)."
        ),
        group=tr("Tokens"),
        max_length=_MAX_TEXT_LENGTH,
        if_empty=_OF_PRESET,
    )
    seq_len: int = number(
        0,
        minimum=0,
        maximum=MAX_LENGTH,
        label=tr("Query length"),
        unit="tokens",
        help=tr("0: the length of the text. Shorter texts are stretched by repeating each token; longer ones are cut."),
        group=tr("Tokens"),
    )
    key_len: int = number(
        0,
        minimum=0,
        maximum=MAX_LENGTH,
        label=tr("Key length"),
        unit="tokens",
        help=tr(
            "0: the query length. With more keys than queries and no key text, the queries are the last positions, as "
            "with a KV cache."
        ),
        group=tr("Tokens"),
    )
    lengths: str = text(
        "",
        label=tr("Batch lengths"),
        help=tr("Number of real keys per sequence, such as 24, 17, 9; the rest is padding. Empty: one sequence."),
        group=tr("Tokens"),
    )
    documents: str = text(
        "",
        label=tr("Document lengths"),
        help=tr("Tokens per packed document, such as 300, 500, 200. Empty: read from the markers in the text."),
        group=tr("Tokens"),
    )
    sequence: int = number(
        0,
        minimum=0,
        maximum=MAX_SEQUENCES - 1,
        label=tr("Sequence shown"),
        help=tr("The sequence of the batch that is drawn. The numbers refer to the whole batch."),
        group=tr("Tokens"),
    )
    block_q: int = choice(
        16, 16, 32, 64, 128, label=tr("Q tile"), unit="rows", help=tr("Query rows per tile."), group=tr("Tiling")
    )
    block_kv: int = choice(
        16, 16, 32, 64, 128, label=tr("KV tile"), unit="rows", help=tr("Keys per tile."), group=tr("Tiling")
    )
    heads: int = number(
        2,
        minimum=1,
        maximum=128,
        label=tr("Heads"),
        unit="heads",
        help=tr("Number of heads; all share the mask."),
        group=tr("Shape"),
    )
    head_dim: int = choice(
        64, 32, 64, 128, label=tr("Head dimension d"), unit="elements", help=tr("Width of one head."), group=tr("Shape")
    )
    dtype: str = choice(
        "fp32",
        "fp32",
        "fp16",
        "bf16",
        label=tr("Precision"),
        help=tr("Element type of Q, K, V and O."),
        group=tr("Shape"),
    )
    seed: int = number(
        0, minimum=0, maximum=2**31 - 1, label=tr("Seed"), help=tr("Seed of the random inputs."), group=tr("Inputs")
    )

    @property
    def is_plain_preset(self) -> bool:
        """Whether the mask and its text are those of the preset."""
        return not any((self.expression, self.query_text, self.key_text, self.lengths, self.documents))

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.expression.strip():
            try:
                parse(self.expression)
            except MaskSyntaxError as error:
                raise InvalidParams(error.text, "expression") from None
        for name in ("lengths", "documents"):
            numbers_of(getattr(self, name), name)
        return self


def numbers_of(text_value: str, field: str) -> tuple[int, ...]:
    """'24, 17, 9' as numbers; () for an empty text. Raises InvalidParams for anything else."""
    numbers = []
    for part in text_value.replace(";", ",").replace("，", ",").replace(" ", ",").split(","):
        if not part:
            continue
        if not part.isascii() or not part.isdigit() or int(part[:9]) > MAX_LENGTH or len(part) > 9:
            shown = part if len(part) <= 20 else f"{part[:17]}..."
            raise InvalidParams(
                tr(
                    "{field} has '{value}', which is not a length: write whole numbers from 0 to {limit:,}, separated "
                    "by commas.",
                    field=field,
                    value=shown,
                    limit=MAX_LENGTH,
                ),
                field,
            )
        numbers.append(int(part))
    if field == "lengths" and len(numbers) > MAX_SEQUENCES:
        raise InvalidParams(
            tr(
                "{field} has {count} sequences, and the limit is {limit}: remove some.",
                field=field,
                count=len(numbers),
                limit=MAX_SEQUENCES,
            ),
            field,
        )
    return tuple(numbers)
