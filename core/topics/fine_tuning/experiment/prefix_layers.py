"""Layers and a key-value prefix: which can hold one, and how much of it a window hides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, listed, tr
from core.topics.fine_tuning.result import LayerMask

_ATTENDING = ("full_attention", "sliding_attention", "chunked_attention")


def check_prefix_fits(base: Any) -> None:
    """Raises TilescopeError, which names the layer, if peft cannot put keys and values before those of a layer."""
    if any(getattr(module, "gradient_checkpointing", False) for module in base.modules()):
        raise TilescopeError(
            tr(
                "gradient checkpointing computes layer 0 and those after it again without the cache that holds the "
                "prefix, so their gradients would be wrong and PEFT refuses: switch Gradient checkpointing off, or use "
                "prompt tuning."
            )
        )
    for layer, kind in enumerate(getattr(base.config, "layer_types", None) or ()):
        if kind not in _ATTENDING:
            raise TilescopeError(
                tr(
                    "layer {layer} is of type {kind}, which has no keys and values before which a prefix could stand: "
                    "use prompt tuning, or an adapter.",
                    layer=layer,
                    kind=kind,
                )
            )


def layer_masks(
    masks: Sequence[torch.Tensor | None], attentions: Sequence[torch.Tensor], prefix: int, tokens: int
) -> tuple[LayerMask, ...]:
    """The masks of one example by layer, equal ones together, in the order of their first layer.

    A mask is either boolean or additive, with 0 for a visible key; without one, every key with a nonzero probability
    counts as visible. A layer whose cache keeps only the end of the prefix has fewer columns: the others are hidden.
    """
    found: list[tuple[list[int], np.ndarray, int]] = []
    for layer, attention in enumerate(attentions):
        mask = masks[layer] if layer < len(masks) else None
        if mask is None:
            visible = (attention[0] > 0).any(0)
        else:
            visible = mask[0, 0] if mask.dtype == torch.bool else mask[0, 0] == 0
        rows = visible.to(torch.uint8).cpu().numpy()[:, : attention.shape[-1]]
        queries = rows.shape[0]
        columns = prefix + tokens
        padded = np.zeros((queries, columns), dtype=np.uint8)
        padded[:, columns - rows.shape[1] :] = rows
        stored = rows.shape[1] - tokens
        for layers, known, kept in found:
            if kept == stored and np.array_equal(known, padded):
                layers.append(layer)
                break
        else:
            found.append(([layer], padded, stored))
    return tuple(LayerMask(tuple(layers), mask, stored) for layers, mask, stored in found)


def prefix_attention(attentions: Sequence[torch.Tensor], tokens: int) -> np.ndarray:
    """The attention probability on the prefix columns, float32 [layers, heads, queries]. Layers may hold different
    numbers of them."""
    shares = [layer[0, :, :, : layer.shape[-1] - tokens].sum(-1).float() for layer in attentions]
    values: np.ndarray = torch.stack(shares).cpu().numpy()
    return values


def cut_notice(method: Text, masks: Sequence[LayerMask], prefix: int) -> list[Text]:
    """One sentence for each kind of layer whose window hides part of the prefix."""
    return [
        tr(
            "{method}: in layers {layers} a sliding window cuts the prefix: the cache keeps {stored} of {prefix} "
            "vectors, and the last query sees {seen}.",
            method=method,
            layers=listed(map(str, mask.layers)),
            stored=mask.stored,
            prefix=prefix,
            seen=int(mask.mask[-1, :prefix].sum()),
        )
        for mask in masks
        if mask.cuts(prefix)
    ]
