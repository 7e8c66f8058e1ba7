"""The encoder stack and the decoder block, step by step, on the weights of torch.nn's own layers.

Each step passes its tensor to a recorder under its node id of `flow`. The caller chooses the attention function, so
the same block runs on the flash kernel, on PyTorch's operations and in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.nn.functional import linear

from core.topics.decoder.inputs import Inputs

Record = Callable[[str, torch.Tensor], None]


class Attend(Protocol):
    """softmax(q kᵀ / √d) v: q [heads, query_len, head_dim], k and v [heads, key_len, head_dim], out like q.

    `name` is the attention's prefix, such as 'decoder.cross'; keys from `visible_keys` on are padding.
    """

    def __call__(
        self, name: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *, causal: bool, visible_keys: int
    ) -> torch.Tensor: ...


@dataclass(frozen=True)
class Network:
    """All weights. `table` [vocabulary, width] is the embedding, tied to the logits; `positions` [longest, width].

    Both are fixed. `final_norm` and `encoder.norm` exist only in pre-norm.
    """

    table: torch.Tensor
    positions: torch.Tensor
    encoder: nn.TransformerEncoder
    decoder: nn.TransformerDecoderLayer
    final_norm: nn.LayerNorm | None

    @property
    def pre_norm(self) -> bool:
        return bool(self.decoder.norm_first)

    @property
    def modules(self) -> tuple[nn.Module, ...]:
        norms = () if self.final_norm is None else (self.final_norm,)
        return (self.encoder, self.decoder, *norms)

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """[..., length] token ids to [..., length, width]: the embedding times √width, plus the position."""
        return self.table[ids] * math.sqrt(self.table.shape[1]) + self.positions[: ids.shape[-1]]

    def finish(self, output: torch.Tensor) -> torch.Tensor:
        """The input of the logits: the block's output, normalised in pre-norm."""
        return output if self.final_norm is None else self.final_norm(output)


def ignore(name: str, tensor: torch.Tensor) -> None:
    """A recorder that discards every tensor."""


@dataclass(frozen=True)
class Pass:
    """One pass over one sequence: its attention function, masks and recorder."""

    network: Network
    attend: Attend
    causal: bool
    source_visible: int
    record: Record = ignore

    def encode(self, source_ids: torch.Tensor) -> torch.Tensor:
        """[source_len] ids to the memory [source_len, width]."""
        x = self._recorded("source.embedding", self.network.embed(source_ids))
        for index, layer in enumerate(self.network.encoder.layers):
            assert isinstance(layer, nn.TransformerEncoderLayer)
            x = self._attention(f"encoder.{index}.self", layer.self_attn, layer.norm1, x)
            x = self._feed_forward(f"encoder.{index}", layer, layer.norm2, x)
        norm = self.network.encoder.norm
        return self._recorded("memory", x if norm is None else norm(x))

    def decode(self, target_ids: torch.Tensor, memory: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        """[target_len] ids to the block's output [target_len, width]; `memory` holds the inputs of K and of V.

        Without a memory there is no cross-attention, as in a decoder-only model.
        """
        return self.decode_embedded(self.network.embed(target_ids), memory)

    def decode_embedded(self, x: torch.Tensor, memory: tuple[torch.Tensor, torch.Tensor] | None) -> torch.Tensor:
        """`decode` from embedded tokens [target_len, width]."""
        layer = self.network.decoder
        x = self._recorded("target.embedding", x)
        x = self._attention("decoder.self", layer.self_attn, layer.norm1, x)
        if memory is not None:
            x = self._attention("decoder.cross", layer.multihead_attn, layer.norm2, x, memory)
        return self._feed_forward("decoder", layer, layer.norm3, x)

    def logits(self, output: torch.Tensor) -> torch.Tensor:
        """[target_len, vocabulary] from the block's output."""
        finished = self._recorded("output", self.network.finish(output))
        return self._recorded("logits", finished @ self.network.table.mT)

    def _attention(
        self,
        name: str,
        weights: nn.MultiheadAttention,
        norm: nn.LayerNorm,
        x: torch.Tensor,
        memory: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """An attention sublayer: queries from the stream x, keys and values from x or from the memory."""

        def sublayer(stream: torch.Tensor) -> torch.Tensor:
            assert weights.in_proj_weight is not None  # set, because queries and keys have the same width
            assert weights.in_proj_bias is not None
            sources = (stream, *(memory or (stream, stream)))
            projections = zip(
                "qkv", sources, weights.in_proj_weight.chunk(3), weights.in_proj_bias.chunk(3), strict=True
            )
            q, k, v = (
                _split(self._recorded(f"{name}.{letter}", linear(source, weight, bias)), weights.num_heads)
                for letter, source, weight, bias in projections
            )
            causal = self.causal and name == "decoder.self"
            visible = k.shape[1] if name == "decoder.self" else self.source_visible
            mixed = self.attend(name, q, k, v, causal=causal, visible_keys=visible)
            mixed = self._recorded(f"{name}.heads", mixed.transpose(0, 1).flatten(1))
            return self._recorded(f"{name}.out", weights.out_proj(mixed))

        return self._sublayer(name, norm, x, sublayer)

    def _feed_forward(
        self,
        prefix: str,
        layer: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer,
        norm: nn.LayerNorm,
        x: torch.Tensor,
    ) -> torch.Tensor:
        name = f"{prefix}.feed_forward"
        return self._sublayer(
            name, norm, x, lambda stream: self._recorded(name, layer.linear2(torch.relu(layer.linear1(stream))))
        )

    def _sublayer(
        self, name: str, norm: nn.LayerNorm, x: torch.Tensor, sublayer: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """x + sublayer(norm(x)) in pre-norm, norm(x + sublayer(x)) in post-norm."""
        if self.network.pre_norm:
            return self._recorded(f"{name}.add", x + sublayer(self._recorded(f"{name}.norm", norm(x))))
        return self._recorded(f"{name}.norm", norm(self._recorded(f"{name}.add", x + sublayer(x))))

    def _recorded(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        self.record(name, tensor)
        return tensor


def run_both(one_pass: Pass, inputs: Inputs, device: torch.device | str) -> torch.Tensor:
    """Run the encoder and the decoder that `inputs` have. Returns the decoder's output, else the memory."""
    memory = None
    if inputs.source is not None:
        memory = one_pass.encode(torch.from_numpy(inputs.source.ids).to(device))
    if inputs.target is None:
        assert memory is not None  # inputs have a source or a target
        return memory
    kv = None if memory is None else (memory, memory)
    output = one_pass.decode(torch.from_numpy(inputs.target.ids).to(device), kv)
    one_pass.logits(output)
    return output


def _split(x: torch.Tensor, heads: int) -> torch.Tensor:
    """[length, heads * head_dim] to [heads, length, head_dim]."""
    return x.view(x.shape[0], heads, x.shape[1] // heads).transpose(0, 1)
