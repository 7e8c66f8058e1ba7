"""Public models whose linear layers the pages on quantization and LoRA count: matrix shapes and parameter counts.

Sizes and totals are those of `core.model_configs`. Tests compare the totals with the published ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.model_configs import AttentionFacts, MlpFacts, ModelFacts, parameters, parse_config, preset
from core.model_configs.projections import projections


@dataclass(frozen=True)
class Architecture:
    """A decoder whose layers are alike, each with attention (not MLA) and an MLP or experts (none shared)."""

    facts: ModelFacts

    @property
    def name(self) -> str:
        return self.facts.name

    @property
    def layers(self) -> int:
        return len(self.facts.layers)

    @property
    def block(self) -> tuple[AttentionFacts, MlpFacts]:
        """What each layer consists of. Raises ValueError if layers differ."""
        (layer, _), *others = self.facts.groups
        if others or layer.attention is None or layer.mlp is None:
            raise ValueError(f"the layers of {self.name} differ")
        return layer.attention, layer.mlp

    @property
    def linear_shapes(self) -> dict[str, tuple[int, int]]:
        """The shape [out, in] of each kind of linear layer in a block, in Llama's order. MLP shapes are per expert."""
        hidden, (attention, mlp) = self.facts.hidden, self.block
        inward = ("gate_proj", "up_proj") if mlp.gated else ("up_proj",)
        return {
            **{projection.name: projection.shape for projection in projections(attention, hidden)},
            **dict.fromkeys(inward, (mlp.width, hidden)),
            "down_proj": (hidden, mlp.width),
        }

    def copies(self, kind: str) -> int:
        """The number of matrices of this kind in the whole model."""
        _, mlp = self.block
        return self.layers * (max(mlp.experts, 1) if kind in ("gate_proj", "up_proj", "down_proj") else 1)

    @property
    def linear_parameters(self) -> int:
        """The number of weights in the linear layers of the blocks: q, k, v, o, gate, up, down."""
        return sum(self.copies(kind) * rows * columns for kind, (rows, columns) in self.linear_shapes.items())

    @property
    def other_parameters(self) -> int:
        """The number of parameters in embeddings, output head, norms, biases and the MoE router."""
        return self.parameters - self.linear_parameters

    @property
    def parameters(self) -> int:
        return parameters(self.facts).total


def _llama_1(name: str, hidden: int, layers: int, heads: int, intermediate: int) -> Architecture:
    """Width, layers and heads: Touvron et al. 2023 (arXiv 2302.13971), table 2."""
    config = {
        "model_type": "llama",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
        "vocab_size": 32000,
    }
    return Architecture(parse_config(config, name))


PRESETS: dict[str, Architecture] = {
    "llama-7b": _llama_1("LLaMA 7B", 4096, 32, 32, 11008),
    "llama-13b": _llama_1("LLaMA 13B", 5120, 40, 40, 13824),
    "llama-33b": _llama_1("LLaMA 33B", 6656, 60, 52, 17920),
    "llama-65b": _llama_1("LLaMA 65B", 8192, 80, 64, 22016),
    "llama-2-70b": Architecture(preset("llama-2-70b")),
    "llama-3.1-8b": Architecture(preset("llama-3.1-8b")),
    "llama-3.1-405b": Architecture(preset("llama-3.1-405b")),
    "mistral-7b": Architecture(preset("mistral-7b-v0.1")),
    "mixtral-8x7b": Architecture(preset("mixtral-8x7b")),
    "qwen2.5-7b": Architecture(preset("qwen2.5-7b")),
}
"""By id. The configurations are those published with the weights."""

GPT_3 = Architecture(
    parse_config(
        {
            "model_type": "gpt2",
            "n_embd": 12288,
            "n_layer": 96,
            "n_head": 96,
            "n_inner": 49152,
            "n_positions": 2048,
            "vocab_size": 50257,
        },
        "GPT-3 175B",
    )
)
"""Brown et al. 2020 (arXiv 2005.14165), Table 2.1. Its weights are not public. Its layers are those of GPT-2."""
