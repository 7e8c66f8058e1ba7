"""What implementations make of a memory of padding alone: every key is hidden, and a softmax would divide 0 by 0.

All get the same Q, K and V of the block's cross-attention. The layers of torch.nn get the same stream and memory; what
they make of it is compared with what they would give if the attention were zeros.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from core.contracts.text import Text, tr, verbatim
from core.topics.decoder.experiment.checks import output_name, stream_name, torch_decoder, torch_encoder
from core.topics.decoder.experiment.passes import Recorded, Scene
from core.topics.decoder.result import EmptyMemory, Outcome
from kernels.attention.flex import flex_block_mask, flex_forward
from kernels.attention.mask import TermKind, term

_CLOSE = 1e-4
_Made = tuple[str, Text, torch.Tensor, torch.Tensor, torch.Tensor | None]
"""Id, label, what was made, what zeros would give, and what the mean of all values would give."""


def empty_memory(scene: Scene, recorded: Recorded) -> tuple[EmptyMemory, ...]:
    """One row per implementation, the project's kernel first."""
    with torch.no_grad():
        made = [*_attentions(scene, recorded), *_layers(scene, recorded)]
    return tuple(_row(*each) for each in made)


def _attentions(scene: Scene, recorded: Recorded) -> Iterator[_Made]:
    """Attention by itself: [heads, target_len, head_dim]."""
    tensors, heads = recorded.tensors, scene.params.heads
    q, k, v = (_by_heads(tensors[f"decoder.cross.{letter}"], heads)[None] for letter in "qkv")
    zeros, mean = torch.zeros_like(q), v.mean(2, keepdim=True).expand_as(q)
    scale = 1 / math.sqrt(q.shape[-1])
    scores = (q @ k.mT) * scale
    nothing = torch.zeros(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device)

    def hidden_by(value: float) -> torch.Tensor:
        return torch.softmax(scores.masked_fill(~nothing, value), dim=-1) @ v

    ours = _by_heads(tensors["decoder.cross.heads"], heads)[None]
    yield "kernel", tr("block-sparse kernel (Triton)"), ours, zeros, mean
    yield "naive", tr("softmax of scores hidden by -inf"), hidden_by(-math.inf), zeros, mean
    smallest = torch.finfo(scores.dtype).min
    yield "smallest", tr("softmax of scores hidden by the smallest number"), hidden_by(smallest), zeros, mean
    by_default = scaled_dot_product_attention(q, k, v, attn_mask=nothing)
    yield "sdpa", tr("SDPA with a bool mask"), by_default, zeros, mean
    with sdpa_kernel([SDPBackend.MATH]):
        by_math = scaled_dot_product_attention(q, k, v, attn_mask=nothing)
    yield "sdpa-math", tr("SDPA with a bool mask, math backend"), by_math, zeros, mean
    mask = flex_block_mask(term(TermKind.KEYS_BEFORE, 0), query_len=q.shape[2], key_len=k.shape[2], device=q.device)
    flex = flex_forward(q, k, v, mask=mask, softmax_scale=scale)
    yield "flex", verbatim("FlexAttention"), flex, zeros, mean


def _layers(scene: Scene, recorded: Recorded) -> Iterator[_Made]:
    """Layers of torch.nn: [length, width]."""
    tensors, network = recorded.tensors, scene.network
    memory = tensors["memory"]
    stream = tensors[stream_name(scene)]
    pads = torch.ones(1, len(memory), dtype=torch.bool, device=memory.device)
    layer = network.decoder.multihead_attn
    bias = torch.zeros_like(stream) if layer.out_proj.bias is None else layer.out_proj.bias.expand_as(stream)
    for name, label, needs_weights in (
        ("mha", tr("torch.nn.MultiheadAttention (need_weights=True, the default)"), True),
        ("mha-without-weights", verbatim("torch.nn.MultiheadAttention(need_weights=False)"), False),
    ):
        out, _ = layer(stream[None], memory[None], memory[None], key_padding_mask=pads, need_weights=needs_weights)
        yield name, label, out[0], bias, None
    theirs = torch_decoder(scene, network, scene.ids("target"), memory)
    yield "decoder-layer", verbatim("torch.nn.TransformerDecoderLayer"), theirs, tensors[output_name(scene)], None
    yield "encoder", tr("torch.nn.TransformerEncoder, as in training"), torch_encoder(scene), memory, None
    embedded = network.embed(scene.ids("source"))[None]
    fast = network.encoder(embedded, src_key_padding_mask=pads)[0]
    yield "encoder-inference", tr("torch.nn.TransformerEncoder, inference path"), fast, memory, None


def _row(name: str, label: Text, made: torch.Tensor, zeros: torch.Tensor, mean: torch.Tensor | None) -> EmptyMemory:
    rows = made.flatten(0, -2)
    nan_rows = int(rows.isnan().any(-1).sum())
    if nan_rows:
        outcome = Outcome.NAN
    elif _are_close(made, zeros):
        outcome = Outcome.ZEROS
    elif mean is not None and _are_close(made, mean):
        outcome = Outcome.MEAN
    else:
        outcome = Outcome.OTHER
    return EmptyMemory(name, label, outcome, nan_rows, len(rows))


def _are_close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool(torch.allclose(a, b, atol=_CLOSE, rtol=0))


def _by_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """[length, width] to [heads, length, head_dim]."""
    return x.view(x.shape[0], heads, -1).transpose(0, 1)
