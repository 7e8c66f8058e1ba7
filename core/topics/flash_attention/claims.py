"""The claims of the FlashAttention page, each with its test: exactness, FLOPs, bytes and speed."""

from __future__ import annotations

from itertools import pairwise

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, sentences, tr
from core.format import quantity as quantity_of
from core.topics.flash_attention.result import FlashAttentionResult
from core.wording import missing, provenance, quantity

_ABOUT_TEN = (5.0, 20.0)
_SEVERAL = 3.0


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


def sram_is_faster(result: FlashAttentionResult) -> Finding:
    """Holds from 5 to 20 times, the range of 'about an order of magnitude'; limited from 3 times on."""
    names = ("gpu.hbm_bandwidth", "gpu.sram_bandwidth")
    if untested := missing(result, *names):
        return untested
    ratio = result.value("gpu.sram_bandwidth") / result.value("gpu.hbm_bandwidth")
    evidence = tr(
        "On the {gpu}, HBM moves {hbm} (data sheet) and the SRAM of all SMs {sram} (modelled, 128 bytes per clock and "
        "SM), {ratio:.1f} times as much.",
        gpu=result.metrics["gpu.hbm_bandwidth"].note,
        hbm=quantity(result, "gpu.hbm_bandwidth"),
        sram=quantity(result, "gpu.sram_bandwidth"),
        ratio=ratio,
    )
    low, high = _ABOUT_TEN
    if low <= ratio <= high:
        return Finding(Verdict.HOLDS, evidence)
    if ratio > _SEVERAL:
        further = tr("On the A100 of the paper, the ratio is closer to ten.")
        return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(evidence, further))
    return Finding(Verdict.DOES_NOT_HOLD, evidence)


def faster_on_a_gpu(result: FlashAttentionResult) -> Finding:
    """Holds when the flash kernel was faster than the three standard kernels on a GPU."""
    times = {row.impl: row.time_ms for row in result.comparison if row.runs_on == "cuda" and row.time_ms is not None}
    if not {"triton-flash", "triton-standard"} <= set(times):
        return Finding(
            Verdict.NOT_TESTED,
            tr("No GPU ran the kernels, so there are no times: run this page on a CUDA machine."),
        )
    flash, standard = times["triton-flash"], times["triton-standard"]
    values: dict[str, str | Text] = {
        "device": result.environment.device,
        "flash": quantity_of(flash, "ms"),
        "standard": quantity_of(standard, "ms"),
    }
    if "torch-naive" in times:
        evidence = tr(
            "On the {device}, flash takes {flash}, the three standard kernels {standard} and plain PyTorch {naive} "
            "(measured, median, forward).",
            **values,
            naive=quantity_of(times["torch-naive"], "ms"),
        )
    else:
        evidence = tr(
            "On the {device}, flash takes {flash} and the three standard kernels {standard} (measured, median, "
            "forward).",
            **values,
        )
    return Finding(Verdict.HOLDS if flash < standard else Verdict.DOES_NOT_HOLD, evidence)


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
    Claim(
        id="fewer-hbm-accesses",
        statement=tr(
            "FlashAttention saves HBM accesses (from 40.3 to 4.4 GB in the paper).",
        ),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), Theorem 2 and Figure 2 (left)"),
        test=fewer_hbm_accesses,
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
    Claim(
        id="sram-is-faster",
        statement=tr(
            "SRAM is about an order of magnitude faster than HBM, and far smaller.",
        ),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), section 2.1; the data sheet of the GPU"),
        test=sram_is_faster,
    ),
    Claim(
        id="faster-on-a-gpu",
        statement=tr(
            "On a GPU, FlashAttention is faster than standard attention.",
        ),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), Figure 2 (left): 7.3 against 41.7 ms"),
        test=faster_on_a_gpu,
    ),
)
