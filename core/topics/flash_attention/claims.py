"""What readers are taught of FlashAttention, each with the test of it: exactness and FLOPs, bytes, speed."""

from __future__ import annotations

from itertools import pairwise

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.format import format_quantity
from core.topics.flash_attention.result import FlashAttentionResult
from core.wording import missing, provenance, quantity

_ABOUT_TEN = (5.0, 20.0)
_SEVERAL = 3.0
_DAO = "Dao et al. 2022 (arXiv 2205.14135)"


def same_result(result: FlashAttentionResult) -> Finding:
    """Holds when flash is as close to float64 attention as PyTorch's own attention in that precision."""
    if untested := missing(result, "flash.rms_error", "flash.allowed_rms_error"):
        return untested
    holds = result.value("flash.rms_error") <= result.value("flash.allowed_rms_error")
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, _errors(result))


def is_an_approximation(result: FlashAttentionResult) -> Finding:
    """The opposite of `same_result`: it would hold if flash were further off than rounding explains."""
    finding = same_result(result)
    opposite = {Verdict.HOLDS: Verdict.DOES_NOT_HOLD, Verdict.DOES_NOT_HOLD: Verdict.HOLDS}
    return Finding(opposite.get(finding.verdict, finding.verdict), finding.evidence)


def _errors(result: FlashAttentionResult) -> str:
    return (
        f"Against float64, flash is off by {quantity(result, 'flash.rms_error')} rms "
        f"({quantity(result, 'flash.max_abs_error')} at most) and standard attention by "
        f"{quantity(result, 'standard.rms_error')}; rounding in {result.params.dtype} allows "
        f"{quantity(result, 'flash.allowed_rms_error')} ({provenance(result, 'flash.rms_error')})."
    )


def forward_flops_equal(result: FlashAttentionResult) -> Finding:
    """Holds when flash does no fewer FLOPs than the formula asks; limited where it skips what a mask hides."""
    if untested := missing(result, "flash.tile_flops", "standard.tile_flops", "flash.flops"):
        return untested
    flash, standard, needed = (result.value(n) for n in ("flash.tile_flops", "standard.tile_flops", "flash.flops"))
    evidence = (
        f"The formula gives {quantity(result, 'flash.flops')} for either (modelled); the tiles visited come to "
        f"{quantity(result, 'flash.tile_flops')} for flash and {quantity(result, 'standard.tile_flops')} for standard "
        f"({provenance(result, 'flash.tile_flops')})"
    )
    if flash < needed:
        return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}: flash does less than the formula asks.")
    if flash == standard:
        return Finding(Verdict.HOLDS, f"{evidence}.")
    if result.params.causal:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT, f"{evidence}: flash skips the tiles that the causal mask hides, and only those."
        )
    return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}: they differ without a mask to explain it.")


def backward_recomputes(result: FlashAttentionResult) -> Finding:
    """Holds when forward and backward together cost flash more FLOPs, as the paper's Figure 2 prints."""
    names = ("paper.standard.product_flops", "paper.flash.product_flops", "paper.standard.flops", "paper.flash.flops")
    if untested := missing(result, *names):
        return untested
    more = all(result.value(flash) > result.value(standard) for standard, flash in (names[:2], names[2:]))
    return Finding(Verdict.HOLDS if more else Verdict.DOES_NOT_HOLD, _paper_flops(result))


def saves_flops(result: FlashAttentionResult) -> Finding:
    """It would hold if flash did fewer FLOPs, forward and backward, in the paper's configuration."""
    if untested := missing(result, "paper.standard.product_flops", "paper.flash.product_flops"):
        return untested
    fewer = result.value("paper.flash.product_flops") < result.value("paper.standard.product_flops")
    return Finding(Verdict.HOLDS if fewer else Verdict.DOES_NOT_HOLD, _paper_flops(result))


def _paper_flops(result: FlashAttentionResult) -> str:
    return (
        "In the configuration of the paper's Figure 2 the products of all heads, forward and backward, come to "
        f"{quantity(result, 'paper.flash.product_flops')} for flash, which recomputes S, and "
        f"{quantity(result, 'paper.standard.product_flops')} for standard (modelled); the paper prints 75.2 and 66.6 "
        f"GFLOPs, which our reconstruction of its count puts at {quantity(result, 'paper.flash.flops')} and "
        f"{quantity(result, 'paper.standard.flops')}."
    )


