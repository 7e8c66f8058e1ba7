"""config.json as `ModelFacts`: every field that the cache and the parameters depend on, under any family's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.contracts.errors import InvalidParams
from core.contracts.text import quoted, tr
from core.language_model.folder_config import MAX_CONTEXT, MAX_LAYERS, MAX_VOCABULARY, size_problem
from core.model_configs.attention_fields import HEADS, attention_of_layers, biased
from core.model_configs.facts import DTYPE_BYTES, LayerFacts, ModelFacts
from core.model_configs.families import ENCODERS, FAMILIES, GENERIC, Family
from core.model_configs.feed_forward import feed_forward
from core.model_configs.fields import Fields
from core.model_configs.layer_plan import plan_layers
from core.model_configs.states import state_facts
from core.outside import shown_name

_NESTED = ("text_config", "llm_config", "language_config", "decoder", "thinker_config")
_LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_transformer_layers")
_KINDS = ("layers_block_type", "layer_types", "hybrid_override_pattern")
_HIDDEN = ("hidden_size", "n_embd", "n_embed", "d_model", "model_dim")
_VOCABULARY = ("padded_vocab_size", "vocab_size")
_CONTEXT = ("max_position_embeddings", "n_positions", "seq_length", "max_seq_len", "max_sequence_length", "n_ctx")
_MASKED = ("ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForImageClassification")


def parse_config(config: Mapping[str, Any], name: str = "", source: str = "", field: str | None = None) -> ModelFacts:
    """The facts in a configuration of a model on Hugging Face.

    `name` is shown for the model (by default `_name_or_path`, or the model type). `field` is the parameter of the form
    that errors name. Raises InvalidParams with one sentence for a value that no model has, for a model without a KV
    cache, and where nothing tells the number of layers, heads or the width.
    """
    problem = size_problem(config)
    if problem is not None:
        raise InvalidParams(tr("The configuration has {problem}: correct it in the file.", problem=problem), field)
    part = _language_model(config)
    architecture = _architecture(part) or _architecture(config)
    _check_decoder(config, part, architecture, field)
    family = FAMILIES.get(architecture, GENERIC)
    fields = Fields(part, family.defaults, field)
    if architecture not in FAMILIES:
        fields.assume(
            "model_type",
            tr(
                "The model type {type} is not known: norms, biases and MLP are counted as in Llama.",
                type=quoted(architecture),
            )
            if architecture
            else tr("model_type is missing: norms, biases and MLP are counted as in Llama."),
        )
    return _model(fields, config, family, architecture, name, source)


def _model(
    fields: Fields, config: Mapping[str, Any], family: Family, architecture: str, name: str, source: str
) -> ModelFacts:
    _check_sizes(fields)
    count = _layer_count(fields)
    hidden = fields.needed(*_HIDDEN)
    layers = _layers(fields, family, architecture, hidden, count)
    vocabulary = fields.whole(*_VOCABULARY, largest=MAX_VOCABULARY) or 0
    if not vocabulary:
        fields.assume("vocab_size", tr("vocab_size is missing: embeddings and head are not counted."))
    context = fields.whole(*_CONTEXT, largest=MAX_CONTEXT)
    positions = 0
    if family.position_offset is not None:
        positions = (context or 0) + family.position_offset
    norm = _norm_size(family, hidden)
    ends = norm * family.end_norms
    width = fields.whole("word_embed_proj_dim") or hidden
    if width != hidden:  # OPT 350M projects in and out
        ends += 2 * width * hidden
    if architecture == "opt" and not fields.flag("do_layer_norm_before", default=True):
        ends -= norm
    return ModelFacts(
        name=shown_name(name) or fields.word("_name_or_path") or architecture or "config.json",
        architecture=architecture,
        hidden=hidden,
        vocabulary=vocabulary,
        layers=layers,
        tied=_tied(fields, config, family),
        embedding_width=width,
        positions=positions,
        end_parameters=ends,
        head_bias=family.head_bias,
        max_context=context,
        dtype=_dtype(fields, config),
        assumed=fields.assumed,
        source=source,
    )


def _layers(fields: Fields, family: Family, architecture: str, hidden: int, count: int) -> tuple[LayerFacts, ...]:
    plans = plan_layers(fields, family, architecture, count)
    attention = attention_of_layers(fields, family, architecture, hidden, plans)
    heads = next(iter(fields.per_layer(count, *HEADS) or ()), None)
    state = state_facts(fields, architecture, hidden, heads) if any(plan.state for plan in plans) else None
    if state is not None and state.parameters is None:
        fields.assume("state", tr("Of the layers without attention, only norms and MLP are counted as parameters."))
    mlps = feed_forward(fields, family, architecture, hidden, plans, biased(fields, family, family.mlp_bias))
    norms = _norm_size(family, hidden) * _norms(fields, family, architecture)
    found = []
    for plan, one, mlp in zip(plans, attention, mlps, strict=True):
        found.append(LayerFacts(one, state if plan.state else None, mlp, norms))
    shared = {layer: layer for layer in found}
    return tuple(shared[layer] for layer in found)


def _norms(fields: Fields, family: Family, architecture: str) -> int:
    """Norms over the hidden width per layer. Falcon and GPT-J run attention and MLP side by side."""
    if architecture != "falcon":
        return family.norms
    if fields.flag("new_decoder_architecture"):
        return fields.whole("num_ln_in_parallel_attn") or 2
    return 1 if fields.flag("parallel_attn", default=True) else 2


def _norm_size(family: Family, hidden: int) -> int:
    return hidden * (2 if family.norm_bias else 1)


def _check_sizes(fields: Fields) -> None:
    """Raises InvalidParams that names all missing sizes at once. Models without attention have no heads."""
    missing = [names[0] for names in ((*_LAYERS, *_KINDS), _HIDDEN) if fields.raw(*names) is None]
    if missing:
        missing += [HEADS[0]] if fields.raw(*HEADS) is None else []
        raise fields.absent(*missing)


def _layer_count(fields: Fields) -> int:
    """The number of layers, also where only the list of their kinds tells it."""
    count = fields.whole(*_LAYERS, largest=MAX_LAYERS)
    if count is not None:
        return count
    kinds = fields.raw(*_KINDS)
    if isinstance(kinds, list | str) and 0 < len(kinds) <= MAX_LAYERS:
        return len(kinds)
    return fields.needed(*_LAYERS, largest=MAX_LAYERS)


def _language_model(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of the configuration that describes the language model."""
    part = config
    for _ in range(3):
        nested = next((part[name] for name in _NESTED if isinstance(part.get(name), dict) and part[name]), None)
        if nested is None or (_has(part, _HIDDEN) and _has(part, _LAYERS)):
            return part
        part = nested
    return part


