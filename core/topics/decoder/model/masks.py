"""Who may look at whom in each of the block's attentions, as small bool arrays: True is visible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.topics.decoder.model.inputs import Inputs
from core.topics.decoder.params import DecoderParams

ENCODER, SELF, CROSS = "encoder", "self", "cross"


def masks_of(params: DecoderParams, inputs: Inputs) -> dict[str, NDArray[np.bool_]]:
    """By attention, [query_len, key_len]: 'encoder' and 'cross' hide the pads, 'self' the future where causal."""
    masks: dict[str, NDArray[np.bool_]] = {}
    source_len = 0 if inputs.source is None else len(inputs.source)
    not_pads = np.arange(source_len) < inputs.source_visible
    if inputs.source is not None:
        masks[ENCODER] = np.broadcast_to(not_pads, (source_len, source_len)).copy()
    if inputs.target is not None:
        target_len = len(inputs.target)
        everything = np.ones((target_len, target_len), dtype=bool)
        masks[SELF] = np.tril(everything) if params.causal else everything
        if inputs.source is not None:
            masks[CROSS] = np.broadcast_to(not_pads, (target_len, source_len)).copy()
    return masks
