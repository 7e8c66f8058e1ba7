"""Claims on which format is nearest to the weights, tested on a control that no parameter but the seed moves."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.topics.quantization.claims.storage import LABELS, QLORA
from core.topics.quantization.result import QuantizationResult

_SYMMETRIC_RIVALS = ("fp4-e2m1", "fp4-e3m0", "int4")
_RIVALS = (*_SYMMETRIC_RIVALS, "int4-affine")

Errors = dict[tuple[str, str, int], float]


def best_on_normal(result: QuantizationResult) -> Finding:
    """Holds when NF4's SNR on normal weights is above FP4's and symmetric INT4's at every block size."""
    errors = _snr(result)
    if not errors:
        return _untested()
    sizes = sorted({size for _, _, size in errors})
    margins = {
        rival: min(errors["normal", "nf4", size] - errors["normal", rival, size] for size in sizes)
        for rival in _SYMMETRIC_RIVALS
    }
    at_64 = ", ".join(f"{LABELS[rival]} {errors['normal', rival, 64]:.2f}" for rival in _SYMMETRIC_RIVALS)
    evidence = (
        f"Normal weights, blocks of 64: NF4 {errors['normal', 'nf4', 64]:.2f} dB, {at_64} dB; over blocks of "
        f"{sizes[0]} to {sizes[-1]} its lead is at least "
        f"{', '.join(f'{margin:.2f} dB over {LABELS[rival]}' for rival, margin in margins.items())} (measured (CPU))"
    )
    if min(margins.values()) <= 0:
        return Finding(Verdict.HOLDS_WITH_LIMIT if _leads_at(errors, 64) else Verdict.DOES_NOT_HOLD, f"{evidence}.")
    behind = [size for size in sizes if errors["normal", "int4-affine", size] > errors["normal", "nf4", size]]
    if behind:
        return Finding(
            Verdict.HOLDS_WITH_LIMIT,
            f"{evidence}; but affine INT4, which spends two numbers per block, is ahead at blocks of "
            f"{', '.join(map(str, behind))}.",
        )
    return Finding(Verdict.HOLDS, f"{evidence}.")


def best_on_anything(result: QuantizationResult) -> Finding:
    """It would hold if no other 4-bit format were nearer on any distribution at any block size."""
    errors = _snr(result)
    if not errors:
        return _untested()
    lost = sorted(
        (errors[distribution, rival, size] - of_nf4, distribution, rival, size)
        for (distribution, name, size), of_nf4 in errors.items()
        if name == "nf4"
        for rival in _RIVALS
        if errors[distribution, rival, size] > of_nf4
    )
    if not lost:
        return Finding(Verdict.HOLDS, "No other 4-bit format is nearer in any case tried (measured (CPU)).")
    cases = len({(distribution, size) for distribution, _, size in errors})
    beaten = len({(distribution, size) for _, distribution, _, size in lost})
    by, distribution, rival, size = lost[-1]
    return Finding(
        Verdict.DOES_NOT_HOLD,
        f"In {beaten} of {cases} cases another 4-bit format is nearer (measured (CPU)), most of all on {distribution} "
        f"weights in blocks of {size}: {LABELS[rival]} by {by:.2f} dB. By distribution: {_who_leads(lost)}. INT4 "
        "affine spends 64 bits per block on its scale, the others 32.",
    )


def _who_leads(lost: list[tuple[float, str, str, int]]) -> str:
    """The winners by distribution, with the range of block sizes at which they are ahead."""
    winners: dict[tuple[str, str], list[int]] = {}
    for _, distribution, rival, size in lost:
        winners.setdefault((distribution, rival), []).append(size)
    parts = [
        f"{distribution}, {LABELS[rival]} at {_sizes(sizes)}"
        for (distribution, rival), sizes in sorted(winners.items())
    ]
    return "; ".join(parts)


def _sizes(sizes: list[int]) -> str:
    return (
        ", ".join(map(str, sorted(sizes))) if len(sizes) < 4 else f"{min(sizes)} to {max(sizes)} ({len(sizes)} sizes)"
    )


def _leads_at(errors: Errors, size: int) -> bool:
    return all(errors["normal", "nf4", size] > errors["normal", rival, size] for rival in _SYMMETRIC_RIVALS)


def _snr(result: QuantizationResult) -> Errors:
    return {
        (row.distribution, row.format, row.block_size): row.snr_db
        for row in result.distributions
        if row.snr_db is not None
    }


def _untested() -> Finding:
    return Finding(Verdict.NOT_TESTED, "This run did not quantize the distributions: run the page to the end.")


ACCURACY_CLAIMS = (
    Claim(
        id="nf4-beats-fp4-and-int4",
        statement=tr(
            "On normally distributed weights NF4 loses less than FP4 and INT4.",
        ),
        source=f"{QLORA}, section 3 and section 4 (4-bit NormalFloat)",
        test=best_on_normal,
    ),
    Claim(
        id="nf4-is-always-best",
        statement=tr(
            "NF4 is the best 4-bit format, whatever the weights and the block size.",
        ),
        source="Often said of NF4; its optimality is claimed for normally distributed weights alone "
        f"({QLORA}, section 3)",
        test=best_on_anything,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