def _has(part: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return any(part.get(name) is not None for name in names)


def _architecture(part: Mapping[str, Any]) -> str:
    value = part.get("model_type")
    return shown_name(value, 40) if isinstance(value, str) else ""


def _check_decoder(config: Mapping[str, Any], part: Mapping[str, Any], architecture: str, field: str | None) -> None:
    names = config.get("architectures")
    masked = isinstance(names, list) and any(isinstance(each, str) and each.endswith(_MASKED) for each in names)
    is_encoder = architecture in ENCODERS and part.get("is_decoder") is not True
    if is_encoder or (masked and part.get("is_decoder") is not True):
        raise InvalidParams(
            tr(
                "The model type {type} is an encoder: it generates no tokens and keeps no KV cache. Choose a language "
                "model that generates.",
                type=quoted(architecture),
            ),
            field,
        )
    if config.get("is_encoder_decoder") is True:
        raise InvalidParams(
            tr(
                "The model type {type} is an encoder-decoder, whose cross-attention is not counted here: choose a "
                "decoder-only model.",
                type=quoted(architecture),
            ),
            field,
        )


def _tied(fields: Fields, config: Mapping[str, Any], family: Family) -> bool:
    outer = config.get("tie_word_embeddings")
    return fields.flag("tie_word_embeddings", default=outer if isinstance(outer, bool) else family.tied)


def _dtype(fields: Fields, config: Mapping[str, Any]) -> str:
    outer = next((config[name] for name in ("torch_dtype", "dtype") if isinstance(config.get(name), str)), "")
    word = (fields.word("torch_dtype", "dtype") or str(outer)).removeprefix("torch.")
    if word in DTYPE_BYTES:
        return word
    fields.assume("torch_dtype", tr("No field tells a dtype of 16 or 32 bits: bfloat16 is assumed."))
    return "bfloat16"
