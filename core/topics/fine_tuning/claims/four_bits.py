"""The claim on gradients through weights in 4 bits."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result, Row
from core.contracts.text import Text
from core.topics.fine_tuning.claims.prompts import measured, method_row, not_judged, not_tested
from core.topics.fine_tuning.methods import MethodId

_QLORA = MethodId.QLORA.value
_ROUNDING = 1e-4
"""What float32 may lose of a gradient, as a share of its norm."""


def gradients_go_through_four_bits(result: Result) -> Finding:
    found: dict[str, Row] = {row["what"]: row for row in result.tables.get("gradients_through", [])}
    method = method_row(result, _QLORA)
    if not found or method is None:
        return not_tested(_QLORA)
    adapters, first = found["adapters"], found["adapters of the first layer"]
    weights, through = found["frozen 4-bit weights"], found["input of a 4-bit layer"]
    numbers = (adapters["norm"], first["norm"], through["norm"], through["max_abs_difference"])
    if unjudged := not_judged(result, _QLORA, numbers):
        return unjudged
    evidence = (
        f"One backward pass reached {adapters['with_gradient']} of {adapters['tensors']} tensors of adapters, those of "
        f"the first layer, behind all others, with norm {first['norm']:.3g}, and {weights['with_gradient']} of "
        f"{weights['tensors']} weights in 4 bits, which {'are' if method['frozen_unchanged'] else 'are not'} what they "
        f"were; what a 4-bit layer hands on differs from dy W by {through['max_abs_difference']:.1g} "
        f"({measured(result)}, by {method['runs_on']})."
    )
    held = (
        adapters["with_gradient"] == adapters["tensors"] > 0
        and first["with_gradient"] == first["tensors"]
        and weights["tensors"] > 0
        and weights["with_gradient"] == 0
        and bool(method["frozen_unchanged"])
        and through["with_gradient"] > 0
        and through["max_abs_difference"] <= _ROUNDING * through["norm"]
    )
    return Finding(Verdict.HOLDS if held else Verdict.DOES_NOT_HOLD, evidence)


FOUR_BIT_CLAIMS = (
    Claim(
        id="qlora-gradients-through",
        statement=Text(
            "QLoRA's gradients go through the frozen 4-bit weights into the adapters; the weights themselves get none.",
            "QLoRA 的梯度穿过冻结的 4 bit 权重到达适配器；权重本身得不到梯度。",
        ),
        source="Interview notes; Dettmers et al. 2023 (arXiv 2305.14314)",
        test=gradients_go_through_four_bits,
    ),
)
