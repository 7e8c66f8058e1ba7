"""Public models whose linear layers the pages on quantization and LoRA count: matrix shapes and parameter counts.

The sizes are those of `core.model_configs` where it has the model. Every count is computed from the shapes. Tests
compare the totals with the published ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.model_configs import preset


@dataclass(frozen=True)
class Architecture:
    """A decoder of the Llama family, or a GPT (`gated` False, `tied`, `biases`, and `positions` learned positions).

    `mlps` is the number of experts per block (1 for a dense model).
    """

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
    gated: bool = True
    tied: bool = False
    biases: bool = False
    positions: int = 0

    @classmethod
    def of_preset(cls, preset_id: str) -> Architecture:
        """A model of the Llama family among the presets of `core.model_configs`: all its layers are alike."""
        facts = preset(preset_id)
        (layer, count), *others = facts.groups
        attention, mlp = layer.attention, layer.mlp
        if others or attention is None or mlp is None:
            raise ValueError(f"the layers of {preset_id} differ")
        return cls(
            facts.name,
            facts.hidden,
            count,
            attention.heads,
            attention.kv_heads,
            mlp.width,
            facts.vocabulary,
            head_dim=attention.head_dim,
            mlps=max(mlp.experts, 1),
            query_bias=attention.q_bias > 0,
            tied=facts.tied,
        )

    @property
    def _head_dim(self) -> int:
        return self.head_dim or self.hidden // self.heads

    @property
    def linear_shapes(self) -> dict[str, tuple[int, int]]:
        """The shape [out, in] of each kind of linear layer in a block, in Llama's order. MLP shapes are per expert."""
        queries, keys = self._head_dim * self.heads, self._head_dim * self.kv_heads
        shapes = {
            "q_proj": (queries, self.hidden),
            "k_proj": (keys, self.hidden),
            "v_proj": (keys, self.hidden),
            "o_proj": (self.hidden, queries),
        }
        if self.gated:
            shapes["gate_proj"] = (self.intermediate, self.hidden)
        return shapes | {"up_proj": (self.intermediate, self.hidden), "down_proj": (self.hidden, self.intermediate)}

    def copies(self, kind: str) -> int:
        """The number of matrices of this kind in the whole model."""
        return self.layers * (self.mlps if kind in ("gate_proj", "up_proj", "down_proj") else 1)

    @property
    def linear_parameters(self) -> int:
        """The number of weights in the linear layers of the blocks: q, k, v, o, gate, up, down."""
        return sum(self.copies(kind) * rows * columns for kind, (rows, columns) in self.linear_shapes.items())

    @property
    def other_parameters(self) -> int:
        """The number of parameters in embeddings, output head, norms, biases and the MoE router."""
        embeddings = (1 if self.tied else 2) * self.vocabulary + self.positions
        bias = self._head_dim * (self.heads + 2 * self.kv_heads) if self.query_bias else 0
        if self.biases:
            bias = sum(rows for rows, _ in self.linear_shapes.values())
        norms = (2 if self.biases else 1) * self.hidden
        router = self.hidden * self.mlps if self.mlps > 1 else 0
        return embeddings * self.hidden + norms + self.layers * (2 * norms + bias + router)

    @property
    def parameters(self) -> int:
        return self.linear_parameters + self.other_parameters


PRESETS: dict[str, Architecture] = {
    "llama-7b": Architecture("LLaMA 7B", 4096, 32, 32, 32, 11008, 32000),
    "llama-13b": Architecture("LLaMA 13B", 5120, 40, 40, 40, 13824, 32000),
    "llama-33b": Architecture("LLaMA 33B", 6656, 60, 52, 52, 17920, 32000),
    "llama-65b": Architecture("LLaMA 65B", 8192, 80, 64, 64, 22016, 32000),
    "llama-2-70b": Architecture.of_preset("llama-2-70b"),
    "llama-3.1-8b": Architecture.of_preset("llama-3.1-8b"),
    "llama-3.1-405b": Architecture.of_preset("llama-3.1-405b"),
    "mistral-7b": Architecture.of_preset("mistral-7b-v0.1"),
    "mixtral-8x7b": Architecture.of_preset("mixtral-8x7b"),
    "qwen2.5-7b": Architecture.of_preset("qwen2.5-7b"),
}
"""By id. The configurations are those published with the weights."""

GPT_3 = Architecture("GPT-3 175B", 12288, 96, 96, 96, 49152, 50257, gated=False, tied=True, biases=True, positions=2048)
"""Brown et al. 2020 (arXiv 2005.14165), Table 2.1. Its weights are not public."""
