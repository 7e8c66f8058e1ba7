"""Claims about AdaLoRA: how it distributes rank, at which budget, and whether that helps."""

from __future__ import annotations

from operator import itemgetter

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.topics.lora.claims.lora import stopped
from core.topics.lora.result import LoraResult
from core.wording import missing, provenance

ADALORA = "Zhang et al. 2023 (arXiv 2303.10512)"

_PAPER_SCORES = {"lora": 88.34, "adalora": 89.31}
"""Average on GLUE of DeBERTaV3-base; LoRA has rank 8 (Table 1)."""

_CLEAR_CORRELATION, _NO_CORRELATION = 0.5, 0.0
_SIGNIFICANT = 2.0
"""A difference of this many standard errors is not attributed to the choice of rows."""


def important_get_more(result: LoraResult) -> Finding:
    """Holds if final ranks and importance correlate clearly (Spearman 0.5 or more), with a limit if they correlate
    weakly; does not hold otherwise."""
    if result.params.init_r == result.params.target_r:
        return Finding(Verdict.NOT_TESTED, "init_r equals target_r, so no rank is taken away: begin with a higher one.")
    if not result.params.call_update:
        return Finding(Verdict.NOT_TESTED, "update_and_allocate is not called, so no rank changes: switch it on.")
    if untested := stopped(result, "adalora") or missing(result, "rank.correlation"):
        return untested
    correlation = result.value("rank.correlation")
    ranks = [(row.final_rank, row.name) for row in result.matrices if row.final_rank is not None]
    (least, least_name), (most, most_name) = (pick(ranks, key=itemgetter(0)) for pick in (min, max))
    evidence = (
        f"Spearman correlation of final rank and importance over {len(ranks)} matrices: {correlation:.2f} "
        f"({provenance(result, 'rank.correlation')}); from {least} triplets in {least_name} to "
        f"{most} in {most_name}."
    )
    if "rank.full_correlation" in result.metrics:
        evidence += (
            " The importance is AdaLoRA's own. With a yardstick that it has not seen, the size of the update of "
            f"matrices trained whole, ranks correlate by {result.value('rank.full_correlation'):.2f}."
        )
    if correlation >= _CLEAR_CORRELATION:
        return Finding(Verdict.HOLDS, evidence)
    return Finding(Verdict.HOLDS_WITH_LIMIT if correlation > _NO_CORRELATION else Verdict.DOES_NOT_HOLD, evidence)


def at_the_same_budget(result: LoraResult) -> Finding:
    """Holds if the number of triplets kept at the end equals LoRA's rank times the number of matrices. Not tested if
    AdaLoRA stopped early or never prunes."""
    if not result.params.call_update:
        return Finding(Verdict.NOT_TESTED, "update_and_allocate is not called, so no rank changes: switch it on.")
    if untested := stopped(result, "adalora") or missing(result, "budget.final", "budget.target"):
        return untested
    final, target = int(result.value("budget.final")), int(result.value("budget.target"))
    matrices = len(result.matrices)
    evidence = (
        f"AdaLoRA keeps {final} triplets at the end ({provenance(result, 'budget.final')}), LoRA has {matrices} x "
        f"{result.params.target_r} = {target}."
    )
    if {"adalora.trainable", "lora.trainable"} <= set(result.metrics):
        evidence += (
            f" While it trains, peft holds all {result.params.init_r} triplets of every matrix: "
            f"{int(result.value('adalora.trainable')):,} parameters against {int(result.value('lora.trainable')):,}."
        )
    if final != target:
        return Finding(Verdict.DOES_NOT_HOLD, evidence)
    always_equal = result.params.init_r == result.params.target_r
    return Finding(Verdict.HOLDS if always_equal else Verdict.HOLDS_WITH_LIMIT, evidence)


def better_than_lora(result: LoraResult) -> Finding:
    """Holds with a limit (another model and task, one seed) if AdaLoRA's held-out loss is significantly below LoRA's.
    Does not hold if it is significantly above. Not tested if the difference is within the noise."""
    pair = _loss_difference(result)
    if pair is None:
        return Finding(Verdict.NOT_TESTED, "This run did not measure both on held-out rows: run the page to the end.")
    difference, error = pair
    losses = {run: result.value(f"held_out.{run}") for run in _PAPER_SCORES}
    evidence = (
        f"Here, on a table task and with one seed: loss on held-out rows AdaLoRA {losses['adalora']:.3f}, LoRA "
        f"{losses['lora']:.3f} nats ({provenance(result, 'held_out.lora')}), {abs(difference) / error:.1f} "
        f"standard errors apart. The paper, not run here: DeBERTaV3-base, average over GLUE, AdaLoRA "
        f"{_PAPER_SCORES['adalora']}, LoRA with rank 8 {_PAPER_SCORES['lora']}."
    )
    if abs(difference) < _SIGNIFICANT * error:
        return Finding(Verdict.NOT_TESTED, f"{evidence} The noise hides which is better.")
    return Finding(Verdict.HOLDS_WITH_LIMIT if difference < 0 else Verdict.DOES_NOT_HOLD, evidence)


def _loss_difference(result: LoraResult) -> tuple[float, float] | None:
    """AdaLoRA's held-out loss minus LoRA's, and the standard error of the difference."""
    for pair in result.held_out_pairs:
        if {pair.run, pair.other} == set(_PAPER_SCORES) and pair.loss_difference is not None and pair.stderr:
            sign = 1 if pair.run == "adalora" else -1
            return sign * pair.loss_difference, pair.stderr
    return None


ADALORA_CLAIMS = (
    Claim(
        id="adalora-ranks-by-importance",
        statement=tr(
            "AdaLoRA gives important matrices more rank and others less.",
        ),
        source=f"{ADALORA}, section 3.2, equations 6 to 11",
        test=important_get_more,
    ),
    Claim(
        id="adalora-same-budget",
        statement=tr("AdaLoRA's ranks come to the same total budget as LoRA's."),
        source=f"{ADALORA}, section 3.3",
        test=at_the_same_budget,
    ),
    Claim(
        id="adalora-better-than-lora",
        statement=tr(
            "At the same budget AdaLoRA does better than LoRA, whatever the model and the task.",
        ),
        source=f"Often concluded from {ADALORA}, Table 1: DeBERTaV3-base, 89.31 against 88.34 for LoRA with rank 8",
        test=better_than_lora,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
