"""Claims on how much quantization changes the outputs of a model."""

from __future__ import annotations

import math
from itertools import pairwise

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Provenance
from core.contracts.text import Text, listed, sentences, tr
from core.topics.quantization.claims.storage import qlora
from core.topics.quantization.labels import FORMAT_LABELS, model_label
from core.topics.quantization.result import REFERENCE, OutputLoss, QuantizationResult

_PAPER = {"int4": 34.34, "fp4-e2m1": 31.07, "fp4-e3m0": 29.48, "nf4": 27.41}
_SIGNIFICANT = 2.0
"""From this many standard errors on, a difference is not explained by the choice of text."""

Differences = dict[tuple[str, str], float]
"""By two formats: the loss of the first minus that of the second, in standard errors."""


def in_the_order_of_the_paper(result: QuantizationResult) -> Finding:
    """Holds when every step of the paper's order is seen in every model, beyond the noise. Holds with a limit when NF4
    is best beyond the noise and the others come in another order. Does not hold when another format is better than NF4
    beyond the noise. Of several models the worst verdict counts; it is not tested if the noise hides in all of them
    which format is best."""
    models = _models(result)
    if not models:
        return Finding(
            Verdict.NOT_TESTED,
            tr(
                "This run did not measure NF4, both FP4 formats and INT4 on a model that predicts its text better than "
                "chance: turn on Effect on outputs and measure all formats."
            ),
        )
    differences = {name: _differences(result, name) for name in models}
    evidence = [
        *(_perplexities(name, rows, differences[name]) for name, rows in models.items()),
        tr(
            "The paper reports, for models of 125M to 13B parameters: {perplexities}.",
            perplexities=_listed({name: f"{value:.2f}" for name, value in _PAPER.items()}),
        ),
    ]
    # A model whose noise hides the order does not contradict what another model shows.
    verdicts = {_verdict(of_model) for of_model in differences.values()} - {Verdict.NOT_TESTED}
    verdict = max(verdicts, key=list(Verdict).index, default=Verdict.NOT_TESTED)
    if verdict is Verdict.NOT_TESTED:
        evidence.append(tr("The noise hides which format is best: measure on more text."))
    return Finding(verdict, sentences(*evidence))


def _verdict(differences: Differences) -> Verdict:
    steps = [differences[pair] for pair in pairwise(_PAPER)]
    leads = [differences[rival, "nf4"] for rival in _PAPER if rival != "nf4"]
    if min(steps) > _SIGNIFICANT:
        return Verdict.HOLDS
    if min(leads) < -_SIGNIFICANT:
        return Verdict.DOES_NOT_HOLD
    return Verdict.HOLDS_WITH_LIMIT if min(leads) > _SIGNIFICANT else Verdict.NOT_TESTED


def _models(result: QuantizationResult) -> dict[str, dict[str, OutputLoss]]:
    """By model, the rows of the paper's formats and of the unquantized weights. Models that lack one are left out, and
    models that predict the text worse than chance: their change by quantization says nothing."""
    models: dict[str, dict[str, OutputLoss]] = {}
    for row in result.outputs:
        if row.loss is not None:
            models.setdefault(row.model, {})[row.format] = row
    compared = {pair.model for pair in result.output_pairs}
    return {
        name: rows
        for name, rows in models.items()
        if name in compared
        and all(format_id in rows for format_id in (REFERENCE, *_PAPER))
        and _perplexity(rows[REFERENCE]) < rows[REFERENCE].vocabulary
    }


def _differences(result: QuantizationResult, model: str) -> Differences:
    differences: Differences = {}
    for pair in result.output_pairs:
        if pair.model == model and pair.loss_difference is not None:
            error = pair.stderr or float("inf")  # a single window gives no error
            sigmas = pair.loss_difference / error
            differences[pair.format, pair.other], differences[pair.other, pair.format] = sigmas, -sigmas
    return differences


def _perplexities(model: str, rows: dict[str, OutputLoss], differences: Differences) -> Text:
    order = sorted(_PAPER, key=lambda format_id: -(rows[format_id].loss or 0.0))
    perplexities = {format_id: f"{_perplexity(rows[format_id]):.4f}" for format_id in order}
    leads = listed(
        tr("{lead:.1f} over {format}", lead=differences[rival, "nf4"], format=FORMAT_LABELS[rival])
        for rival in _PAPER
        if rival != "nf4"
    )
    reference = rows[REFERENCE]
    return sentences(
        tr(
            "Perplexity ({model}, {tokens:,} tokens), worst format first: {perplexities}; unquantized {reference:.4f} "
            "({provenance}).",
            model=model_label(model),
            perplexities=_listed(perplexities),
            reference=_perplexity(reference),
            tokens=reference.tokens,
            provenance=Provenance.MEASURED_CPU.label,
        ),
        tr("The lead of NF4 in standard errors is {leads}.", leads=leads),
    )


def _perplexity(row: OutputLoss) -> float:
    return math.inf if row.perplexity is None else row.perplexity


def _listed(texts: dict[str, str]) -> Text:
    return listed(tr("{format} {number}", format=FORMAT_LABELS[name], number=text) for name, text in texts.items())


OUTPUT_CLAIMS = (
    Claim(
        id="perplexity-in-order",
        statement=tr(
            "Mean perplexity falls from INT4 (34.34) over FP4 E2M1 (31.07) and FP4 E3M0 (29.48) to NF4 with double "
            "quantization (27.41).",
        ),
        source=qlora(tr("Table 2")),
        test=in_the_order_of_the_paper,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
)
