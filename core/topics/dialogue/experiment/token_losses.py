"""The loss of the page's conversation under the small model, token by token. Workers only."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from core.chat.rendering import Rendered
from core.chat.tokenizer import Encoded
from core.language_model.torch_state import evaluating
from core.topics.dialogue.experiment.setting import Setting
from core.topics.dialogue.result import ShownLoss

Floats = NDArray[np.float32]


def shown_loss(setting: Setting, rendered: Rendered, encoded: Encoded, before: Any, after: Any | None) -> ShownLoss:
    """The losses of the tokens of `encoded` under the models `before` and `after` the training.

    The small model reads the text with its own tokens, as far as its context goes. Where those are not the tokens of
    `encoded`, a token gets the loss of its characters.
    """
    small = setting.encoder.tokenizer.encode(rendered.text)
    same = np.array_equal(small.ids, encoded.ids)
    losses = [
        np.full(len(small), np.nan, dtype=np.float32)
        if model is None
        else token_losses(model, small.ids, setting.context)
        for model in (before, after)
    ]
    if not same:
        losses = [spread(one, small, encoded) for one in losses]
    return ShownLoss(rendered.text, losses[0], losses[1], setting.context, is_spread=not same)


def token_losses(model: Any, ids: NDArray[np.integer], context: int) -> Floats:
    """-log p of each token given all before it, in nats: float32 [n], NaN for the first and beyond the context."""
    losses = np.full(len(ids), np.nan, dtype=np.float32)
    if len(ids) < 2:
        return losses
    read = torch.from_numpy(np.asarray(ids[:context], dtype=np.int64))[None]
    with evaluating(model):
        logits = model(input_ids=read[:, :-1], use_cache=False).logits[0]
        losses[1 : read.shape[1]] = cross_entropy(logits.float(), read[0, 1:], reduction="none").numpy()
    return losses


def spread(losses: Floats, small: Encoded, encoded: Encoded) -> Floats:
    """The losses of the small model's tokens on the tokens of `encoded`, which covers the same text: each token's loss
    evenly on its characters, and the sum over the characters of each."""
    length = int(max(small.ends.max(initial=0), encoded.ends.max(initial=0)))
    of_character = np.zeros(length)
    for start, end, loss in zip(small.starts, small.ends, losses, strict=True):
        if end > start:
            of_character[start:end] += loss / (end - start)
    total = np.concatenate(([0.0], np.cumsum(np.nan_to_num(of_character))))
    unknown = np.concatenate(([0], np.cumsum(np.isnan(of_character))))
    sums = total[encoded.ends] - total[encoded.starts]
    known = (unknown[encoded.ends] == unknown[encoded.starts]) & (encoded.ends > encoded.starts)
    return np.where(known, sums, np.nan).astype(np.float32)
