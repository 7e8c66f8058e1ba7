"""The converted model: heads of a group next to each other, and their K and V projections replaced by their mean.

GQA (Ainslie et al. 2023, arXiv 2305.13245), section 2.1 and figure 1: mean-pooling keeps more than the first head or a
new one. The result is a model with `num_key_value_heads` groups, as transformers would build it from its config.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from core.language_model.adapters import trainable_copy
from core.topics.attention_heads.experiment.conversion.layers import AttentionLayers

LayerGroups = NDArray[np.int32]
"""The group of each KV head in each layer, int32 [layers, kv_heads]; all groups have the same size."""


def reordered_copy(model: Any, layers: AttentionLayers, groups: LayerGroups) -> Any:
    """A copy whose heads are ordered by group. It computes the same function: the sum over heads has no order."""
    duplicate = trainable_copy(model)
    for module, layer_groups in zip(layers.modules(duplicate), groups, strict=True):
        kv_rows = _rows_of(np.argsort(layer_groups, kind="stable"), layers.head_dim)
        query_rows = _rows_of(query_head_order(layers, layer_groups), layers.head_dim)
        with torch.no_grad():
            for projection, rows in ((module.q_proj, query_rows), (module.k_proj, kv_rows), (module.v_proj, kv_rows)):
                for weight in projection.parameters():
                    weight.copy_(weight[rows])
            module.o_proj.weight.copy_(module.o_proj.weight[:, query_rows])
    return duplicate


def pooled_copy(model: Any, layers: AttentionLayers, groups: LayerGroups) -> Any:
    """A copy with one KV head per group. Every layer must have the same number of groups."""
    duplicate = reordered_copy(model, layers, groups)
    count = int(groups.max()) + 1
    for module in layers.modules(duplicate):
        for projection in (module.k_proj, module.v_proj):
            _pool(projection, count, layers.head_dim)
        module.num_key_value_groups = layers.heads // count
        if hasattr(module, "num_key_value_heads"):
            module.num_key_value_heads = count
    duplicate.config.get_text_config().num_key_value_heads = count
    return duplicate


def query_head_order(layers: AttentionLayers, groups: NDArray[np.int32]) -> NDArray[np.int64]:
    """For each query head of the reordered layer the number that it had before, int64 [heads]."""
    order = np.argsort(groups, kind="stable")
    size = layers.queries_per_kv_head
    return (order[:, None] * size + np.arange(size)).ravel()


def group_of_query_head(layers: AttentionLayers, groups: LayerGroups) -> NDArray[np.int32]:
    """The group of each query head, numbered as before, int32 [layers, heads]."""
    return np.repeat(groups, layers.queries_per_kv_head, axis=1)


def _rows_of(heads: NDArray[np.int64], head_dim: int) -> torch.Tensor:
    """The rows of a projection that belong to these heads, in their order."""
    return torch.from_numpy((heads[:, None] * head_dim + np.arange(head_dim)).ravel())


def _pool(projection: nn.Linear, count: int, head_dim: int) -> None:
    """Replace each group of consecutive heads by its mean, weights and biases alike."""
    with torch.no_grad():
        for name, weight in list(projection.named_parameters()):
            pooled = weight.view(count, -1, head_dim, *weight.shape[1:]).mean(dim=1).flatten(0, 1)
            setattr(projection, name, nn.Parameter(pooled.contiguous()))
    projection.out_features = count * head_dim
