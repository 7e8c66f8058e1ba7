"""Claims about the speed of SRAM and of the kernels."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, sentences, tr
from core.format import quantity as quantity_of
from core.topics.flash_attention.result import FlashAttentionResult
from core.wording import missing, quantity

_ABOUT_TEN = (5.0, 20.0)
_SEVERAL = 3.0


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
