"""Claims that are taught about fine-tuning methods, each with its test."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.result import FineTuningResult

_PREFIX, _PROMPT, _V2 = MethodId.PREFIX_TUNING, MethodId.PROMPT_TUNING, MethodId.P_TUNING_V2
_QLORA = MethodId.QLORA
_ROUNDING = 1e-4
"""Allowed float32 rounding of a gradient, as a share of its norm."""

_SAME_LOSS = 1e-4
_MIN_SHARE, _MAX_SHARE = 0.001, 0.03


def not_tested(*methods: MethodId) -> Finding:
    names = " and ".join(METHODS[method].label for method in methods)
    return Finding(Verdict.NOT_TESTED, f"This run did not train {names} to the end: name it in the methods.")


def not_comparable(result: FineTuningResult, method: MethodId, numbers: Iterable[float] = ()) -> Finding | None:
    """The finding for a method that stopped early or whose `numbers` are not finite, which refutes nothing. Else
    None."""
    summary = result.method(method).summary
    label = METHODS[method].label
    if summary is not None and summary.error:
        why = summary.error.rstrip(".")
        return Finding(Verdict.NOT_TESTED, f"{label} stopped after {summary.steps} steps: {why}.")
    if not np.isfinite(list(numbers)).all():
        return Finding(Verdict.NOT_TESTED, f"{label} gave numbers that are not finite, so there is nothing to compare.")
    return None


def prefix_tuning_freezes(result: FineTuningResult) -> Finding:
    method = result.method(_PREFIX)
    summary, reached = method.summary, method.frozen_gradients
    if summary is None or reached is None or summary.frozen_unchanged is None or not summary.steps:
        return not_tested(_PREFIX)
    largest = float(np.nanmax(reached)) if np.isfinite(reached).any() else 0.0
    evidence = (
        f"Over {summary.steps} steps the largest gradient that reached one of the {summary.frozen_parameters:,} frozen "
        f"parameters was {largest:g}, and they {'are' if summary.frozen_unchanged else 'are not'} to the bit what they "
        f"were, while {summary.trainable_parameters:,} others were trained ({result.measured})."
    )
    held = largest == 0 and summary.frozen_unchanged and summary.frozen_parameters > 0
    return Finding(Verdict.HOLDS if held else Verdict.DOES_NOT_HOLD, evidence)


def prefix_tuning_optimizes_the_target(result: FineTuningResult) -> Finding:
    objective = result.method(_PREFIX).objective
    if objective is None:
        return not_tested(_PREFIX)
    losses = (objective.loss, objective.by_hand, objective.without_prefix, objective.base_model)
    if unjudged := not_comparable(result, _PREFIX, losses):
        return unjudged
    off = abs(objective.loss - objective.by_hand)
    untouched = objective.without_prefix == objective.base_model
    evidence = (
        f"On a held-out example the trained loss is {objective.loss:.4f} nats per token; -log p(y | prefix, x) over "
        f"the {objective.target_tokens} tokens of y, after {objective.prefix_tokens} of prefix and "
        f"{objective.input_tokens} of x, which count for nothing, is {objective.by_hand:.4f}; with the prefix taken "
        f"off it is {objective.without_prefix:.4f}, {'exactly as' if untouched else 'other than'} before training "
        f"({objective.base_model:.4f}) ({result.measured})."
    )
    return Finding(Verdict.HOLDS if off <= _SAME_LOSS and untouched else Verdict.DOES_NOT_HOLD, evidence)


def prefix_stands_first(result: FineTuningResult) -> Finding:
    method = result.method(_PREFIX)
    mask, columns = method.mask, method.mask_columns
    if mask is None or not columns:
        return not_tested(_PREFIX)
    if unjudged := not_comparable(result, _PREFIX):
        return unjudged
    prefix = [position for position, column in enumerate(columns) if column.is_prefix]
    first = bool(prefix) and prefix == list(range(len(prefix)))
    seen = mask[:, prefix]
    tokens = mask[:, len(prefix) :]
    queries, keys = tokens.shape
    causal = bool((tokens == np.tri(queries, keys, keys - queries)).all())
    evidence = (
        f"In the model's own mask {len(prefix)} of {mask.shape[1]} columns are prefix, "
        f"{'the first ones' if first else 'and not the first ones'}; {int(seen.all(axis=1).sum())} of {mask.shape[0]} "
        f"queries see all of them, and the tokens are {'causal' if causal else 'not causal'} among themselves "
        f"({result.measured})."
    )
    return Finding(Verdict.HOLDS if first and causal and seen.all() else Verdict.DOES_NOT_HOLD, evidence)


def prompt_at_the_embedding_v2_at_every_layer(result: FineTuningResult) -> Finding:
    prompt, v2 = _trained_places(result, _PROMPT), _trained_places(result, _V2)
    if prompt is None or v2 is None:
        return not_tested(_PROMPT, _V2)
    if unjudged := not_comparable(result, _PROMPT) or not_comparable(result, _V2):
        return unjudged
    every = [f"layer.{layer}.prefix" for layer in sorted({p.layer for p in result.places if p.layer >= 0})]
    learns = _has_gradients(result, _PROMPT, prompt) and _has_gradients(result, _V2, v2)
    evidence = (
        f"Prompt tuning trains at {_listed(prompt)}, P-tuning v2 at {_listed(v2)}, of {len(every)} layers; gradients "
        f"{'reach' if learns else 'do not reach'} each of them ({result.measured})."
    )
    held = prompt == ["prompt"] and v2 == every and learns
    return Finding(Verdict.HOLDS if held else Verdict.DOES_NOT_HOLD, evidence)


def one_method_with_two_names(result: FineTuningResult) -> Finding:
    prompt, v2 = _trained_places(result, _PROMPT), _trained_places(result, _V2)
    first, second = result.method(_PROMPT).summary, result.method(_V2).summary
    if prompt is None or v2 is None or first is None or second is None:
        return not_tested(_PROMPT, _V2)
    evidence = (
        f"With the same virtual tokens prompt tuning trains {first.trainable_parameters:,} parameters at "
        f"{_listed(prompt)}, P-tuning v2 {second.trainable_parameters:,} at {_listed(v2)} ({result.measured})."
    )
    return Finding(Verdict.HOLDS if prompt == v2 else Verdict.DOES_NOT_HOLD, evidence)


def v2_trains_a_tenth_to_three_percent(result: FineTuningResult) -> Finding:
    """Holds with a limit at best: the share follows from the length, so some lengths are always outside the range. The
    share is relative to the model alone; in the table it includes the parameters that the method adds."""
    summary = result.method(_V2).summary
    base = result.value("base.parameters")
    if summary is None or not base > 0:
        return not_tested(_V2)
    length, trained = result.params.virtual_tokens, summary.trainable_parameters
    each, share = trained / length, trained / base
    least, most = int(np.ceil(_MIN_SHARE * base / each)), int(_MAX_SHARE * base / each)
    evidence = (
        f"{length} virtual tokens are {trained:,} parameters, {100 * share:.2f}% of this model's own {base:,.0f} "
        f"({100 * trained / (base + trained):.2f}% of the {base + trained:,.0f} with the prefix's, as in the table) "
        f"({result.measured}); {f'{least} to {most}' if least <= most else 'no number of'} tokens would be within 0.1 "
        "to 3% of the model's own."
    )
    inside = _MIN_SHARE <= share <= _MAX_SHARE
    return Finding(Verdict.HOLDS_WITH_LIMIT if inside else Verdict.DOES_NOT_HOLD, evidence)


def gradients_go_through_four_bits(result: FineTuningResult) -> Finding:
    method = result.method(_QLORA)
    summary, evidence_of = method.summary, {item.what: item for item in method.gradient_evidence}
    if not evidence_of or summary is None:
        return not_tested(_QLORA)
    adapters, first = evidence_of["adapters"], evidence_of["adapters of the first layer"]
    weights, through = evidence_of["frozen 4-bit weights"], evidence_of["input of a 4-bit layer"]
    difference = np.nan if through.max_abs_difference is None else through.max_abs_difference
    if unjudged := not_comparable(result, _QLORA, (adapters.norm, first.norm, through.norm, difference)):
        return unjudged
    evidence = (
        f"One backward pass reached {adapters.with_gradient} of {adapters.tensors} tensors of adapters, those of "
        f"the first layer, behind all others, with norm {first.norm:.3g}, and {weights.with_gradient} of "
        f"{weights.tensors} weights in 4 bits, which {'are' if summary.frozen_unchanged else 'are not'} what they "
        f"were; what a 4-bit layer hands on differs from dy W by {difference:.1g} "
        f"({result.measured}, by {summary.runs_on})."
    )
    held = (
        adapters.with_gradient == adapters.tensors > 0
        and first.with_gradient == first.tensors
        and weights.tensors > 0
        and weights.with_gradient == 0
        and bool(summary.frozen_unchanged)
        and through.with_gradient > 0
        and difference <= _ROUNDING * through.norm
    )
    return Finding(Verdict.HOLDS if held else Verdict.DOES_NOT_HOLD, evidence)


def _trained_places(result: FineTuningResult, method: MethodId) -> list[str] | None:
    """Ids of the places that the method trains, in the order of the places; None if it was not trained."""
    method_result = result.method(method)
    if method_result.summary is None or not method_result.summary.steps:
        return None
    return [place.id for place in result.places if (method_result.trained_at or {}).get(place.id)]


def _has_gradients(result: FineTuningResult, method: MethodId, places: list[str]) -> bool:
    """Whether each of the places had a nonzero gradient at some step."""
    norms = result.method(method).gradient_norms
    indices = [place.index for place in result.places if place.id in places]
    return norms is not None and bool(indices) and bool((np.nan_to_num(norms)[:, indices] > 0).any(0).all())


def _listed(places: list[str]) -> str:
    return ", ".join(places[:4]) + (f" and {len(places) - 4} more" if len(places) > 4 else "") or "no place"


LI_LIANG, LIU_V2 = "Li and Liang 2021 (arXiv 2101.00190)", "Liu et al. 2022 (arXiv 2110.07602)"

CLAIMS = (
    Claim(
        id="prefix-tuning-freezes",
        statement=tr(
            "Prefix-tuning freezes the language model: no gradient reaches its parameters, only the prefix is trained.",
        ),
        source=f"Interview notes; {LI_LIANG}",
        test=prefix_tuning_freezes,
    ),
    Claim(
        id="prefix-tuning-objective",
        statement=tr(
            "Prefix-tuning optimizes p(y | prefix, x), the probability of the target after prefix and input.",
        ),
        source=f"Interview notes; {LI_LIANG}",
        test=prefix_tuning_optimizes_the_target,
    ),
    Claim(
        id="prefix-first",
        statement=tr(
            "The prefix stands before everything else, and every token may look at all of it.",
        ),
        source=f"Interview notes; {LI_LIANG}",
        test=prefix_stands_first,
    ),
    Claim(
        id="embedding-or-every-layer",
        statement=tr(
            "Prompt tuning adds vectors at the embedding only, P-tuning v2 at every layer.",
        ),
        source=f"{LIU_V2}; Lester et al. 2021 (arXiv 2104.08691)",
        test=prompt_at_the_embedding_v2_at_every_layer,
    ),
    Claim(
        id="two-names-one-method",
        statement=tr(
            "Prompt tuning and P-tuning v2 are two names of one method.",
        ),
        source="Interview notes",
        test=one_method_with_two_names,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="p-tuning-v2-share",
        statement=tr(
            "P-tuning v2 trains only 0.1% to 3% of the model's parameters.",
        ),
        source=f"Interview notes; {LIU_V2}",
        test=v2_trains_a_tenth_to_three_percent,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="qlora-gradients-through",
        statement=tr(
            "QLoRA's gradients go through the frozen 4-bit weights into the adapters; the weights themselves get none.",
        ),
        source="Interview notes; Dettmers et al. 2023 (arXiv 2305.14314)",
        test=gradients_go_through_four_bits,
    ),
)
