"""Claims about LoRA: a low-rank product, few parameters, no change at the start, no cost after merging."""

from __future__ import annotations

import math
from operator import itemgetter

import numpy as np

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import EMPTY, Text, listed, sentences, tr, verbatim
from core.language_model.dtypes import FLOAT32
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
    stop = tr("The run {run} stopped early.", run=RUN_LABELS[run])
    return Finding(Verdict.NOT_TESTED, sentences(stop, result.runs[run].error))


def is_a_low_rank_product(result: LoraResult) -> Finding:
    """Holds if no update of the LoRA run has a singular value beyond its rank that exceeds rounding. Not tested if
    that run stopped early or its updates are NaN or infinite."""
    if untested := stopped(result, "lora"):
        return untested
    if "lora" not in result.spectra:
        return Finding(Verdict.NOT_TESTED, tr("Training did not finish: run the page to the end."))
    spectra, rank = result.spectra["lora"], result.params.target_r
    if spectra.shape[1] <= rank:
        text = tr("The matrices have only {count} singular values: use a lower rank.", count=spectra.shape[1])
        return Finding(Verdict.NOT_TESTED, text)
    beyond = float((spectra[:, rank] / np.maximum(spectra[:, 0], np.finfo(np.float32).tiny)).max())
    if not math.isfinite(beyond):
        text = tr("LoRA's trained updates have NaN or inf elements: use a smaller learning rate.")
        return Finding(Verdict.NOT_TESTED, text)
    evidence = tr(
        "In {matrices} trained updates B A, singular value {next} is at most {ratio:.1e} times the largest one "
        "({provenance}), so the rank is at most {rank}.",
        matrices=len(spectra),
        next=rank + 1,
        ratio=beyond,
        provenance=result.measured.label,
        rank=rank,
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
            else Finding(Verdict.NOT_TESTED, tr("No full matrices were trained: switch on Also train full matrices."))
        )
    losses = result.runs["full"].losses if "full" in result.runs else None
    if losses is not None and len(losses) and losses[-_LAST_STEPS:].mean() >= losses[0]:
        text = tr(
            "The full matrices did not learn: the loss went from {first:.3g} to {last:.3g} nats. Use a smaller "
            "learning rate.",
            first=float(losses[0]),
            last=float(losses[-_LAST_STEPS:].mean()),
        )
        return Finding(Verdict.NOT_TESTED, text)
    share = result.value("energy_in_rank")
    energies = [(row.energy_in_rank, row.name) for row in result.matrices if row.energy_in_rank is not None]
    (least, least_name), (most, most_name) = (pick(energies, key=itemgetter(0)) for pick in (min, max))
    evidence = tr(
        "In full training, the first {rank} singular values have on average {share:.0%} of the energy (sum of squared "
        "singular values) of the updates of {matrices} matrices ({provenance}), from {least:.0%} in {least_name} to "
        "{most:.0%} in {most_name}.",
        rank=result.params.target_r,
        share=share,
        matrices=len(energies),
        provenance=provenance(result, "energy_in_rank"),
        least=least,
        least_name=least_name,
        most=most,
        most_name=most_name,
    )
    if share >= _MOST_ENERGY:
        return Finding(Verdict.HOLDS, evidence)
    evidence = sentences(evidence, _held_out(result))
    return Finding(Verdict.HOLDS_WITH_LIMIT if share >= _HALF_ENERGY else Verdict.DOES_NOT_HOLD, evidence)


