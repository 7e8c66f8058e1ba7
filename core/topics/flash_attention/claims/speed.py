"""Claims on speed: of the memories, and of the kernels where a GPU ran them."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result
from core.contracts.text import Text
from core.format import format_quantity
from core.wording import missing, quantity

_ABOUT_TEN = (5.0, 20.0)
_SEVERAL = 3.0


def sram_is_faster(result: Result) -> Finding:
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


def faster_on_a_gpu(result: Result) -> Finding:
    """Holds when a GPU timed the flash kernel ahead of the three standard kernels."""
    times = {
        row["impl"]: row["time_ms"]
        for row in result.tables.get("comparison", [])
        if row["runs_on"] == "cuda" and row["time_ms"] is not None
    }
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


SPEED_CLAIMS = (
    Claim(
        id="sram-is-faster",
        statement=Text(
            "SRAM is about an order of magnitude faster than HBM, and far smaller.",
            "SRAM 的带宽比 HBM 高约一个数量级，但容量小得多。",
        ),
        source="Dao et al. 2022 (arXiv 2205.14135), section 2.1; the GPU's data sheet",
        test=sram_is_faster,
    ),
    Claim(
        id="faster-on-a-gpu",
        statement=Text(
            "On a GPU, FlashAttention is faster than standard attention.",
            "在 GPU 上，FlashAttention 比标准注意力更快。",
        ),
        source="Dao et al. 2022 (arXiv 2205.14135), Figure 2 (left): 7.3 against 41.7 ms",
        test=faster_on_a_gpu,
    ),
)
