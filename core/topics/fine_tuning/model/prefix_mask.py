"""Which columns a query may see with a prefix or a prompt before the input. Modelled; a run shows the real mask."""

from __future__ import annotations

import numpy as np

from core.topics.fine_tuning.methods import KEY_VALUE_PREFIX, PROMPTS, MethodId


def prefix_mask(method: MethodId, virtual_tokens: int, length: int) -> np.ndarray:
    """bool [queries, columns], for an input of `length` tokens.

    Of a key-value prefix the columns come first and are no queries: [length, virtual_tokens + length]. Vectors of
    prompt tuning are tokens like others, causal among themselves: [virtual_tokens + length] both ways.
    """
    columns = length + (virtual_tokens if method in PROMPTS else 0)
    queries = length if method in KEY_VALUE_PREFIX else columns
    return np.tri(queries, columns, columns - queries, dtype=bool)