def trains_few(result: LoraResult) -> Finding:
    """Holds if less than 1% of the parameters are trained, with a limit below 10%."""
    if untested := missing(result, "lora.share", "lora.trainable"):
        return untested
    share = result.value("lora.share")
    evidence = tr(
        "With rank {rank}, PEFT trains {trainable}, or {share} of this model's parameters ({provenance}). In GPT-3 "
        "175B, rank {paper_rank} on {kinds} would train {paper_share:.2g}% (modelled). The smaller the matrices, the "
        "larger the share: r (in + out) of in x out parameters.",
        rank=result.params.target_r,
        trainable=quantity(result, "lora.trainable"),
        share=quantity(result, "lora.share"),
        provenance=provenance(result, "lora.share"),
        paper_rank=PAPER_RANK,
        kinds=listed(PAPER_KINDS),
        paper_share=100 / result.value("gpt3.reduction"),
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
    evidence = tr(
        "GPT-3: {layers} layers x {kinds} matrices x {rank} x ({rows:,} + {columns:,}) = {trainable:,} trainable "
        "parameters of {parameters:,}, {times:,.0f} times fewer ({provenance}), or {megabytes:.1f} MB in 16 bits. The "
        "paper's abstract says {paper_times:,.0f} times fewer parameters; its section 4.2 says that a checkpoint of "
        "{full:.0f} GB becomes {adapter:.0f} MB.",
        layers=GPT_3.layers,
        kinds=len(PAPER_KINDS),
        rank=PAPER_RANK,
        rows=rows,
        columns=columns,
        trainable=int(trainable),
        parameters=int(result.value("gpt3.parameters")),
        times=times,
        provenance=provenance(result, "gpt3.reduction"),
        megabytes=BYTES_PER_PARAMETER * trainable / 1e6,
        paper_times=PAPER_TIMES,
        full=full / 1e9,
        adapter=adapter / 1e6,
    )
    return Finding(
        Verdict.HOLDS if abs(times / PAPER_TIMES - 1) <= _PAPER_TOLERANCE else Verdict.DOES_NOT_HOLD, evidence
    )


def begins_unchanged(result: LoraResult) -> Finding:
    """Holds if no logit changes before the first step."""
    if untested := missing(result, "start.max_abs_change"):
        return untested
    change = result.value("start.max_abs_change")
    evidence = tr(
        "With untrained adapters, the largest change of a logit is {change:.3g} ({provenance}): LoRA starts with B = "
        "0, AdaLoRA with singular values of 0.",
        change=change,
        provenance=provenance(result, "start.max_abs_change"),
    )
    return Finding(Verdict.HOLDS if change == 0 else Verdict.DOES_NOT_HOLD, evidence)


def merges_exactly(result: LoraResult) -> Finding:
    """Holds if merged and unmerged logits agree to 1e-5."""
    if untested := missing(result, "merge.max_abs_error"):
        return untested
    error = result.value("merge.max_abs_error")
    evidence = tr(
        "After training, the logits with merged and unmerged weights differ by at most {error:.1e}, relative to the "
        "largest logit ({provenance}; 1e-5 is allowed, because float32 rounds W + s B A once).",
        error=error,
        provenance=provenance(result, "merge.max_abs_error"),
    )
    if (dtype := result.params.dtype) != FLOAT32:
        stored = tr("The weights are stored in {dtype}, so each merged one was rounded to it.", dtype=dtype)
        return Finding(Verdict.HOLDS if error <= 1e-5 else Verdict.DOES_NOT_HOLD, sentences(evidence, stored))
    return Finding(Verdict.HOLDS if error <= 1e-5 else Verdict.DOES_NOT_HOLD, evidence)


def _held_out(result: LoraResult) -> Text:
    if missing(result, "held_out.lora", "held_out.full"):
        return EMPTY
    return tr(
        "This does not say how well LoRA learns, because LoRA finds its own update: its held-out loss is {lora:.3f} "
        "nats, that of full matrices {full:.3f} nats.",
        lora=result.value("held_out.lora"),
        full=result.value("held_out.full"),
    )


LORA_CLAIMS = (
    Claim(
        id="lora-is-a-low-rank-product",
        statement=tr(
            "LoRA models the change of the weights as a product of two small matrices, with a rank of at most r.",
        ),
        source=tr("{paper}, section 4.1, equation 3", paper=LORA),
        test=is_a_low_rank_product,
    ),
    Claim(
        id="whole-updates-have-low-rank",
        statement=tr(
            "The change of the weights in full fine-tuning has low rank: r directions contain nearly all of it.",
        ),
        source=tr("{paper}, sections 1 and 4.1, where it is a hypothesis about large models", paper=LORA),
        test=whole_updates_have_low_rank,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="lora-trains-few",
        statement=tr("LoRA trains only a very small share of the parameters."),
        source=verbatim(LORA),
        test=trains_few,
    ),
    Claim(
        id="gpt3-ten-thousand-times-fewer",
        statement=tr(
            "On GPT-3 175B with rank 4 on Wq and Wv, LoRA trains about 10,000 times fewer parameters.",
        ),
        source=tr("{paper}, abstract and section 4.2", paper=LORA),
        test=ten_thousand_times,
    ),
    Claim(
        id="b-zero-at-the-start",
        statement=tr(
            "B starts at 0, so the model is unchanged before the first step.",
        ),
        source=tr("{paper}, section 4.1", paper=LORA),
        test=begins_unchanged,
    ),
    Claim(
        id="merging-gives-the-same",
        statement=tr(
            "Merged into the weights, LoRA gives the same outputs at no extra inference cost.",
        ),
        source=tr("{paper}, section 4.1", paper=LORA),
        test=merges_exactly,
    ),
)