def fewer_hbm_accesses(result: FlashAttentionResult) -> Finding:
    """Holds when the traced kernels and the paper's configuration both move fewer bytes with flash."""
    names = ("standard.hbm_bytes", "flash.hbm_bytes", "paper.standard.hbm_bytes", "paper.flash.hbm_bytes")
    if untested := missing(result, *names):
        return untested
    standard, flash, paper_standard, paper_flash = (result.value(name) for name in names)
    fewer = flash < standard and paper_flash < paper_standard
    return Finding(
        Verdict.HOLDS if fewer else Verdict.DOES_NOT_HOLD,
        f"Standard attention moves {quantity(result, names[0])} and flash {quantity(result, names[1])}, "
        f"{standard / flash:.1f} times less ({provenance(result, names[1])}, forward); in the paper's configuration "
        f"{quantity(result, names[2])} and {quantity(result, names[3])} (modelled, forward and backward; the paper "
        "prints 40.3 and 4.4 GB).",
    )


def no_scores_in_hbm(result: FlashAttentionResult) -> Finding:
    """Holds when not one byte of S or P is loaded or stored by the flash kernel."""
    names = ("flash.S_bytes", "flash.P_bytes", "standard.S_bytes", "standard.P_bytes")
    if untested := missing(result, *names):
        return untested
    flash_s, flash_p, standard_s, standard_p = (quantity(result, name) for name in names)
    none = result.value("flash.S_bytes") == 0 and result.value("flash.P_bytes") == 0
    return Finding(
        Verdict.HOLDS if none else Verdict.DOES_NOT_HOLD,
        f"Flash moves {flash_s} of S and {flash_p} of P through HBM; standard attention moves {standard_s} of S and "
        f"{standard_p} of P ({provenance(result, 'flash.S_bytes')}).",
    )


def gain_grows(result: FlashAttentionResult) -> Finding:
    """Holds, towards a ceiling, when the ratio of the bytes rises from N/4 over N/2 to N."""
    steps = sorted(result.sweep, key=lambda step: step.seq_len)
    if len(steps) < 3:
        return Finding(Verdict.NOT_TESTED, "The sequence is too short to be cut in four: set seq_len to 256 or more.")
    ratios = [step.standard_bytes / step.flash_bytes for step in steps]
    saved = [step.standard_bytes - step.flash_bytes for step in steps]
    lengths = " / ".join(f"{step.seq_len:,}" for step in steps)
    evidence = (
        f"At N = {lengths} flash moves {' / '.join(f'{ratio:.2f}' for ratio in ratios)} times fewer bytes and saves "
        f"{' / '.join(format_quantity(count, 'bytes') for count in saved)} a head (traced)"
    )
    if not all(later > earlier for earlier, later in pairwise(saved)):
        return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}: the saving does not grow.")
    if not all(later > earlier for earlier, later in pairwise(ratios)):
        return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}: the ratio does not grow.")
    return Finding(
        Verdict.HOLDS_WITH_LIMIT,
        f"{evidence}; both being quadratic in N, the ratio tends to {quantity(result, 'gain.limit')} (modelled).",
    )


def traffic_is_linear(result: FlashAttentionResult) -> Finding:
    """It would hold if doubling N doubled the bytes of flash; what is linear is the memory it takes."""
    steps = sorted(result.sweep, key=lambda step: step.seq_len)
    if len(steps) < 3 or steps[-1].seq_len < 8 * result.params.block_q:
        return Finding(
            Verdict.NOT_TESTED, "Too few tiles to tell a line from a parabola: set seq_len to 8 Q tiles or more."
        )
    growth = steps[-1].flash_bytes / steps[-2].flash_bytes
    evidence = (
        f"From N = {steps[-2].seq_len:,} to {steps[-1].seq_len:,} the bytes that flash moves grow {growth:.2f} "
        "times (traced); twice would be linear, four times is quadratic. The memory it takes is linear: no S, no P."
    )
    return Finding(Verdict.HOLDS if growth < 2.2 else Verdict.DOES_NOT_HOLD, evidence)


def sram_is_faster(result: FlashAttentionResult) -> Finding:
    """Holds from 5 to 20 times, what 'about an order of magnitude' can mean; limited from 3 times on."""
    names = ("gpu.hbm_bandwidth", "gpu.sram_bandwidth")
    if untested := missing(result, *names):
        return untested
    ratio = result.value("gpu.sram_bandwidth") / result.value("gpu.hbm_bandwidth")
    evidence = (
        f"On the {result.metrics['gpu.hbm_bandwidth'].note} HBM moves {quantity(result, 'gpu.hbm_bandwidth')} (data "
        f"sheet) and the SRAM of all SMs {quantity(result, 'gpu.sram_bandwidth')} (modelled, 128 bytes a clock and "
        f"SM): {ratio:.1f} times as much"
    )
    low, high = _ABOUT_TEN
    if low <= ratio <= high:
        return Finding(Verdict.HOLDS, f"{evidence}.")
    if ratio > _SEVERAL:
        return Finding(Verdict.HOLDS_WITH_LIMIT, f"{evidence}, further from ten than on the A100 of the paper.")
    return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}.")


