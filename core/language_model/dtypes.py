"""The dtypes that a model can be loaded in. No torch, because the window uses this too."""

from __future__ import annotations

from typing import Any

from core.contracts.params import choice
from core.contracts.text import tr

FLOAT32, BFLOAT16, FLOAT16 = "float32", "bfloat16", "float16"
DTYPE_BYTES = {FLOAT32: 4, BFLOAT16: 2, FLOAT16: 2}


def dtype_param() -> Any:
    """A field of a topic's parameters: the dtype of the model's weights."""
    return choice(
        FLOAT32,
        *DTYPE_BYTES,
        label=tr("Load weights in"),
        help=tr(
            "The dtype of the model's own weights and of the arithmetic with them. bfloat16 rounds to 8 bits; float16 "
            "rounds to 11 bits, but overflows above 65,504, which can make a loss NaN. PEFT keeps adapters in float32."
        ),
        group=tr("Model"),
    )
