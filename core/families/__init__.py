"""What can be compared. Each family has one file here, and one in `running` that builds its inputs with torch."""

from __future__ import annotations

import difflib

from core.contracts.errors import UnknownName
from core.contracts.text import listed, quoted, tr
from core.families import (
    attention,
    attention_training,
    block_sparse,
    decode,
    lora,
    lora_training,
    loss,
    matmul_4bit,
    quantization,
    rows,
)
from core.families.family import Family

FAMILIES: dict[str, Family] = {
    known.id: known
    for known in (
        attention.FAMILY,
        attention_training.FAMILY,
        decode.FAMILY,
        block_sparse.FAMILY,
        quantization.QUANTIZE,
        quantization.DEQUANTIZE,
        matmul_4bit.FAMILY,
        lora.FAMILY,
        lora_training.FAMILY,
        loss.CROSS_ENTROPY,
        loss.LINEAR_CROSS_ENTROPY,
        rows.SOFTMAX,
        rows.NORM,
    )
}
"""By id, in the order in which they are offered."""


def family(family_id: str) -> Family:
    """The family of that id. Raises UnknownName, listing those that exist."""
    if family_id in FAMILIES:
        return FAMILIES[family_id]
    known, name = listed(FAMILIES), quoted(family_id[:80])
    close = difflib.get_close_matches(family_id, FAMILIES, n=1)
    if close:
        raise UnknownName(
            tr(
                "There is no family {name}: did you mean {close}? The families are {known}.",
                name=name,
                close=close[0],
                known=known,
            )
        )
    raise UnknownName(tr("There is no family {name}. The families are {known}.", name=name, known=known))
