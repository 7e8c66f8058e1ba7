"""Which layers and parameters the user's targets name. No torch, because the window uses this too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.contracts.errors import InvalidParams
from core.contracts.params import text
from core.contracts.text import EMPTY, Text, listed, quoted, sentences, tr

ALL = "all"
HEAD, EMBEDDING = "lm_head", "embed_tokens"


def target_parameters_param(group: Text) -> Any:
    """A field of a topic's parameters: 3-D parameters to adapt beside the linear layers."""
    return text(
        "",
        label=tr("Target parameters"),
        help=tr(
            "3-D parameters of fused experts, which target modules cannot reach, such as mlp.experts.gate_up_proj; "
            "{all}: all of them. LoRA and QLoRA adapt them (target_parameters); AdaLoRA cannot.",
            all=ALL,
        ),
        group=group,
        max_length=1000,
    )


def matches_target(full_name: str, target: str) -> bool:
    """Whether `target` matches the layer's full name by peft's rule: it is the name or its last parts."""
    return full_name == target or full_name.endswith(f".{target}")


def named(text: str) -> list[str]:
    """The names in a text, separated by commas, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def check_target_modules(
    names: Sequence[str],
    full_names: Sequence[str],
    field: str | None = "target_modules",
    *,
    experts: Mapping[str, float] | None = None,
) -> None:
    """Raises InvalidParams, with the last parts of `full_names`, if a target matches no layer or none is given.

    `experts` are the 3-D parameters of fused experts with their shares of all parameters: a target among them has a
    sentence of its own.
    """
    kinds = listed(dict.fromkeys(name.rsplit(".", 1)[-1] for name in full_names))
    if not names:
        raise InvalidParams(
            tr("No target module is given: use {all}, or one or more of {kinds}.", all=ALL, kinds=kinds), field
        )
    for target in names:
        if target == ALL or any(matches_target(name, target) for name in full_names):
            continue
        if any(matches_target(name, target) for name in experts or ()):
            raise InvalidParams(
                tr(
                    "{name} is a 3-D parameter of fused experts ({share:.0%} of the parameters) and no linear layer, "
                    "so target_modules cannot reach it: set target_parameters to {all}, and use {kinds} here.",
                    all=ALL,
                    name=quoted(target[:80]),
                    share=sum(share for name, share in (experts or {}).items() if matches_target(name, target)),
                    kinds=kinds,
                ),
                field,
            )
        if target.rsplit(".", 1)[-1] == EMBEDDING:
            raise InvalidParams(
                tr(
                    "{name} is an embedding, not a linear layer: use {head} for the output head, which may share its "
                    "weights, or one or more of {kinds}.",
                    name=quoted(target[:80]),
                    head=HEAD,
                    kinds=kinds,
                ),
                field,
            )
        absent = tr(
            "This model has no target module {name}: use {all}, or one or more of {kinds}.",
            name=quoted(target[:80]),
            all=ALL,
            kinds=kinds,
        )
        raise InvalidParams(sentences(absent, _experts_hint(experts or {})), field)


def _experts_hint(experts: Mapping[str, float]) -> Text:
    """That the model has parameters which target modules cannot reach; empty without fused experts."""
    if not experts:
        return EMPTY
    return tr(
        "Its fused experts ({share:.0%} of the parameters) are 3-D parameters that only target_parameters reaches.",
        share=sum(experts.values()),
    )


def targeted_parameters(typed: str, experts: Sequence[str], field: str | None = "target_parameters") -> list[str]:
    """The full names of the 3-D parameters, of `experts`, that the user typed. Raises InvalidParams if one is none."""
    names = named(typed)
    if not names:
        return []
    if not experts:
        raise InvalidParams(
            tr("This model has no 3-D parameters of fused experts: leave target_parameters empty."), field
        )
    for target in names:
        if target != ALL and not any(matches_target(name, target) for name in experts):
            raise InvalidParams(
                tr(
                    "This model has no target parameter {name}: use {all}, or one or more of {kinds}.",
                    name=quoted(target[:80]),
                    all=ALL,
                    kinds=listed(dict.fromkeys(".".join(name.split(".")[-3:]) for name in experts)),
                ),
                field,
            )
    return [name for name in experts if ALL in names or any(matches_target(name, target) for target in names)]


def tied_head_notice(tied: bool) -> Text:
    """What adapting the output head means; empty if it has weights of its own."""
    if not tied:
        return EMPTY
    return tr(
        "{head} and {embedding} are one weight (tied). PEFT adapts the head alone, so while the adapter is loaded they "
        "differ, and the embedding is as before. Merging writes the update into the one weight, so the embedding "
        "changes too, and the merged model is another one. ensure_weight_tying=True adapts both.",
        head=HEAD,
        embedding=EMBEDDING,
    )
