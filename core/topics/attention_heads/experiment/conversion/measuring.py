"""What heads compute on a text: how similar their keys and values are, and how far a conversion moves their outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.language_model.torch_state import evaluating
from core.topics.attention_heads.experiment.conversion.layers import AttentionLayers
from core.topics.attention_heads.experiment.conversion.pooling import LayerGroups, query_head_order

SIMILARITY_PHASE = tr("comparing the keys and values of the heads")
ERROR_PHASE = tr("measuring the error of each head")


@dataclass(frozen=True)
class HeadErrors:
    """Relative RMS errors, float32 [layers, heads], heads as numbered before the conversion. `together`: the whole
    model is converted. `alone`: each layer is converted alone."""

    together: NDArray[np.float32]
    alone: NDArray[np.float32]


def gram_matrices(
    model: Any, layers: AttentionLayers, batches: Sequence[torch.Tensor], progress: ProgressCallback
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inner products of the heads' keys and of their values, summed over tokens: each [layers, kv_heads, kv_heads].

    `batches` are token ids [batch, length]. Keys are those that the projection gives, before rotation and norms.
    """
    shape = (len(layers.names), layers.kv_heads, layers.kv_heads)
    keys, values = (torch.zeros(shape, dtype=torch.float64) for _ in range(2))

    def adding(total: torch.Tensor) -> Callable[..., None]:
        def add(module: Any, inputs: Any, output: torch.Tensor) -> None:
            heads = output.detach().reshape(-1, layers.kv_heads, layers.head_dim).transpose(0, 1)
            flat = heads.flatten(1).double()
            total.add_((flat @ flat.T).cpu())

        return add

    with ExitStack() as stack:
        stack.enter_context(evaluating(model))
        for layer, module in enumerate(layers.modules(model)):
            for projection, total in ((module.k_proj, keys[layer]), (module.v_proj, values[layer])):
                stack.callback(projection.register_forward_hook(adding(total)).remove)
        for number, tokens in enumerate(batches):
            progress(number, len(batches), SIMILARITY_PHASE)
            model(input_ids=tokens.to(model.device), use_cache=False)
    return keys.numpy(), values.numpy()


def head_errors(
    model: Any,
    converted: Any,
    layers: AttentionLayers,
    groups: LayerGroups,
    batches: Sequence[torch.Tensor],
    progress: ProgressCallback,
) -> HeadErrors:
    """The errors of the heads' attention outputs (before the output projection) of a converted model.

    sqrt(sum |after - before|^2 / sum |before|^2) over the tokens of `batches`, token ids [batch, length]. A head whose
    output was zero has an error of 0 if it still is, else infinity.
    """
    orders = [torch.from_numpy(query_head_order(layers, layer_groups)) for layer_groups in groups]
    before, together, alone = (torch.zeros(len(orders), layers.heads, dtype=torch.float64) for _ in range(3))
    with evaluating(model), evaluating(converted):
        for number, tokens in enumerate(batches):
            progress(number, len(batches), ERROR_PHASE)
            ids = tokens.to(model.device)
            with _outputs(model, layers) as original, _replayed(model, converted, layers) as replayed:
                model(input_ids=ids, use_cache=False)
            with _outputs(converted, layers) as changed:
                converted(input_ids=ids, use_cache=False)
            for layer, order in enumerate(orders):
                ordered = original[layer].to("cpu", torch.float64)[:, order]
                before[layer, order] += ordered.square().sum(dim=(0, 2))
                for total, outputs in ((together, changed), (alone, replayed)):
                    difference = outputs[layer].to("cpu", torch.float64) - ordered
                    total[layer, order] += difference.square().sum(dim=(0, 2))
    return HeadErrors(_relative(together, before), _relative(alone, before))


@contextmanager
def _outputs(model: Any, layers: AttentionLayers) -> Iterator[dict[int, torch.Tensor]]:
    """Collects the heads' outputs of each layer, [tokens, heads, head_dim], from the input of the output projection."""
    outputs: dict[int, torch.Tensor] = {}

    def keeping(layer: int) -> Callable[..., None]:
        def keep(module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            outputs[layer] = inputs[0].detach().reshape(-1, layers.heads, layers.head_dim)

        return keep

    with ExitStack() as stack:
        for layer, module in enumerate(layers.modules(model)):
            stack.callback(module.o_proj.register_forward_pre_hook(keeping(layer)).remove)
        yield outputs


@contextmanager
def _replayed(model: Any, converted: Any, layers: AttentionLayers) -> Iterator[dict[int, torch.Tensor]]:
    """Runs each converted attention on the inputs of the original one, and collects its heads' outputs."""

    def replaying(attention: Any) -> Callable[..., None]:
        def replay(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            attention(*args, **kwargs)

        return replay

    with ExitStack() as stack:
        outputs = stack.enter_context(_outputs(converted, layers))
        for module, attention in zip(layers.modules(model), layers.modules(converted), strict=True):
            stack.callback(module.register_forward_hook(replaying(attention), with_kwargs=True).remove)
        yield outputs


def _relative(errors: torch.Tensor, energies: torch.Tensor) -> NDArray[np.float32]:
    shares = torch.where(errors > 0, errors / energies, torch.zeros_like(errors))
    return shares.sqrt().to(torch.float32).numpy()
