"""The claims on the scores: why they are divided by sqrt(d), and why softmax subtracts the maximum."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.topics.flash_attention.result import FlashAttentionResult
from core.wording import missing, provenance

_ENOUGH_SCORES = 4096
_NEAR_ONE = 0.1
_ROUNDING = 1e-12


def sqrt_d_keeps_scores(result: FlashAttentionResult) -> Finding:
    """Holds when the scaled scores of random inputs have a standard deviation near 1."""
    names = ("scores.cells", "scores.raw_std", "scores.scaled_std", "scores.raw_peak", "scores.scaled_peak")
    if untested := missing(result, *names):
        return untested
    cells, raw, scaled, raw_peak, scaled_peak = (result.value(name) for name in names)
    if cells < _ENOUGH_SCORES:
        return Finding(Verdict.NOT_TESTED, tr("Too few scores for a standard deviation: set seq_len to 64 or more."))
    evidence = tr(
        "Over {cells:,.0f} scores of random Q and K with d = {head_dim}, the standard deviation is {raw:.3g} without "
        "the division and {scaled:.3g} with it. The largest weight of a row is {raw_peak:.1%} on average without it, "
        "and {scaled_peak:.1%} with it ({provenance}).",
        cells=cells,
        head_dim=result.params.head_dim,
        raw=raw,
        scaled=scaled,
        raw_peak=raw_peak,
        scaled_peak=scaled_peak,
        provenance=provenance(result, names[1]),
    )
    holds = abs(scaled - 1) < _NEAR_ONE and scaled < raw and scaled_peak < raw_peak
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, evidence)


def maximum_prevents_overflow(result: FlashAttentionResult) -> Finding:
    """Holds when exp overflows without the subtraction, never with it, and the weights stay the same."""
    names = ("scores.cells", "scores.overflows", "scores.overflows_shifted", "scores.shift_error")
    if untested := missing(result, *names):
        return untested
    cells, overflows, shifted, error = (result.value(name) for name in names)
    if not overflows:
        return Finding(
            Verdict.NOT_TESTED, tr("No score of this run is large enough to overflow: set seq_len to 256 or more.")
        )
    evidence = tr(
        "Of {cells:,.0f} scores that were not divided by √d, exp is inf for {overflows:,.0f} in fp16, and for "
        "{shifted:,.0f} once the maximum of the row is subtracted. In float64, where nothing overflows, the weights of "
        "both differ by at most {error:.1g} ({provenance}).",
        cells=cells,
        overflows=overflows,
        shifted=shifted,
        error=error,
        provenance=provenance(result, names[1]),
    )
    holds = shifted == 0 and error <= _ROUNDING
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, evidence)


CLAIMS = (
    Claim(
        id="sqrt-d-keeps-scores",
        statement=tr("Dividing by √d keeps the spread of the scores the same, whatever the head dimension."),
        source=tr("{paper}, section {section}", paper="Vaswani et al. 2017 (arXiv 1706.03762)", section="3.2.1"),
        test=sqrt_d_keeps_scores,
    ),
    Claim(
        id="maximum-prevents-overflow",
        statement=tr("Subtracting the row's maximum keeps softmax from overflowing and changes nothing else."),
        source=tr("{paper}, section {section}", paper="Milakov and Gimelshein 2018 (arXiv 1805.02867)", section="2"),
        test=maximum_prevents_overflow,
    ),
)
