"""The shape of a Llama-like model: the small model, the user's folder, or a public model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.language_model.model_config import STANDARD, ModelConfig
from core.language_model.target_modules import HEAD

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear layers of a block, in execution order."""


@dataclass(frozen=True)
class Shape:
    """`context` is the context length in tokens, `tied` says whether the output head shares the embedding's weights,
    and `query_bias` whether q, k and v have biases."""

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    context: int
    tied: bool
    query_bias: bool = False

    @property
    def kv_width(self) -> int:
        """The width of the keys (or values) of one token in one layer."""
        return self.kv_heads * self.head_dim

    def sides(self, kind: str) -> tuple[int, int]:
        """(in, out) of a matrix of that kind: one of MATRICES, or the output head."""
        query, key_value = self.heads * self.head_dim, self.kv_width
        return {
            HEAD: (self.hidden, self.vocabulary),
            "q_proj": (self.hidden, query),
            "k_proj": (self.hidden, key_value),
            "v_proj": (self.hidden, key_value),
            "o_proj": (query, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }[kind]

    def bias(self, kind: str) -> int:
        return self.sides(kind)[1] if self.query_bias and kind in ("q_proj", "k_proj", "v_proj") else 0


def shape_of_small_model(config: ModelConfig = STANDARD) -> Shape:
    """The shape of the small model, which comes with the program."""
    return Shape(
        name="small-model",
        hidden=config.hidden,
        layers=config.layers,
        heads=config.heads,
        kv_heads=config.heads,
        head_dim=config.hidden // config.heads,
        intermediate=config.intermediate,
        vocabulary=config.vocabulary,
        context=config.context,
        tied=True,
    )


def shape_of_config(name: str, config: Mapping[str, Any]) -> Shape | None:
    """The shape from the config.json of a model folder. None if it does not say, or for a model outside the Llama
    family, whose shape only a run can find out."""
    try:
        return _llama_shape(name, config)
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None


def _llama_shape(name: str, config: Mapping[str, Any]) -> Shape | None:
    if config["model_type"] not in ("llama", "mistral", "qwen2"):
        return None
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    return Shape(
        name=name,
        hidden=hidden,
        layers=int(config["num_hidden_layers"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        intermediate=int(config["intermediate_size"]),
        vocabulary=int(config["vocab_size"]),
        context=int(config.get("max_position_embeddings") or 1024),
        tied=bool(config.get("tie_word_embeddings", False)),
        query_bias=config["model_type"] == "qwen2" or bool(config.get("attention_bias", False)),
    )
