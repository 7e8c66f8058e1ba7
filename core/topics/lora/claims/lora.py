"""Claims about LoRA: a low-rank product, few parameters, no change at the start, no cost after merging."""

from __future__ import annotations

import math
from operator import itemgetter

import numpy as np

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.model_presets import GPT_3
from core.topics.lora.matrices import (
    BYTES_PER_PARAMETER,
    PAPER_CHECKPOINT_BYTES,
    PAPER_KINDS,
    PAPER_RANK,
    PAPER_TIMES,
)
from core.topics.lora.result import RUN_LABELS, LoraResult
from core.wording import missing, provenance, quantity

LORA = "Hu et al. 2021 (arXiv 2106.09685)"

_FEW_PERCENT, _NOT_FEW_PERCENT = 1.0, 10.0
_PAPER_TOLERANCE = 0.1
_LAST_STEPS = 10
_MOST_ENERGY, _HALF_ENERGY = 0.9, 0.5
_ROUNDING = 1e-5
"""Singular values below this share of the largest one are float32 rounding."""


def stopped(result: LoraResult, run: str) -> Finding | None:
    """A finding if the run stopped before its last step, because then it says nothing about the method; else None."""
    if run not in result.runs or not result.runs[run].error:
        return None
    return Finding(Verdict.NOT_TESTED, f"{RUN_LABELS[run]} was not trained to the end. {result.runs[run].error}")


def is_a_low_rank_product(result: LoraResult) -> Finding:
    """Holds if no update of the LoRA run has a singular value beyond its rank that exceeds rounding. Not tested if
    that run stopped early or its updates are NaN or infinite."""
    if untested := stopped(result, "lora"):
        return untested
    if "lora" not in result.spectra:
        return Finding(Verdict.NOT_TESTED, "This run did not reach the end of its training: run the page to the end.")
    spectra, rank = result.spectra["lora"], result.params.target_r
    if spectra.shape[1] <= rank:
        return Finding(
            Verdict.NOT_TESTED, f"The matrices have no more than {spectra.shape[1]} singular values: take a lower rank."
        )
    beyond = float((spectra[:, rank] / np.maximum(spectra[:, 0], np.finfo(np.float32).tiny)).max())
    if not math.isfinite(beyond):
        return Finding(Verdict.NOT_TESTED, "LoRA's trained updates are no numbers: take a smaller learning rate.")
    evidence = (
        f"Of {len(spectra)} trained updates B A, the largest singular value number {rank + 1} is {beyond:.1e} of the "
        f"first ({result.measured.value}): the rank is {rank} at most."
    )
    return Finding(Verdict.HOLDS if beyond < _ROUNDING else Verdict.DOES_NOT_HOLD, evidence)


def whole_updates_have_low_rank(result: LoraResult) -> Finding:
    """Holds if the first target_r singular values have on average at least 90% of the energy of the updates of fully
    trained matrices, with a limit from 50%; does not hold below. Not tested if that training stopped early or its loss
    did not fall."""
    if untested := stopped(result, "full"):
        return untested
    if untested := missing(result, "energy_in_rank"):
        return (
            untested
            if result.params.compare_full
            else Finding(Verdict.NOT_TESTED, "No whole matrices were trained: switch Also train full matrices on.")
        )
    losses = result.runs["full"].losses if "full" in result.runs else None
    if losses is not None and len(losses) and losses[-_LAST_STEPS:].mean() >= losses[0]:
        return Finding(
            Verdict.NOT_TESTED,
            f"Trained whole, the matrices learned nothing: the loss went from {losses[0]:.3g} to "
            f"{losses[-_LAST_STEPS:].mean():.3g} nats. Take a smaller learning rate.",
        )
    share = result.value("energy_in_rank")
    energies = [(row.energy_in_rank, row.name) for row in result.matrices if row.energy_in_rank is not None]
    (least, least_name), (most, most_name) = (pick(energies, key=itemgetter(0)) for pick in (min, max))
    evidence = (
        f"Trained whole, {len(energies)} matrices have {share:.0%} of the energy (squared singular values) of their "
        f"updates in the first {result.params.target_r} of them on average "
        f"({provenance(result, 'energy_in_rank')}), from "
        f"{least:.0%} in {least_name} to {most:.0%} in {most_name}."
    )
    if share >= _MOST_ENERGY:
        return Finding(Verdict.HOLDS, evidence)
    if losses_on_held_out := _held_out(result):
        evidence += f" That is no word on how well LoRA does, which finds an update of its own: {losses_on_held_out}."
    return Finding(Verdict.HOLDS_WITH_LIMIT if share >= _HALF_ENERGY else Verdict.DOES_NOT_HOLD, evidence)


