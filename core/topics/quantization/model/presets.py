"""Public models, by the numbers of their configuration files: how many weights a format would hold.

What bitsandbytes and QLoRA quantize are the linear layers inside the blocks; embeddings, norms and the output head
stay in 16 bits. Every count here follows from the shapes; tests compare the totals with the published ones.
"""

from __future__ import annotations

from dataclasses import dataclass

KEPT_BITS = 16


@dataclass(frozen=True)
class Architecture:
    """A decoder of the Llama family. `mlps` is how many experts a block has (1 without a mixture)."""

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int
    head_dim: int = 0
    mlps: int = 1
    query_bias: bool = False

    @property
    def _head_dim(self) -> int:
        return self.head_dim or self.hidden // self.heads

    @property
    def linear_parameters(self) -> int:
        """Weights of the linear layers inside the blocks: q, k, v, o, gate, up, down."""
        attention = 2 * self.hidden * self._head_dim * (self.heads + self.kv_heads)
        return self.layers * (attention + self.mlps * 3 * self.hidden * self.intermediate)

    @property
    def other_parameters(self) -> int:
        """Embedding and output head (not tied in any of these), norms, biases, the router of a mixture."""
        bias = self._head_dim * (self.heads + 2 * self.kv_heads) if self.query_bias else 0
        router = self.hidden * self.mlps if self.mlps > 1 else 0
        return 2 * self.vocabulary * self.hidden + self.hidden + self.layers * (2 * self.hidden + bias + router)

    @property
    def parameters(self) -> int:
        return self.linear_parameters + self.other_parameters


PRESETS: dict[str, Architecture] = {
    "llama-7b": Architecture("LLaMA 7B", 4096, 32, 32, 32, 11008, 32000),
    "llama-13b": Architecture("LLaMA 13B", 5120, 40, 40, 40, 13824, 32000),
    "llama-33b": Architecture("LLaMA 33B", 6656, 60, 52, 52, 17920, 32000),
    "llama-65b": Architecture("LLaMA 65B", 8192, 80, 64, 64, 22016, 32000),
    "llama-2-70b": Architecture("Llama 2 70B", 8192, 80, 64, 8, 28672, 32000),
    "llama-3.1-8b": Architecture("Llama 3.1 8B", 4096, 32, 32, 8, 14336, 128256),
    "llama-3.1-405b": Architecture("Llama 3.1 405B", 16384, 126, 128, 8, 53248, 128256),
    "mistral-7b": Architecture("Mistral 7B v0.1", 4096, 32, 32, 8, 14336, 32000),
    "mixtral-8x7b": Architecture("Mixtral 8x7B", 4096, 32, 32, 8, 14336, 32000, mlps=8),
    "qwen2.5-7b": Architecture("Qwen2.5 7B", 3584, 28, 28, 4, 18944, 152064, query_bias=True),
}
"""By id. The configurations are those that the makers publish with the weights."""


def weight_bytes(architecture: Architecture, bits_per_parameter: float) -> float:
    """Bytes of all weights with the linear layers at `bits_per_parameter` and everything else at 16 bits."""
    bits = architecture.linear_parameters * bits_per_parameter + architecture.other_parameters * KEPT_BITS
    return bits / 8
