"""Claims about AdaLoRA: how it distributes rank, at which budget, and whether that helps."""

from __future__ import annotations

from operator import itemgetter

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import sentences, tr
from core.topics.lora.claims.lora import stopped
from core.topics.lora.result import LoraResult
from core.topics.lora.schedule import total_step_mismatch
from core.wording import missing, provenance

ADALORA = "Zhang et al. 2023 (arXiv 2303.10512)"

_PAPER_SCORES = {"lora": 88.34, "adalora": 89.31}
"""Average on GLUE of DeBERTaV3-base; LoRA has rank 8 (Table 1)."""

_NOT_CALLED = tr("update_and_allocate is not called, so no rank changes: switch on Call update_and_allocate.")
_CLEAR_CORRELATION, _NO_CORRELATION = 0.5, 0.0
_SIGNIFICANT = 2.0
"""A difference of this many standard errors is not attributed to the choice of rows."""


def important_get_more(result: LoraResult) -> Finding:
    """Holds if final ranks and importance correlate clearly (Spearman 0.5 or more), with a limit if they correlate
    weakly; does not hold otherwise."""
    if result.params.init_r == result.params.target_r:
        return Finding(Verdict.NOT_TESTED, tr("init_r equals target_r, so nothing is pruned: use a larger init_r."))
    if not result.params.call_update:
        return Finding(Verdict.NOT_TESTED, _NOT_CALLED)
    if untested := stopped(result, "adalora") or missing(result, "rank.correlation"):
        return untested
    correlation = result.value("rank.correlation")
    ranks = [(row.final_rank, row.name) for row in result.matrices if row.final_rank is not None]
    (least, least_name), (most, most_name) = (pick(ranks, key=itemgetter(0)) for pick in (min, max))
    evidence = tr(
        "Over {matrices} matrices, the Spearman correlation of final rank and importance is {correlation:.2f} "
        "({provenance}). The ranks range from {least} in {least_name} to {most} in {most_name}.",
        matrices=len(ranks),
        correlation=correlation,
        provenance=provenance(result, "rank.correlation"),
        least=least,
        least_name=least_name,
        most=most,
        most_name=most_name,
    )
    if "rank.full_correlation" in result.metrics:
        full_correlation = tr(
            "This importance is AdaLoRA's own score. With an independent measure, the size of the updates of fully "
            "trained matrices, the correlation is {correlation:.2f}.",
            correlation=result.value("rank.full_correlation"),
        )
        evidence = sentences(evidence, full_correlation)
    if correlation >= _CLEAR_CORRELATION:
        return Finding(Verdict.HOLDS, evidence)
    return Finding(Verdict.HOLDS_WITH_LIMIT if correlation > _NO_CORRELATION else Verdict.DOES_NOT_HOLD, evidence)


def at_the_same_budget(result: LoraResult) -> Finding:
    """Holds if the number of triplets kept at the end equals LoRA's rank times the number of matrices. Not tested if
    AdaLoRA stopped early, never prunes, or plans its schedule for another number of steps."""
    if not result.params.call_update:
        return Finding(Verdict.NOT_TESTED, _NOT_CALLED)
    if untested := stopped(result, "adalora") or missing(result, "budget.final", "budget.target"):
        return untested
    final, target = int(result.value("budget.final")), int(result.value("budget.target"))
    matrices = len(result.matrices)
    evidence = tr(
        "AdaLoRA keeps {final} triplets at the end ({provenance}); LoRA has {matrices} x {rank} = {target}.",
        final=final,
        provenance=provenance(result, "budget.final"),
        matrices=matrices,
        rank=result.params.target_r,
        target=target,
    )
    if {"adalora.trainable", "lora.trainable"} <= set(result.metrics):
        parameters = tr(
            "During training, PEFT keeps all {init_r} triplets of every matrix: {adalora:,} parameters compared with "
            "LoRA's {lora:,}.",
            init_r=result.params.init_r,
            adalora=int(result.value("adalora.trainable")),
            lora=int(result.value("lora.trainable")),
        )
        evidence = sentences(evidence, parameters)
    if final != target and (mismatch := total_step_mismatch(result.params)):
        return Finding(Verdict.NOT_TESTED, sentences(evidence, mismatch))
    if final != target:
        return Finding(Verdict.DOES_NOT_HOLD, evidence)
    always_equal = result.params.init_r == result.params.target_r
    return Finding(Verdict.HOLDS if always_equal else Verdict.HOLDS_WITH_LIMIT, evidence)


def better_than_lora(result: LoraResult) -> Finding:
    """Holds with a limit (another model and task, one seed) if AdaLoRA's held-out loss is significantly below LoRA's.
    Does not hold if it is significantly above. Not tested if the difference is within the noise."""
    pair = _loss_difference(result)
    if pair is None:
        text = tr("This run did not measure both held-out losses: run the page to the end.")
        return Finding(Verdict.NOT_TESTED, text)
    difference, error = pair
    losses = {run: result.value(f"held_out.{run}") for run in _PAPER_SCORES}
    evidence = tr(
        "On this table task with one seed, the held-out loss is {adalora:.3f} nats for AdaLoRA and {lora:.3f} nats for "
        "LoRA ({provenance}), which is a difference of {errors:.1f} standard errors. In the paper, not run here, "
        "DeBERTaV3-base reaches an average of {paper_adalora} on GLUE with AdaLoRA and {paper_lora} with LoRA of "
        "rank 8.",
        adalora=losses["adalora"],
        lora=losses["lora"],
        provenance=provenance(result, "held_out.lora"),
        errors=abs(difference) / error,
        paper_adalora=_PAPER_SCORES["adalora"],
        paper_lora=_PAPER_SCORES["lora"],
    )
    if abs(difference) < _SIGNIFICANT * error:
        noise = tr("The difference is within the noise, so neither is better.")
        return Finding(Verdict.NOT_TESTED, sentences(evidence, noise))
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
            "AdaLoRA gives important matrices a higher rank and the others a lower one.",
        ),
        source=tr("{paper}, section 3.2, equations 6 to 11", paper=ADALORA),
        test=important_get_more,
    ),
    Claim(
        id="adalora-same-budget",
        statement=tr("AdaLoRA's ranks add up to the same total budget as LoRA's."),
        source=tr("{paper}, section 3.3", paper=ADALORA),
        test=at_the_same_budget,
    ),
    Claim(
        id="adalora-better-than-lora",
        statement=tr(
            "With the same budget, AdaLoRA is better than LoRA for any model and task.",
        ),
        source=tr(
            "Often generalized from {paper}, Table 1: DeBERTaV3-base, 89.31 with AdaLoRA and 88.34 with LoRA of rank 8",
            paper=ADALORA,
        ),
        test=better_than_lora,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