def faster_on_a_gpu(result: FlashAttentionResult) -> Finding:
    """Holds when a GPU timed the flash kernel ahead of the three standard kernels."""
    times = {row.impl: row.time_ms for row in result.comparison if row.runs_on == "cuda" and row.time_ms is not None}
    if not {"triton-flash", "triton-standard"} <= set(times):
        return Finding(
            Verdict.NOT_TESTED, "No GPU ran the kernels here, so there are no times: run this page on a CUDA machine."
        )
    flash, standard = times["triton-flash"], times["triton-standard"]
    rival = f" and plain PyTorch {format_quantity(times['torch-naive'], 'ms')}" if "torch-naive" in times else ""
    return Finding(
        Verdict.HOLDS if flash < standard else Verdict.DOES_NOT_HOLD,
        f"On the {result.environment.device} flash takes {format_quantity(flash, 'ms')}, the three standard kernels "
        f"{format_quantity(standard, 'ms')}{rival} (measured, median, forward).",
    )


CLAIMS = (
    Claim(
        id="same-result",
        statement=tr(
            "FlashAttention is exact: its result equals that of standard attention, to rounding.",
        ),
        source=f"{_DAO}, Theorem 1",
        test=same_result,
    ),
    Claim(
        id="is-an-approximation",
        statement=tr(
            "FlashAttention is an approximation: it gives up some accuracy for speed.",
        ),
        source=f"Often said, mixing it up with sparse and low-rank attention; contradicted by {_DAO}, Theorem 1",
        test=is_an_approximation,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="forward-flops-equal",
        statement=tr(
            "The forward pass of FlashAttention does the same FLOPs as standard attention.",
        ),
        source=f"{_DAO}, Theorem 1: O(N²d) FLOPs",
        test=forward_flops_equal,
    ),
    Claim(
        id="backward-recomputes",
        statement=tr(
            "Forward and backward together, FlashAttention does more FLOPs: it recomputes S instead of storing it "
            "(75.2 against 66.6 GFLOPs in the paper).",
        ),
        source=f"{_DAO}, Figure 2 (left)",
        test=backward_recomputes,
    ),
    Claim(
        id="saves-flops",
        statement=tr(
            "FlashAttention is fast because it needs fewer FLOPs.",
        ),
        source=f"A common mistake; contradicted by {_DAO}, Figure 2 (left)",
        test=saves_flops,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="fewer-hbm-accesses",
        statement=tr(
            "What FlashAttention saves is HBM accesses (40.3 to 4.4 GB in the paper).",
        ),
        source=f"{_DAO}, Theorem 2 and Figure 2 (left)",
        test=fewer_hbm_accesses,
    ),
    Claim(
        id="no-scores-in-hbm",
        statement=tr(
            "The score matrix S and the probabilities P are never written to HBM.",
        ),
        source=f"{_DAO}, section 3.1",
        test=no_scores_in_hbm,
    ),
    Claim(
        id="gain-grows-with-length",
        statement=tr("The longer the sequence, the more FlashAttention gains."),
        source=f"{_DAO}, section 3.2 and Figure 3",
        test=gain_grows,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="traffic-is-linear",
        statement=tr(
            "FlashAttention makes the memory traffic of attention linear in the sequence length.",
        ),
        source=f"A mix-up of memory, which is linear, and accesses, which are Θ(N²d²/M): {_DAO}, Theorems 1 and 2",
        test=traffic_is_linear,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="sram-is-faster",
        statement=tr(
            "SRAM is about an order of magnitude faster than HBM, and far smaller.",
        ),
        source=f"{_DAO}, section 2.1; the GPU's data sheet",
        test=sram_is_faster,
    ),
    Claim(
        id="faster-on-a-gpu",
        statement=tr(
            "On a GPU, FlashAttention is faster than standard attention.",
        ),
        source=f"{_DAO}, Figure 2 (left): 7.3 against 41.7 ms",
        test=faster_on_a_gpu,
    ),
)
