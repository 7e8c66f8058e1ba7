"""Claims about multi-head latent attention."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, sentences, tr
from core.topics.attention_heads.result import AttentionHeadsResult
from core.wording import missing, quantity

_ROUNDING = 1e-10


def smaller_than_gqa(result: AttentionHeadsResult) -> Finding:
    """Holds when MLA's cache is smaller than that of GQA with 8 groups, in DeepSeek-V3 and in the chosen model."""
    known = ("deepseek-v3.mla.cache_per_token", "deepseek-v3.gqa-8.cache_per_token")
    own = ("mla.cache_per_token", "gqa-8.cache_per_token", "mqa.cache_per_token", "model.parameters")
    if untested := missing(result, *known):
        return untested
    smaller = [result.value(known[0]) < result.value(known[1])]
    evidence = tr(
        "Per token, DeepSeek-V3 caches {mla} with its MLA; GQA with 8 groups of the same widths would cache {gqa} "
        "(modelled).",
        mla=quantity(result, known[0]),
        gqa=quantity(result, known[1]),
    )
    if missing(result, *own) is None:
        smaller.append(result.value(own[0]) < result.value(own[1]))
        chosen = tr(
            "{model} would cache {mla} with MLA, {gqa} with GQA-8 and {mqa} with MQA.",
            model=result.metrics[own[3]].note,
            mla=quantity(result, own[0]),
            gqa=quantity(result, own[1]),
            mqa=quantity(result, own[2]),
        )
        evidence = sentences(evidence, chosen)
    if all(smaller):
        return Finding(Verdict.HOLDS, evidence)
    return Finding(Verdict.HOLDS_WITH_LIMIT if any(smaller) else Verdict.DOES_NOT_HOLD, evidence)


def absorbed_equals_expanded(result: AttentionHeadsResult) -> Finding:
    """Holds when both forms agree up to rounding in float64."""
    forms = result.mla
    if forms is None:
        return Finding(Verdict.NOT_TESTED, tr("This run did not compare the two forms: run the page to the end."))
    evidence = tr(
        "On the same random weights with {heads} heads and {tokens} tokens, the outputs differ by {difference:.1e} of "
        "the largest one (measured in float64).",
        heads=forms.heads,
        tokens=forms.tokens,
        difference=forms.difference,
    )
    evidence = sentences(evidence, *_costs(result))
    return Finding(Verdict.HOLDS if forms.difference < _ROUNDING else Verdict.DOES_NOT_HOLD, evidence)


def _costs(result: AttentionHeadsResult) -> tuple[Text, ...]:
    """What each form costs in a step of decoding."""
    forms = ("absorbed", "rebuilt", "expanded-cache")
    names = [f"mla.{form}.{part}" for form in forms for part in ("flops", "cache_read_bytes")]
    if missing(result, *names) is not None:
        return ()
    absorbed, absorbed_read, rebuilt, rebuilt_read, expanded, expanded_read = (quantity(result, n) for n in names)
    return (
        tr(
            "One layer's step at a context of {context:,} takes {absorbed} and reads {absorbed_read} of cache if "
            "absorbed; {rebuilt} and {rebuilt_read} if K and V of all tokens are built anew; {expanded} and "
            "{expanded_read} if they are cached for every head (modelled).",
            context=result.params.context,
            absorbed=absorbed,
            absorbed_read=absorbed_read,
            rebuilt=rebuilt,
            rebuilt_read=rebuilt_read,
            expanded=expanded,
            expanded_read=expanded_read,
        ),
    )


CLAIMS = (
    Claim(
        id="mla-caches-less-than-gqa-8",
        statement=tr("MLA's cache is smaller than that of GQA with 8 groups."),
        source=tr("DeepSeek-V2 (arXiv 2405.04434), section 2.1.4 and table 1"),
        test=smaller_than_gqa,
    ),
    Claim(
        id="mla-absorbed-equals-expanded",
        statement=tr(
            "MLA can attend to its latent vectors directly: the absorbed form gives the expanded form's output."
        ),
        source=tr("DeepSeek-V2 (arXiv 2405.04434), section 2.1.2"),
        test=absorbed_equals_expanded,
    ),
)
