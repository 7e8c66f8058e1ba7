"""Claims that are taught about fine-tuning methods, each with its test."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, listed, sentences, tr, verbatim
from core.language_model.dtypes import BFLOAT16, FLOAT16, FLOAT32
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.result import EVIDENCE_KINDS, FineTuningResult

_PREFIX, _PROMPT, _V2 = MethodId.PREFIX_TUNING, MethodId.PROMPT_TUNING, MethodId.P_TUNING_V2
_QLORA = MethodId.QLORA
_GRADIENT_ROUNDING = {FLOAT32: 1e-4, BFLOAT16: 2e-2, FLOAT16: 3e-3}
"""Allowed rounding of a gradient in the dtype of the weights, as a share of its norm."""

_SAME_LOSS = 1e-4
_MIN_SHARE, _MAX_SHARE = 0.001, 0.03


def not_tested(*methods: MethodId) -> Finding:
    names = listed(METHODS[method].label for method in methods)
    return Finding(
        Verdict.NOT_TESTED, tr("This run did not train {methods} to the end: select it in Methods.", methods=names)
    )


def not_comparable(result: FineTuningResult, method: MethodId, numbers: Iterable[float] = ()) -> Finding | None:
    """The finding for a method that stopped early or whose `numbers` are not finite, which refutes nothing. Else
    None."""
    summary = result.method(method).summary
    label = METHODS[method].label
    if summary is not None and summary.error:
        stop = tr("{method} stopped after {steps} steps.", method=label, steps=summary.steps or 0)
        return Finding(Verdict.NOT_TESTED, sentences(stop, summary.error))
    if not np.isfinite(list(numbers)).all():
        text = tr("{method} gave numbers that are not finite, so there is nothing to compare.", method=label)
        return Finding(Verdict.NOT_TESTED, text)
    return None


def prefix_tuning_freezes(result: FineTuningResult) -> Finding:
    method = result.method(_PREFIX)
    summary, gradients = method.summary, method.frozen_gradients
    if summary is None or gradients is None or summary.frozen_unchanged is None or not summary.steps:
        return not_tested(_PREFIX)
    largest = float(np.nanmax(gradients)) if np.isfinite(gradients).any() else 0.0
    gradient = tr(
        "In {steps} steps that trained {trained:,} parameters, the largest gradient of the {frozen:,} frozen "
        "parameters was {largest:g} ({provenance}).",
        steps=summary.steps,
        trained=summary.trainable_parameters,
        frozen=summary.frozen_parameters,
        largest=largest,
        provenance=result.measured.label,
    )
    holds = largest == 0 and summary.frozen_unchanged and summary.frozen_parameters > 0
    return Finding(
        Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, sentences(gradient, _unchanged(summary.frozen_unchanged))
    )


def prefix_tuning_optimizes_the_target(result: FineTuningResult) -> Finding:
    objective = result.method(_PREFIX).objective
    if objective is None:
        return not_tested(_PREFIX)
    losses = (objective.loss, objective.by_hand, objective.without_prefix, objective.base_model)
    if unjudged := not_comparable(result, _PREFIX, losses):
        return unjudged
    difference = abs(objective.loss - objective.by_hand)
    untouched = objective.without_prefix == objective.base_model
    losses_agree = tr(
        "On a held-out example, the model's loss is {loss:.4f} nats per token, and -log p(y | prefix, x) over "
        "the {target} tokens of y is {by_hand:.4f} ({provenance}). The {prefix} prefix tokens and the {input} "
        "tokens of x do not count towards the loss.",
        loss=objective.loss,
        target=objective.target_tokens,
        by_hand=objective.by_hand,
        provenance=result.measured.label,
        prefix=objective.prefix_tokens,
        input=objective.input_tokens,
    )
    without_prefix = (
        tr(
            "Without the prefix the loss is {loss:.4f}, exactly as before training.",
            loss=objective.without_prefix,
        )
        if untouched
        else tr(
            "Without the prefix the loss is {loss:.4f}; before training it was {before:.4f}.",
            loss=objective.without_prefix,
            before=objective.base_model,
        )
    )
    holds = difference <= _SAME_LOSS and untouched
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, sentences(losses_agree, without_prefix))


def prefix_stands_first(result: FineTuningResult) -> Finding:
    method = result.method(_PREFIX)
    mask, columns = method.mask, method.mask_columns
    if mask is None or not columns:
        return not_tested(_PREFIX)
    if unjudged := not_comparable(result, _PREFIX):
        return unjudged
    prefix = [position for position, column in enumerate(columns) if column.is_prefix]
    is_first = bool(prefix) and prefix == list(range(len(prefix)))
    prefix_mask = mask[:, prefix]
    tokens = mask[:, len(prefix) :]
    queries, keys = tokens.shape
    causal = bool((tokens == np.tri(queries, keys, keys - queries)).all())
    counts = {
        "prefix": len(prefix),
        "columns": mask.shape[1],
        "seeing": int(prefix_mask.all(axis=1).sum()),
        "queries": mask.shape[0],
        "provenance": result.measured.label,
    }
    columns_text = (
        tr(
            "In the model's own mask, the first {prefix} of {columns} columns are the prefix, and {seeing} of "
            "{queries} queries see all of them ({provenance}).",
            **counts,
        )
        if is_first
        else tr(
            "In the model's own mask, {prefix} of {columns} columns are the prefix, but they are not the first "
            "columns; {seeing} of {queries} queries see all of them ({provenance}).",
            **counts,
        )
    )
    tokens_text = (
        tr("The mask between the tokens is causal.") if causal else tr("The mask between the tokens is not causal.")
    )
    cut = sorted(layer for window in method.window_masks if window.cuts(len(prefix)) for layer in window.layers)
    if is_first and cut:
        windows = tr(
            "In layers {layers} a sliding window hides part of the prefix from some queries.",
            layers=listed(map(str, cut)),
        )
        return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(columns_text, windows))
    holds = is_first and causal and prefix_mask.all()
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, sentences(columns_text, tokens_text))


def prompt_at_the_embedding_v2_at_every_layer(result: FineTuningResult) -> Finding:
    prompt, v2 = _trained_places(result, _PROMPT), _trained_places(result, _V2)
    if prompt is None or v2 is None:
        return not_tested(_PROMPT, _V2)
    if unjudged := not_comparable(result, _PROMPT) or not_comparable(result, _V2):
        return unjudged
    all_layers = [f"layer.{layer}.prefix" for layer in sorted({p.layer for p in result.places if p.layer >= 0})]
    all_learn = _has_gradients(result, _PROMPT, prompt) and _has_gradients(result, _V2, v2)
    places = tr(
        "Trained places: {prompt} with prompt tuning; {v2} with P-tuning v2. The model has {layers} layers "
        "({provenance}).",
        prompt=_listed_places(prompt),
        v2=_listed_places(v2),
        layers=len(all_layers),
        provenance=result.measured.label,
    )
    gradients = (
        tr("Gradients reach all of these places.") if all_learn else tr("Gradients do not reach all of these places.")
    )
    holds = prompt == ["prompt"] and v2 == all_layers and all_learn
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, sentences(places, gradients))


def one_method_with_two_names(result: FineTuningResult) -> Finding:
    prompt, v2 = _trained_places(result, _PROMPT), _trained_places(result, _V2)
    first, second = result.method(_PROMPT).summary, result.method(_V2).summary
    if prompt is None or v2 is None or first is None or second is None:
        return not_tested(_PROMPT, _V2)
    evidence = tr(
        "With the same number of virtual tokens, prompt tuning trains {prompt_parameters:,} parameters (at {prompt}); "
        "P-tuning v2 trains {v2_parameters:,} (at {v2}; {provenance}).",
        prompt_parameters=first.trainable_parameters,
        prompt=_listed_places(prompt),
        v2_parameters=second.trainable_parameters,
        v2=_listed_places(v2),
        provenance=result.measured.label,
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
    per_token, share = trained / length, trained / base
    shortest, longest = int(np.ceil(_MIN_SHARE * base / per_token)), int(_MAX_SHARE * base / per_token)
    parameters = tr(
        "{tokens} virtual tokens have {trained:,} parameters ({provenance}): {share:.2%} of this model's own "
        "{base:,.0f}, or {table_share:.2%} of the {total:,.0f} that include the prefix, as in the table.",
        tokens=length,
        trained=trained,
        provenance=result.measured.label,
        share=share,
        base=base,
        table_share=trained / (base + trained),
        total=base + trained,
    )
    lengths = (
        tr(
            "{shortest} to {longest} tokens are within {low:.1%} to {high:.0%} of the model's own parameters.",
            shortest=shortest,
            longest=longest,
            low=_MIN_SHARE,
            high=_MAX_SHARE,
        )
        if shortest <= longest
        else tr(
            "No prefix length trains between {low:.1%} and {high:.0%} of the model's own parameters.",
            low=_MIN_SHARE,
            high=_MAX_SHARE,
        )
    )
    inside = _MIN_SHARE <= share <= _MAX_SHARE
    return Finding(Verdict.HOLDS_WITH_LIMIT if inside else Verdict.DOES_NOT_HOLD, sentences(parameters, lengths))


def gradients_go_through_four_bits(result: FineTuningResult) -> Finding:
    method = result.method(_QLORA)
    summary, evidence_by_kind = method.summary, {item.what: item for item in method.gradient_evidence}
    if not set(EVIDENCE_KINDS) <= set(evidence_by_kind) or summary is None:
        return not_tested(_QLORA)
    adapters, first, weights, layer_input = (evidence_by_kind[kind] for kind in EVIDENCE_KINDS)
    difference = np.nan if layer_input.max_abs_difference is None else layer_input.max_abs_difference
    if unjudged := not_comparable(result, _QLORA, (adapters.norm, first.norm, layer_input.norm, difference)):
        return unjudged
    gradients = tr(
        "In one backward pass, {adapters_reached} of {adapters} adapter tensors get a gradient; its norm in the first "
        "layer, which comes last in the backward pass, is {norm:.3g}. {weights_reached} of {weights} 4-bit weights "
        "get a gradient. The gradient that a 4-bit layer passes on differs from dy W by {difference:.1g} "
        "({provenance}; {runs_on}).",
        adapters_reached=adapters.with_gradient,
        adapters=adapters.tensors,
        norm=first.norm,
        weights_reached=weights.with_gradient,
        weights=weights.tensors,
        difference=float(difference),
        provenance=result.measured.label,
        runs_on=summary.runs_on,
    )
    evidence = sentences(gradients, _unchanged(bool(summary.frozen_unchanged)))
    holds = (
        adapters.with_gradient == adapters.tensors > 0
        and first.with_gradient == first.tensors
        and weights.tensors > 0
        and weights.with_gradient == 0
        and bool(summary.frozen_unchanged)
        and layer_input.with_gradient > 0
        and difference <= _GRADIENT_ROUNDING[result.params.dtype] * layer_input.norm
    )
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, evidence)


def _unchanged(unchanged: bool) -> Text:
    if unchanged:
        return tr("The frozen parameters are bit-equal before and after training.")
    return tr("The frozen parameters changed during training.")


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


def _listed_places(places: list[str]) -> Text:
    """The ids of at most four places, and how many more there are."""
    if not places:
        return tr("no place")
    names = listed(places[:4])
    return tr("{places} and {count} more", places=names, count=len(places) - 4) if len(places) > 4 else names


LI_LIANG = verbatim("Li and Liang 2021 (arXiv 2101.00190)")
LESTER, LIU_V2 = "Lester et al. 2021 (arXiv 2104.08691)", "Liu et al. 2022 (arXiv 2110.07602)"

CLAIMS = (
    Claim(
        id="prefix-tuning-freezes",
        statement=tr(
            "Prefix-tuning freezes the language model: no gradient reaches its parameters, and only the prefix is "
            "trained.",
        ),
        source=LI_LIANG,
        test=prefix_tuning_freezes,
    ),
    Claim(
        id="prefix-tuning-objective",
        statement=tr(
            "Prefix-tuning optimizes p(y | prefix, x), the probability of the target given prefix and input.",
        ),
        source=LI_LIANG,
        test=prefix_tuning_optimizes_the_target,
    ),
    Claim(
        id="prefix-first",
        statement=tr(
            "The prefix comes before everything else, and every token can attend to all of it.",
        ),
        source=LI_LIANG,
        test=prefix_stands_first,
    ),
    Claim(
        id="embedding-or-every-layer",
        statement=tr(
            "Prompt tuning adds vectors only at the embedding, P-tuning v2 at every layer.",
        ),
        source=verbatim(f"{LESTER}; {LIU_V2}"),
        test=prompt_at_the_embedding_v2_at_every_layer,
    ),
    Claim(
        id="two-names-one-method",
        statement=tr(
            "Prompt tuning and P-tuning v2 are two names for the same method.",
        ),
        source=tr("Often taught; corrected by {first} and {second}", first=LESTER, second=LIU_V2),
        test=one_method_with_two_names,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="p-tuning-v2-share",
        statement=tr(
            "P-tuning v2 trains only {low:.1%} to {high:.0%} of the model's parameters.",
            low=_MIN_SHARE,
            high=_MAX_SHARE,
        ),
        source=verbatim(LIU_V2),
        test=v2_trains_a_tenth_to_three_percent,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="qlora-gradients-through",
        statement=tr(
            "QLoRA's gradients pass through the frozen 4-bit weights into the adapters; the weights themselves get no "
            "gradient.",
        ),
        source=verbatim("Dettmers et al. 2023 (arXiv 2305.14314)"),
        test=gradients_go_through_four_bits,
    ),
)
