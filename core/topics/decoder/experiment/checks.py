"""Compares the block with torch.nn's own layers on the same weights, and both with float64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.comparison import ErrorCheck
from core.contracts.text import Text, tr, verbatim
from core.topics.decoder.experiment.network import Network, run_both
from core.topics.decoder.experiment.passes import Recorded, Scene, torch_attention
from core.topics.decoder.experiment.weights import copied_to
from core.topics.decoder.result import BLOCK, ENCODER, FLOAT64, OUTPUT, TORCH

TORCH_LIMIT = 1e-5
"""Largest allowed difference from torch.nn's layers in float32."""


@dataclass(frozen=True)
class Checks:
    """`arguments`: the largest difference between the inputs of torch's cross-attention and our tensors.

    By argument: 'query' against the stream after the masked self-attention, 'key' and 'value' against the memory, and
    'query_embedding', that query against the embedded target.
    """

    checks: tuple[ErrorCheck, ...]
    arguments: dict[str, float]


def check_all(scene: Scene, recorded: Recorded) -> Checks:
    """Every comparison that this model type allows. Positions of padding are compared too."""
    tensors = recorded.tensors
    checks: list[ErrorCheck] = []
    arguments: dict[str, float] = {}
    with torch.no_grad():
        exact_pass = scene.one_pass(torch_attention, network=copied_to(scene.network, scene.device, torch.float64))
        exact = run_both(exact_pass, scene.inputs, scene.device)
    if scene.inputs.source is not None:
        theirs = torch_encoder(scene)
        reference = verbatim("torch.nn.TransformerEncoder")
        checks.append(_check(ENCODER, reference, tensors["memory"], theirs, TORCH_LIMIT))
        ours = tensors["memory"]
    if scene.inputs.target is not None:
        ours = tensors[output_name(scene)]
        memory = tensors.get("memory")
        theirs, arguments = _torch_block(scene, tensors, memory)
        if memory is not None:
            reference = verbatim("torch.nn.TransformerDecoderLayer")
        else:
            reference = tr("{layer} with a mask", layer="torch.nn.TransformerEncoderLayer")
        checks.append(_check(BLOCK, reference, ours, theirs, TORCH_LIMIT))
    torch_error = _difference(theirs, exact)
    # The limit follows PyTorch's own error, but is never below a few roundings of values near 1.
    limit = max(3 * torch_error, 2e-6)
    checks.append(_check(OUTPUT, FLOAT64, ours, exact, limit))
    checks.append(_check(TORCH, FLOAT64, theirs, exact, limit))
    return Checks(tuple(checks), arguments)


def check_output(scene: Scene, recorded: Recorded) -> Checks:
    """The block against float64 alone, where torch.nn may give NaN: a memory of padding alone. In both, an attention
    that sees no key gives zeros."""
    with torch.no_grad():
        exact_network = copied_to(scene.network, scene.device, torch.float64)
        exact = run_both(scene.one_pass(torch_attention, network=exact_network), scene.inputs, scene.device)
        in_float32 = run_both(scene.one_pass(torch_attention), scene.inputs, scene.device)
    limit = max(3 * _difference(in_float32, exact), 2e-6)
    return Checks((_check(OUTPUT, FLOAT64, recorded.tensors[output_name(scene)], exact, limit),), {})


def torch_encoder(scene: Scene) -> torch.Tensor:
    """torch.nn.TransformerEncoder on the same weights: the memory [source_len, width]."""
    ids = scene.ids("source")
    pads = torch.arange(len(ids), device=ids.device) >= scene.inputs.source_visible
    # With gradients on, PyTorch takes its plain path; the fused path writes zeros at padding positions.
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
    received: dict[str, torch.Tensor] = {}

    def keep(module: nn.Module, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any]) -> None:
        received.update(zip(("query", "key", "value"), (tensor[0].detach() for tensor in args[:3]), strict=True))

    hook = scene.network.decoder.multihead_attn.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        output = torch_decoder(scene, scene.network, target, memory).detach()
    finally:
        hook.remove()
    stream = tensors[stream_name(scene)]
    arguments = {
        "query": _difference(received["query"], stream),
        "key": _difference(received["key"], memory),
        "value": _difference(received["value"], memory),
        "query_embedding": _difference(received["query"], tensors["target.embedding"]),
    }
    return output, arguments


def _without_cross_attention(decoder: nn.TransformerDecoderLayer) -> nn.TransformerEncoderLayer:
    """The same weights in torch.nn's layer for a decoder-only block: an encoder layer, used with a mask."""
    attention, first = decoder.self_attn, decoder.linear1
    layer = nn.TransformerEncoderLayer(
        attention.embed_dim, attention.num_heads, first.out_features, 0.0, batch_first=True,
        norm_first=decoder.norm_first,
    ).to(first.weight)  # fmt: skip
    copies = (("self_attn",) * 2, ("linear1",) * 2, ("linear2",) * 2, ("norm1",) * 2, ("norm2", "norm3"))
    for to_name, from_name in copies:
        getattr(layer, to_name).load_state_dict(getattr(decoder, from_name).state_dict())
    return layer.eval()


def _future(scene: Scene, length: int) -> torch.Tensor | None:
    """The causal mask for torch.nn, True where hidden; None hides nothing."""
    if not scene.params.causal:
        return None
    return torch.ones(length, length, dtype=torch.bool, device=scene.device).triu(1)


def stream_name(scene: Scene) -> str:
    """The tensor that the cross-attention has its queries from."""
    return "decoder.cross.norm" if scene.network.pre_norm else "decoder.self.norm"


def output_name(scene: Scene) -> str:
    """The tensor that leaves the decoder block."""
    return "decoder.feed_forward.add" if scene.network.pre_norm else "decoder.feed_forward.norm"


def _check(what: Text, against: Text, ours: torch.Tensor, theirs: torch.Tensor, limit: float) -> ErrorCheck:
    error = _difference(ours, theirs)
    return ErrorCheck(what, against, error, limit, error <= limit)


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b.double()).abs().max())