def trains_few(result: LoraResult) -> Finding:
    """Holds if less than 1% of the parameters are trained, with a limit below 10%."""
    if untested := missing(result, "lora.share", "lora.trainable"):
        return untested
    share = result.value("lora.share")
    evidence = (
        f"peft trains {quantity(result, 'lora.trainable')} at rank {result.params.target_r}, "
        f"{quantity(result, 'lora.share')} of this model's ({provenance(result, 'lora.share')}); of GPT-3 175B, "
        f"with rank {PAPER_RANK} on {' and '.join(PAPER_KINDS)} alone, it would be "
        f"{100 / result.value('gpt3.reduction'):.2g}% (modelled). The smaller the matrices, the larger the "
        "share: r (in + out) of in x out."
    )
    if share < _FEW_PERCENT:
        return Finding(Verdict.HOLDS, evidence)
    return Finding(Verdict.HOLDS_WITH_LIMIT if share < _NOT_FEW_PERCENT else Verdict.DOES_NOT_HOLD, evidence)


def ten_thousand_times(result: LoraResult) -> Finding:
    """Holds if the reduction computed from GPT-3's shapes is within 10% of 10,000."""
    if untested := missing(result, "gpt3.reduction", "gpt3.trainable", "gpt3.parameters"):
        return untested
    times, trainable = result.value("gpt3.reduction"), result.value("gpt3.trainable")
    full, adapter = PAPER_CHECKPOINT_BYTES
    rows, columns = GPT_3.linear_shapes[PAPER_KINDS[0]]
    evidence = (
        f"GPT-3: {GPT_3.layers} layers x {len(PAPER_KINDS)} matrices x {PAPER_RANK} x ({rows:,} + {columns:,}) = "
        f"{int(trainable):,} trainable parameters of {int(result.value('gpt3.parameters')):,}, "
        f"{times:,.0f} times fewer ({provenance(result, 'gpt3.reduction')}); "
        f"in 16 bits {BYTES_PER_PARAMETER * trainable / 1e6:.1f} MB. The paper's abstract says "
        f"{PAPER_TIMES:,.0f} times fewer parameters, its section 4.2 a checkpoint of "
        f"{full / 1e9:.0f} GB that becomes {adapter / 1e6:.0f} MB."
    )
    return Finding(
        Verdict.HOLDS if abs(times / PAPER_TIMES - 1) <= _PAPER_TOLERANCE else Verdict.DOES_NOT_HOLD, evidence
    )


def begins_unchanged(result: LoraResult) -> Finding:
    """Holds if no logit changes before the first step."""
    if untested := missing(result, "start.max_abs_change"):
        return untested
    change = result.value("start.max_abs_change")
    evidence = (
        f"With the adapters on and nothing trained, the largest change of a logit is {change:.3g} "
        f"({provenance(result, 'start.max_abs_change')}): LoRA begins with B = 0, AdaLoRA with its singular values "
        "at 0."
    )
    return Finding(Verdict.HOLDS if change == 0 else Verdict.DOES_NOT_HOLD, evidence)


def merges_exactly(result: LoraResult) -> Finding:
    """Holds if merged and unmerged logits agree to 1e-5."""
    if untested := missing(result, "merge.max_abs_error"):
        return untested
    error = result.value("merge.max_abs_error")
    evidence = (
        f"After training, logits of merged and unmerged weights differ by {error:.1e} at most, over the largest logit "
        f"({provenance(result, 'merge.max_abs_error')}; 1e-5 is allowed, as float32 rounds W + s B A once)."
    )
    return Finding(Verdict.HOLDS if error <= 1e-5 else Verdict.DOES_NOT_HOLD, evidence)


def _held_out(result: LoraResult) -> str:
    if missing(result, "held_out.lora", "held_out.full"):
        return ""
    lora, full = (result.value(f"held_out.{run}") for run in ("lora", "full"))
    return f"loss on held-out rows {lora:.3f} nats, whole matrices {full:.3f}"


LORA_CLAIMS = (
    Claim(
        id="lora-is-a-low-rank-product",
        statement=tr(
            "LoRA models the change of the weights by a product of two small matrices, of rank r at most.",
        ),
        source=f"{LORA}, section 4.1, equation 3",
        test=is_a_low_rank_product,
    ),
    Claim(
        id="whole-updates-have-low-rank",
        statement=tr(
            "The change of the weights in full fine-tuning has a low rank: r directions hold nearly all of it.",
        ),
        source=f"{LORA}, sections 1 and 4.1, where it is a hypothesis on large models",
        test=whole_updates_have_low_rank,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="lora-trains-few",
        statement=tr("LoRA trains very few of the parameters."),
        source=LORA,
        test=trains_few,
    ),
    Claim(
        id="gpt3-ten-thousand-times-fewer",
        statement=tr(
            "On GPT-3 175B, with rank 4 on Wq and Wv, LoRA trains about 10,000 times fewer parameters.",
        ),
        source=f"{LORA}, abstract and section 4.2",
        test=ten_thousand_times,
    ),
    Claim(
        id="b-zero-at-the-start",
        statement=tr(
            "B is 0 at the start, so the model is unchanged before the first step.",
        ),
        source=f"{LORA}, section 4.1",
        test=begins_unchanged,
    ),
    Claim(
        id="merging-gives-the-same",
        statement=tr(
            "Merged into the weights, LoRA gives the same outputs, without any cost at inference.",
        ),
        source=f"{LORA}, section 4.1",
        test=merges_exactly,
    ),
)
