"""Claims about HBM accesses, forward and backward."""

from __future__ import annotations

from itertools import pairwise

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import sentences, tr
from core.format import quantity as quantity_of
from core.topics.flash_attention.result import FlashAttentionResult
from core.wording import missing, provenance, quantity


def fewer_hbm_accesses(result: FlashAttentionResult) -> Finding:
    """Holds when flash moves fewer bytes both in the traced kernels and in the configuration of the paper."""
    names = ("standard.hbm_bytes", "flash.hbm_bytes", "paper.standard.hbm_bytes", "paper.flash.hbm_bytes")
    if untested := missing(result, *names):
        return untested
    standard, flash, paper_standard, paper_flash = (result.value(name) for name in names)
    fewer = flash < standard and paper_flash < paper_standard
    evidence = tr(
        "Standard attention moves {standard} and flash {flash}, {ratio:.1f} times less ({provenance}, forward). In the "
        "configuration of the paper they move {paper_standard} and {paper_flash} (modelled, forward and backward; the "
        "paper prints 40.3 and 4.4 GB).",
        standard=quantity(result, names[0]),
        flash=quantity(result, names[1]),
        ratio=standard / flash,
        provenance=provenance(result, names[1]),
        paper_standard=quantity(result, names[2]),
        paper_flash=quantity(result, names[3]),
    )
    return Finding(Verdict.HOLDS if fewer else Verdict.DOES_NOT_HOLD, evidence)


def backward_saves_accesses(result: FlashAttentionResult) -> Finding:
    """Holds when the backward pass of flash moves fewer bytes than that of standard attention. Both are traced."""
    names = ("standard.hbm_bytes", "flash.hbm_bytes", "standard.training_hbm_bytes", "flash.training_hbm_bytes")
    if untested := missing(result, *names):
        return untested
    standard_forward, flash_forward, standard_both, flash_both = (result.value(name) for name in names)
    standard, flash = standard_both - standard_forward, flash_both - flash_forward
    evidence = tr(
        "Backward, standard attention moves {standard} and flash, which recomputes S and P, {flash}, {ratio:.1f} times "
        "less. Forward and backward together, they move {standard_both} and {flash_both} ({provenance}).",
        standard=quantity_of(standard, "bytes"),
        flash=quantity_of(flash, "bytes"),
        ratio=standard / flash,
        standard_both=quantity(result, names[2]),
        flash_both=quantity(result, names[3]),
        provenance=provenance(result, names[3]),
    )
    return Finding(Verdict.HOLDS if flash < standard else Verdict.DOES_NOT_HOLD, evidence)


def no_scores_in_hbm(result: FlashAttentionResult) -> Finding:
    """Holds when the flash kernel loads and stores not a single byte of S or P."""
    names = ("flash.S_bytes", "flash.P_bytes", "standard.S_bytes", "standard.P_bytes")
    if untested := missing(result, *names):
        return untested
    flash_s, flash_p, standard_s, standard_p = (quantity(result, name) for name in names)
    none = result.value("flash.S_bytes") == 0 and result.value("flash.P_bytes") == 0
    evidence = tr(
        "Flash moves {flash_s} of S and {flash_p} of P through HBM; standard attention moves {standard_s} of S and "
        "{standard_p} of P ({provenance}).",
        flash_s=flash_s,
        flash_p=flash_p,
        standard_s=standard_s,
        standard_p=standard_p,
        provenance=provenance(result, "flash.S_bytes"),
    )
    return Finding(Verdict.HOLDS if none else Verdict.DOES_NOT_HOLD, evidence)


def gain_grows(result: FlashAttentionResult) -> Finding:
    """Holds, up to a limit, when the ratio of the bytes rises from N/4 through N/2 to N."""
    steps = sorted(result.sweep, key=lambda step: step.seq_len)
    if len(steps) < 3:
        return Finding(
            Verdict.NOT_TESTED, tr("The sequence is too short to compare N/4, N/2 and N: set seq_len to 256 or more.")
        )
    ratios = [step.standard_bytes / step.flash_bytes for step in steps]
    saved = [step.standard_bytes - step.flash_bytes for step in steps]
    evidence = tr(
        "At N = {lengths}, flash moves {ratios} times fewer bytes and saves {saved} per head (traced).",
        lengths=" / ".join(f"{step.seq_len:,}" for step in steps),
        ratios=" / ".join(f"{ratio:.2f}" for ratio in ratios),
        saved=" / ".join(str(quantity_of(count, "bytes")) for count in saved),
    )
    if not all(later > earlier for earlier, later in pairwise(saved)):
        return Finding(Verdict.DOES_NOT_HOLD, sentences(evidence, tr("The saving does not grow.")))
    if not all(later > earlier for earlier, later in pairwise(ratios)):
        return Finding(Verdict.DOES_NOT_HOLD, sentences(evidence, tr("The ratio does not grow.")))
    limit = tr(
        "Since both are quadratic in N, the ratio approaches {limit} (modelled).", limit=quantity(result, "gain.limit")
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(evidence, limit))


def traffic_is_linear(result: FlashAttentionResult) -> Finding:
    """It would hold if doubling N doubled the bytes of flash; only its memory use is linear."""
    steps = sorted(result.sweep, key=lambda step: step.seq_len)
    if len(steps) < 3 or steps[-1].seq_len < 8 * result.params.block_q:
        return Finding(
            Verdict.NOT_TESTED, tr("Too few tiles to tell linear from quadratic: set seq_len to 8 Q tiles or more.")
        )
    growth = steps[-1].flash_bytes / steps[-2].flash_bytes
    evidence = tr(
        "From N = {half:,} to {full:,}, the bytes that flash moves grow {growth:.2f} times (traced): 2 would be "
        "linear, 4 is quadratic. Only the memory that flash needs is linear, because it stores neither S nor P.",
        half=steps[-2].seq_len,
        full=steps[-1].seq_len,
        growth=growth,
    )
    return Finding(Verdict.HOLDS if growth < 2.2 else Verdict.DOES_NOT_HOLD, evidence)


CLAIMS = (
    Claim(
        id="fewer-hbm-accesses",
        statement=tr(
            "FlashAttention saves HBM accesses (from 40.3 to 4.4 GB in the paper).",
        ),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), Theorem 2 and Figure 2 (left)"),
        test=fewer_hbm_accesses,
    ),
    Claim(
        id="backward-saves-accesses",
        statement=tr(
            "The backward pass saves HBM accesses, too: recomputing S and P on chip moves fewer bytes than reading P.",
        ),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), section 3.1 and Theorem 5"),
        test=backward_saves_accesses,
    ),
    Claim(
        id="no-scores-in-hbm",
        statement=tr(
            "The score matrix S and the probabilities P are never written to HBM.",
        ),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), section 3.1"),
        test=no_scores_in_hbm,
    ),
    Claim(
        id="gain-grows-with-length",
        statement=tr("The longer the sequence, the more FlashAttention gains."),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), section 3.2 and Figure 3"),
        test=gain_grows,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="traffic-is-linear",
        statement=tr(
            "FlashAttention makes the memory traffic of attention linear in the sequence length.",
        ),
        source=tr(
            "Often taught, by confusion of memory (linear) with accesses (Θ(N²d²/M)); corrected by Dao et al. 2022 "
            "(arXiv 2205.14135), Theorems 1 and 2"
        ),
        test=traffic_is_linear,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
