"""Checks the sizes in a model folder's config.json before any library builds a model with them. No torch.

A library believes the numbers: a million layers are a million Python objects, and a width of 1e9 an allocation that
the system ends with the process. So each size has a bound, and the model that the sizes describe has to fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from core.contracts.text import Text, quoted, tr, verbatim
from core.outside import shown_name

MAX_CONFIG_BYTES = 4 << 20
"""Public config.json files have up to a few hundred kB, most of it labels of classes."""

MAX_LAYERS = 500
"""Public models have up to 126 (Llama 3.1 405B)."""

MAX_WIDTH = 1 << 20
"""Public models have a hidden size of up to 18,432 (PaLM) and MLPs of up to 73,728."""

MAX_VOCABULARY = 1 << 22
"""Public models have up to 262,208 tokens (Gemma 3); byte-level and multilingual ones stay below a million."""

MAX_HEADS = 1 << 14
"""Public models have up to 128 attention heads."""

MAX_CONTEXT = 1 << 28
"""Public models announce up to 10,485,760 tokens (Llama 4 Scout)."""

MAX_EXPERTS = 1 << 12
"""Public models have up to 512 experts per layer."""

_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "num_decoder_layers")
_WIDTHS = ("hidden_size", "n_embd", "d_model")
_EMBEDDINGS = ("word_embed_proj_dim", "embedding_size")
_INNER_WIDTHS = (
    "intermediate_size",
    "moe_intermediate_size",
    "shared_expert_intermediate_size",
    "n_inner",
    "ffn_dim",
    "decoder_ffn_dim",
    "ffn_hidden_size",
    "d_ff",
    "head_dim",
    "state_size",
    "kv_lora_rank",
    "q_lora_rank",
)
_VOCABULARY = "vocab_size"

_BOUNDS: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(_LAYERS, (1, MAX_LAYERS)),
    **dict.fromkeys(_WIDTHS, (1, MAX_WIDTH)),
    **dict.fromkeys(_EMBEDDINGS, (1, MAX_WIDTH)),
    **dict.fromkeys(_INNER_WIDTHS, (0, MAX_WIDTH)),
    _VOCABULARY: (1, MAX_VOCABULARY),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads"), (1, MAX_HEADS)),
    "num_key_value_heads": (0, MAX_HEADS),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx"), (1, MAX_CONTEXT)),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts", "n_shared_experts"), (0, MAX_EXPERTS)),
}
_MAY_DIFFER_BY_LAYER = ("intermediate_size", "num_key_value_heads", "num_experts")
_PARTS = ("text_config", "decoder")
"""The language model in the configuration of a model of several kinds of data."""


def size_problem(config: Mapping[str, Any]) -> Text | None:
    """What is wrong with the first size that no model has, as the rest of a sentence; None if nothing is."""
    for part in _parts(config):
        for name, (least, largest) in _BOUNDS.items():
            value = part.get(name)
            values = value if isinstance(value, list) and name in _MAY_DIFFER_BY_LAYER else [value]
            if len(values) > MAX_LAYERS or not all(_is_within(each, least, largest) for each in values):
                return tr(
                    "{name} = {value}, and it must be a whole number from {least} to {largest:,}",
                    name=name,
                    value=shown(value),
                    least=least,
                    largest=largest,
                )
    return None


def least_parameters(config: Mapping[str, Any]) -> int:
    """A number of parameters that a model of these sizes has at least: one square matrix per layer, and the embeddings.

    The sizes are within their bounds; one that is not given counts as 0.
    """
    return max(_least_parameters(part) for part in _parts(config))


def _least_parameters(part: Mapping[str, Any]) -> int:
    layers, width, vocabulary = _first(part, _LAYERS), _first(part, _WIDTHS), _first(part, (_VOCABULARY,))
    return layers * width * width + vocabulary * (_first(part, _EMBEDDINGS) or width)


def _parts(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield config
    yield from (config[name] for name in _PARTS if isinstance(config.get(name), dict))


def _first(part: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return next((part[name] for name in names if part.get(name) is not None), 0)


def _is_within(value: object, least: int, largest: int) -> bool:
    """A size that is null has its default."""
    return value is None or (type(value) is int and least <= value <= largest)


def shown(value: object) -> Text:
    """A value of the file for a sentence, cut if it is long."""
    if isinstance(value, list | dict):
        return tr("a list or an object")
    if isinstance(value, str):
        return quoted(shown_name(value, 40))
    return verbatim(shown_name(repr(value), 40))
