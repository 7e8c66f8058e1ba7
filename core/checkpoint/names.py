"""Infers from a tensor's name which layer it belongs to, and what it does there."""

from __future__ import annotations

import re

NO_LAYER = -1

_NUMBER = re.compile(r"(?:^|\.)([0-9]{1,5})\.")


def layer_and_kind(name: str) -> tuple[int, str]:
    """The number of the layer and the rest of the name: 'model.layers.12.mlp.down_proj.weight' gives (12,
    'mlp.down_proj').

    The first number that stands alone between dots is the layer's number; the part before it is dropped. Without such a
    number the layer is NO_LAYER and the kind is the whole name. A number of more than five digits is no layer: no model
    has that many, and a picture draws one row per layer. A closing '.weight' is dropped.
    """
    number = _NUMBER.search(name)
    kind = name if number is None else name[number.end() :]
    if kind.endswith(".weight"):
        kind = kind.removesuffix(".weight")
    return (NO_LAYER if number is None else int(number.group(1))), kind
