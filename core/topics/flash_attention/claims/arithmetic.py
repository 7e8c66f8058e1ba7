"""Claims on the result and on the FLOPs."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result
from core.contracts.text import Text
from core.wording import missing, provenance, quantity


def same_result(result: Result) -> Finding:
    """Holds when flash is as close to float64 attention as PyTorch's own attention in that precision."""
    if untested := missing(result, "flash.rms_error", "flash.allowed_rms_error"):
        return untested
    holds = result.value("flash.rms_error") <= result.value("flash.allowed_rms_error")
    return Finding(Verdict.HOLDS if holds else Verdict.DOES_NOT_HOLD, _errors(result))


def is_an_approximation(result: Result) -> Finding:
    """The opposite of `same_result`: it would hold if flash were further off than rounding explains."""
    finding = same_result(result)
    opposite = {Verdict.HOLDS: Verdict.DOES_NOT_HOLD, Verdict.DOES_NOT_HOLD: Verdict.HOLDS}
    return Finding(opposite.get(finding.verdict, finding.verdict), finding.evidence)


def _errors(result: Result) -> str:
    return (
        f"Against float64, flash is off by {quantity(result, 'flash.rms_error')} rms "
        f"({quantity(result, 'flash.max_abs_error')} at most) and standard attention by "
        f"{quantity(result, 'standard.rms_error')}; rounding in {result.params['dtype']} allows "
        f"{quantity(result, 'flash.allowed_rms_error')} ({provenance(result, 'flash.rms_error')})."
    )


def forward_flops_equal(result: Result) -> Finding:
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
    if result.params["causal"]:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT, f"{evidence}: flash skips the tiles that the causal mask hides, and only those."
        )
    return Finding(Verdict.DOES_NOT_HOLD, f"{evidence}: they differ without a mask to explain it.")


def backward_recomputes(result: Result) -> Finding:
    """Holds when forward and backward together cost flash more FLOPs, as the paper's Figure 2 prints."""
    names = ("paper.standard.product_flops", "paper.flash.product_flops", "paper.standard.flops", "paper.flash.flops")
    if untested := missing(result, *names):
        return untested
    more = all(result.value(flash) > result.value(standard) for standard, flash in (names[:2], names[2:]))
    return Finding(Verdict.HOLDS if more else Verdict.DOES_NOT_HOLD, _paper_flops(result))


def saves_flops(result: Result) -> Finding:
    """It would hold if flash did fewer FLOPs, forward and backward, in the paper's configuration."""
    if untested := missing(result, "paper.standard.product_flops", "paper.flash.product_flops"):
        return untested
    fewer = result.value("paper.flash.product_flops") < result.value("paper.standard.product_flops")
    return Finding(Verdict.HOLDS if fewer else Verdict.DOES_NOT_HOLD, _paper_flops(result))


def _paper_flops(result: Result) -> str:
    return (
        "In the configuration of the paper's Figure 2 the products of all heads, forward and backward, come to "
        f"{quantity(result, 'paper.flash.product_flops')} for flash, which recomputes S, and "
        f"{quantity(result, 'paper.standard.product_flops')} for standard (modelled); the paper prints 75.2 and 66.6 "
        f"GFLOPs, which our reconstruction of its count puts at {quantity(result, 'paper.flash.flops')} and "
        f"{quantity(result, 'paper.standard.flops')}."
    )


_DAO = "Dao et al. 2022 (arXiv 2205.14135)"

ARITHMETIC_CLAIMS = (
    Claim(
        id="same-result",
        statement=Text(
            "FlashAttention is exact: its result equals that of standard attention, to rounding.",
            "FlashAttention 是精确的：结果与标准注意力一致，差别仅为舍入误差。",
        ),
        source=f"{_DAO}, Theorem 1",
        test=same_result,
    ),
    Claim(
        id="is-an-approximation",
        statement=Text(
            "FlashAttention is an approximation: it gives up some accuracy for speed.",
            "FlashAttention 是一种近似算法：以精度换速度。",
        ),
        source=f"Often said, mixing it up with sparse and low-rank attention; contradicted by {_DAO}, Theorem 1",
        test=is_an_approximation,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="forward-flops-equal",
        statement=Text(
            "The forward pass of FlashAttention does the same FLOPs as standard attention.",
            "前向传播中，FlashAttention 的 FLOPs 与标准注意力相同。",
        ),
        source=f"{_DAO}, Theorem 1: O(N²d) FLOPs",
        test=forward_flops_equal,
    ),
    Claim(
        id="backward-recomputes",
        statement=Text(
            "Forward and backward together, FlashAttention does more FLOPs: it recomputes S instead of storing it "
            "(75.2 against 66.6 GFLOPs in the paper).",
            "前向加反向，FlashAttention 的 FLOPs 反而更多：它重算 S 而不是存下来（论文：75.2 对 66.6 GFLOPs）。",
        ),
        source=f"{_DAO}, Figure 2 (left)",
        test=backward_recomputes,
    ),
    Claim(
        id="saves-flops",
        statement=Text(
            "FlashAttention is fast because it needs fewer FLOPs.",
            "FlashAttention 之所以快，是因为它减少了计算量（FLOPs）。",
        ),
        source=f"A common mistake; contradicted by {_DAO}, Figure 2 (left)",
        test=saves_flops,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
