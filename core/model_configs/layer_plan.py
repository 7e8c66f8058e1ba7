"""Which layer does what: attends to everything, to a window or a chunk, keeps a state, or has an MLP only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from core.contracts.text import tr
from core.language_model.folder_config import MAX_CONTEXT, MAX_LAYERS, shown
from core.model_configs.families import Family
from core.model_configs.fields import Fields

_MAX_PATTERN = 64


@dataclass(frozen=True)
class Plan:
    """What one layer holds. `mlp` is 'moe', 'dense' or 'none' if the kind of the layer tells, else 'any'."""

    attends: bool = True
    state: bool = False
    window: int | None = None
    chunk: int | None = None
    mlp: Literal["any", "moe", "dense", "none"] = "any"


_FULL, _STATE, _HYBRID = Plan(), Plan(attends=False, state=True), Plan(state=True)
_WORDS = {
    **dict.fromkeys(("full_attention", "attention", "full", "global", "a"), _FULL),
    **dict.fromkeys(("linear_attention", "mamba", "mamba2", "recurrent", "conv", "short_conv", "m", "r"), _STATE),
    "hybrid": _HYBRID,
    "moe": Plan(attends=False, mlp="moe"),
    "mlp": Plan(attends=False, mlp="dense"),
}
_SLIDING = frozenset({"sliding_attention", "local_attention", "sliding", "local"})
_CHUNKED = "chunked_attention"
_NEMOTRON = {
    "M": replace(_STATE, mlp="none"),
    "*": replace(_FULL, mlp="none"),
    "-": Plan(attends=False, mlp="dense"),
    "E": Plan(attends=False, mlp="moe"),
}
_STATE_ONLY = frozenset({"mamba", "mamba2", "falcon_mamba"})


def plan_layers(fields: Fields, family: Family, architecture: str, layers: int) -> list[Plan]:
    """One plan per layer. Raises InvalidParams for fields that contradict each other."""
    pattern = fields.word("hybrid_override_pattern")
    if pattern:
        return _nemotron(fields, layers)
    if architecture in _STATE_ONLY:
        return [replace(_STATE, mlp="none")] * layers
    if architecture == "falcon_h1":
        return [_HYBRID] * layers
    words = fields.words(layers, "layer_types", "layers_block_type", "attention_layers")
    if words is None and architecture == "recurrent_gemma":
        words = _tiled(fields, "block_types", "_block_types", layers=layers)
        words = ["local" if word == "attention" else word for word in words]
    if words is None and fields.has("attention_types"):
        words = _expanded(fields, layers)
    if words is not None:
        plans = _of_words(fields, words)
        if architecture == "nemotron_h":
            return [replace(plan, mlp="none") if plan.mlp == "any" else plan for plan in plans]
        return _without_mlp_beside_mamba(plans) if architecture in ("zamba", "zamba2") else plans
    return _by_numbers(fields, family, architecture, layers)


def _of_words(fields: Fields, words: list[str]) -> list[Plan]:
    window = fields.whole(
        "sliding_window", "sliding_window_size", "attention_window_size", "window_size", largest=MAX_CONTEXT
    )
    chunk = fields.whole("attention_chunk_size", largest=MAX_CONTEXT)
    plans = []
    for word in words:
        if word in _SLIDING:
            if window is None:
                fields.assume(
                    "sliding_window",
                    tr("sliding_window is missing: the sliding layers are counted as full ones."),
                )
            plans.append(Plan(window=window))
        elif word == _CHUNKED:
            plans.append(Plan(chunk=chunk))
        elif word in _WORDS:
            plans.append(_WORDS[word])
        else:
            fields.assume(
                f"kind:{word}",
                tr("Layers of the kind {kind} are not known: they are counted as full attention.", kind=shown(word)),
            )
            plans.append(_FULL)
    return plans


def _by_numbers(fields: Fields, family: Family, architecture: str, layers: int) -> list[Plan]:
    """From periods, offsets and lists of indices, or all alike."""
    period = fields.whole("attn_layer_period", largest=MAX_LAYERS)
    if period is not None:
        offset = fields.whole("attn_layer_offset", least=0, largest=MAX_LAYERS) or 0
        return [_FULL if index % period == offset else _STATE for index in range(layers)]
    attending = fields.indices("attn_layer_indices")
    if attending is None:
        attending = fields.indices("full_attn_idxs")  # LFM2
    if attending is not None:
        return [_FULL if index in attending else _STATE for index in range(layers)]
    if fields.has("linear_attn_config"):
        attending = fields.part("linear_attn_config").indices("full_attn_layers") or []  # counted from 1
        return [_FULL if index + 1 in attending else _STATE for index in range(layers)]
    kinds = fields.per_layer(layers, "attn_type_list", least=0, largest=1)
    if kinds is not None:
        return [_FULL if kind else _STATE for kind in kinds]
    if architecture == "qwen3_next" or fields.has("full_attention_interval"):
        interval = fields.whole("full_attention_interval", largest=MAX_LAYERS) or 4
        return [_STATE if (index + 1) % interval else _FULL for index in range(layers)]
    if fields.has("no_rope_layers") or architecture == "llama4_text":
        return _llama4(fields, layers)
    return _sliding(fields, family, layers)


def _sliding(fields: Fields, family: Family, layers: int) -> list[Plan]:
    """Windows by a pattern, from a layer on, in every layer, or in none."""
    window = fields.whole("sliding_window", largest=MAX_CONTEXT)
    if window is None or not fields.flag("use_sliding_window", default=True):
        return [_FULL] * layers
    slides = Plan(window=window)
    word = fields.raw("sliding_window_pattern")
    if isinstance(word, str):  # such as 'LLLG': local or global, repeated
        if not word or len(word) > _MAX_PATTERN or set(word) - set("LG"):
            raise fields.error(
                tr(
                    "sliding_window_pattern = {value}, and it must be a number or letters L and G: correct it in the "
                    "file.",
                    value=shown(word),
                )
            )
        return [slides if word[index % len(word)] == "L" else _FULL for index in range(layers)]
    pattern = fields.whole("sliding_window_pattern", "_sliding_window_pattern", largest=MAX_LAYERS) or family.pattern
    if pattern:
        return [slides if (index + 1) % pattern else _FULL for index in range(layers)]
    if fields.has("max_window_layers") and fields.has("use_sliding_window"):
        first = fields.needed("max_window_layers", least=0, largest=1 << 20)
        return [slides if index >= first else _FULL for index in range(layers)]
    if not family.every_layer_slides:
        fields.assume(
            "sliding_window_pattern",
            tr("No field tells which layers have the sliding window: it is assumed in all of them."),
        )
    return [slides] * layers


def _llama4(fields: Fields, layers: int) -> list[Plan]:
    """Layers with rotary positions attend within chunks, those without to everything."""
    chunk = fields.whole("attention_chunk_size", largest=MAX_CONTEXT)
    rotary = fields.raw("no_rope_layers") or None
    if rotary is None:
        interval = fields.whole("no_rope_layer_interval", largest=MAX_LAYERS) or 4
        flags = [int((index + 1) % interval != 0) for index in range(layers)]
    else:
        flags = fields.per_layer(layers, "no_rope_layers", least=0) or []
    return [Plan(chunk=chunk) if flag else _FULL for flag in flags]


def _nemotron(fields: Fields, layers: int) -> list[Plan]:
    """Nemotron-H: M is Mamba-2, * attention, - an MLP, E experts. Each is a layer of its own."""
    pattern = str(fields.raw("hybrid_override_pattern"))
    if set(pattern) - set(_NEMOTRON) or len(pattern) != layers:
        raise fields.error(
            tr(
                "hybrid_override_pattern must have one of M, *, - and E for each of the {layers} layers: correct it in "
                "the file.",
                layers=layers,
            )
        )
    return [_NEMOTRON[letter] for letter in pattern]


def _tiled(fields: Fields, *names: str, layers: int) -> list[str]:
    value = fields.raw(*names)
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        value = ["recurrent", "recurrent", "attention"]
        fields.assume(
            names[0],
            tr("{name} is missing: {value}, the default of this model type, is assumed.", name=names[0], value="2:1"),
        )
    return [value[index % len(value)] for index in range(layers)]


def _expanded(fields: Fields, layers: int) -> list[str]:
    """GPT-Neo: [[['global', 'local'], 12]] is these two kinds, twelve times."""
    words: list[str] = []
    try:
        for kinds, times in fields.raw("attention_types"):
            words += [str(kind) for kind in kinds] * min(int(times), layers)
    except (TypeError, ValueError):
        words = []
    if len(words) != layers:
        raise fields.error(
            tr(
                "attention_types must give a kind for each of the {layers} layers: correct it in the file.",
                layers=layers,
            )
        )
    return words


def _without_mlp_beside_mamba(plans: list[Plan]) -> list[Plan]:
    """Zamba: the MLP belongs to the shared attention block; Mamba layers have none."""
    return [replace(plan, mlp="dense" if plan.attends else "none") for plan in plans]
