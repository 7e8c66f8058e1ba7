"""Claims about exactness and FLOPs."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, sentences, tr
from core.topics.flash_attention.result import FlashAttentionResult
from core.wording import missing, provenance, quantity


def same_result(result: FlashAttentionResult) -> Finding:
    """Holds when flash is as close to float64 attention as PyTorch's own attention in that precision."""
    if untested := missing(result, "flash.rms_error", "flash.allowed_rms_error"):
        return untested
    holds = result.value("flash.rms_error") <= result.value("flash.allowed_rms_error")
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, _errors(result))


def is_an_approximation(result: FlashAttentionResult) -> Finding:
    """The opposite of `same_result`: holds if the error of flash is larger than rounding explains."""
    finding = same_result(result)
    opposite = {Verdict.HOLDS: Verdict.DOES_NOT_HOLD, Verdict.DOES_NOT_HOLD: Verdict.HOLDS}
    return Finding(opposite.get(finding.verdict, finding.verdict), finding.evidence)


def _errors(result: FlashAttentionResult) -> Text:
    return tr(
        "Against float64, flash has an RMS error of {flash_rms} ({flash_max} at most) and standard attention one of "
        "{standard_rms}; rounding in {dtype} allows {allowed} ({provenance}).",
        flash_rms=quantity(result, "flash.rms_error"),
        flash_max=quantity(result, "flash.max_abs_error"),
        standard_rms=quantity(result, "standard.rms_error"),
        dtype=result.params.dtype,
        allowed=quantity(result, "flash.allowed_rms_error"),
        provenance=provenance(result, "flash.rms_error"),
    )


def forward_flops_equal(result: FlashAttentionResult) -> Finding:
    """Holds when flash does no fewer FLOPs than the formula; limited where it skips what a mask hides."""
    if untested := missing(result, "flash.tile_flops", "standard.tile_flops", "flash.flops"):
        return untested
    flash, standard, needed = (result.value(n) for n in ("flash.tile_flops", "standard.tile_flops", "flash.flops"))
    evidence = tr(
        "The formula gives {formula} for both (modelled); the visited tiles take {flash} for flash and {standard} for "
        "standard ({provenance}).",
        formula=quantity(result, "flash.flops"),
        flash=quantity(result, "flash.tile_flops"),
        standard=quantity(result, "standard.tile_flops"),
        provenance=provenance(result, "flash.tile_flops"),
    )
    if flash < needed:
        return Finding(Verdict.DOES_NOT_HOLD, sentences(evidence, tr("Flash does fewer FLOPs than the formula gives.")))
    if flash == standard:
        return Finding(Verdict.HOLDS, evidence)
    if result.params.causal:
        skipped = tr("Flash skips the tiles that the causal mask hides, and only those.")
        return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(evidence, skipped))
    return Finding(Verdict.DOES_NOT_HOLD, sentences(evidence, tr("They differ although nothing is masked.")))


def backward_recomputes(result: FlashAttentionResult) -> Finding:
    """Holds when flash does more FLOPs over forward and backward, as Figure 2 of the paper prints."""
    names = ("paper.standard.product_flops", "paper.flash.product_flops", "paper.standard.flops", "paper.flash.flops")
    if untested := missing(result, *names):
        return untested
    more = all(result.value(flash) > result.value(standard) for standard, flash in (names[:2], names[2:]))
    return Finding(Verdict.HOLDS if more else Verdict.DOES_NOT_HOLD, _paper_flops(result))


def saves_flops(result: FlashAttentionResult) -> Finding:
    """It would hold if flash did fewer FLOPs over forward and backward in the configuration of the paper."""
    if untested := missing(result, "paper.standard.product_flops", "paper.flash.product_flops"):
        return untested
    fewer = result.value("paper.flash.product_flops") < result.value("paper.standard.product_flops")
    return Finding(Verdict.HOLDS if fewer else Verdict.DOES_NOT_HOLD, _paper_flops(result))


def _paper_flops(result: FlashAttentionResult) -> Text:
    return tr(
        "In the configuration of Figure 2 of the paper, the matrix products of all heads, forward and backward, take "
        "{flash_products} for flash, which recomputes S, and {standard_products} for standard attention (modelled). "
        "The paper prints 75.2 and 66.6 GFLOPs; our reconstruction of its count gives {flash} and {standard}.",
        flash_products=quantity(result, "paper.flash.product_flops"),
        standard_products=quantity(result, "paper.standard.product_flops"),
        flash=quantity(result, "paper.flash.flops"),
        standard=quantity(result, "paper.standard.flops"),
    )


CLAIMS = (
    Claim(
        id="same-result",
        statement=tr(
            "FlashAttention is exact: its result equals that of standard attention up to rounding.",
        ),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), Theorem 1"),
        test=same_result,
    ),
    Claim(
        id="is-an-approximation",
        statement=tr(
            "FlashAttention is an approximation: it gives up some accuracy for speed.",
        ),
        source=tr(
            "Often taught, by confusion with sparse and low-rank attention; corrected by Dao et al. 2022 "
            "(arXiv 2205.14135), Theorem 1"
        ),
        test=is_an_approximation,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="forward-flops-equal",
        statement=tr(
            "The forward pass of FlashAttention does the same FLOPs as standard attention.",
        ),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), Theorem 1: O(N²d) FLOPs"),
        test=forward_flops_equal,
    ),
    Claim(
        id="backward-recomputes",
        statement=tr(
            "Over forward and backward, FlashAttention does more FLOPs: it recomputes S instead of storing it (75.2 "
            "against 66.6 GFLOPs in the paper).",
        ),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), Figure 2 (left)"),
        test=backward_recomputes,
    ),
    Claim(
        id="saves-flops",
        statement=tr(
            "FlashAttention is fast because it needs fewer FLOPs.",
        ),
        source=tr("Often taught; corrected by Dao et al. 2022 (arXiv 2205.14135), Figure 2 (left)"),
        test=saves_flops,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
