"""The block against torch.nn's own layers with the same weights, and both against float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.comparison import ErrorCheck
from core.topics.decoder.experiment.network import Network, run_both
from core.topics.decoder.experiment.passes import Recorded, Scene, by_operations
from core.topics.decoder.experiment.weights import placed

TORCH_LIMIT = 1e-5
"""Largest difference from torch.nn's layers that float32 may make."""


@dataclass(frozen=True)
class Checks:
    """`arguments`: largest difference of what torch's cross-attention is given from ours.

    By argument: 'query' from the stream after the masked self-attention, 'key' and 'value' from the memory, and
    'query_embedding', how far that query is from the embedded target.
    """

    checks: tuple[ErrorCheck, ...]
    arguments: dict[str, float]


def check_all(scene: Scene, recorded: Recorded) -> Checks:
    """Every comparison that this kind of model allows. Positions of pads are compared too."""
    tensors = recorded.tensors
    checks: list[ErrorCheck] = []
    arguments: dict[str, float] = {}
    with torch.no_grad():
        exact_pass = scene.one_pass(by_operations, network=placed(scene.network, scene.device, torch.float64))
        exact = run_both(exact_pass, scene.inputs, scene.device)
    if scene.inputs.source is not None:
        theirs = torch_encoder(scene)
        checks.append(_check("encoder", "torch.nn.TransformerEncoder", tensors["memory"], theirs, TORCH_LIMIT))
        ours = tensors["memory"]
    if scene.inputs.target is not None:
        ours = tensors[_last(scene)]
        memory = tensors.get("memory")
        theirs, arguments = _torch_block(scene, tensors, memory)
        name = "torch.nn.TransformerDecoderLayer" if memory is not None else "torch.nn.TransformerEncoderLayer, masked"
        checks.append(_check("block", name, ours, theirs, TORCH_LIMIT))
    torch_error = _difference(theirs, exact)
    # PyTorch's own error is the measure; never less than a few units of rounding of values near 1.
    limit = max(3 * torch_error, 2e-6)
    checks.append(_check("output", "float64", ours, exact, limit))
    checks.append(_check("torch.nn", "float64", theirs, exact, limit))
    return Checks(tuple(checks), arguments)


def torch_encoder(scene: Scene) -> torch.Tensor:
    """torch.nn.TransformerEncoder on the same weights: the memory [source_len, width]."""
    ids = scene.ids("source")
    pads = torch.arange(len(ids), device=ids.device) >= scene.inputs.source_visible
    # With gradients on, PyTorch takes its plain path; its fused one writes zeros at pads.
    with torch.enable_grad():
        memory: torch.Tensor = scene.network.encoder(scene.network.embed(ids)[None], src_key_padding_mask=pads[None])
    return memory[0].detach()


def torch_decoder(scene: Scene, network: Network, target: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    """torch.nn.TransformerDecoderLayer on the same weights: the block's output [target_len, width]."""
    pads = torch.arange(len(memory), device=memory.device) >= scene.inputs.source_visible
    output: torch.Tensor = network.decoder(
        network.embed(target)[None],
        memory[None],
        tgt_mask=_future(scene, len(target)),
        memory_key_padding_mask=pads[None],
    )
    return output[0]


def _torch_block(
    scene: Scene, tensors: dict[str, torch.Tensor], memory: torch.Tensor | None
) -> tuple[torch.Tensor, dict[str, float]]:
    target = scene.ids("target")
    if memory is None:
        layer = _without_cross_attention(scene.network.decoder)
        with torch.enable_grad():
            output = layer(scene.network.embed(target)[None], src_mask=_future(scene, len(target)))
        return output[0].detach(), {}
    given: dict[str, torch.Tensor] = {}

    def keep(module: nn.Module, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any]) -> None:
        given.update(zip(("query", "key", "value"), (tensor[0].detach() for tensor in args[:3]), strict=True))

    hook = scene.network.decoder.multihead_attn.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        output = torch_decoder(scene, scene.network, target, memory).detach()
    finally:
        hook.remove()
    stream = tensors["decoder.cross.norm" if scene.network.pre_norm else "decoder.self.norm"]
    arguments = {
        "query": _difference(given["query"], stream),
        "key": _difference(given["key"], memory),
        "value": _difference(given["value"], memory),
        "query_embedding": _difference(given["query"], tensors["target.embedding"]),
    }
    return output, arguments


def _without_cross_attention(decoder: nn.TransformerDecoderLayer) -> nn.TransformerEncoderLayer:
    """The same weights in the layer that torch.nn offers for a decoder-only block: an encoder layer, to be masked."""
    attention, first = decoder.self_attn, decoder.linear1
    layer = nn.TransformerEncoderLayer(
        attention.embed_dim, attention.num_heads, first.out_features, 0.0, batch_first=True,
        norm_first=decoder.norm_first,
    ).to(first.weight)  # fmt: skip
    for mine, theirs in (("self_attn",) * 2, ("linear1",) * 2, ("linear2",) * 2, ("norm1",) * 2, ("norm2", "norm3")):
        getattr(layer, mine).load_state_dict(getattr(decoder, theirs).state_dict())
    return layer.eval()


def _future(scene: Scene, length: int) -> torch.Tensor | None:
    """torch.nn's mask, True where hidden; None hides nothing."""
    if not scene.params.causal:
        return None
    return torch.ones(length, length, dtype=torch.bool, device=scene.device).triu(1)


def _last(scene: Scene) -> str:
    return "decoder.feed_forward.add" if scene.network.pre_norm else "decoder.feed_forward.norm"


def _check(what: str, against: str, ours: torch.Tensor, theirs: torch.Tensor, limit: float) -> ErrorCheck:
    error = _difference(ours, theirs)
    return ErrorCheck(what, against, error, limit, error <= limit)


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b.double()).abs().max())
