"""Claims on what a quantized model still knows."""

from __future__ import annotations

import math
from itertools import pairwise

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.topics.quantization.claims.storage import LABELS, QLORA
from core.topics.quantization.result import REFERENCE, OutputLoss, QuantizationResult

_PAPER = {"int4": 34.34, "fp4-e2m1": 31.07, "fp4-e3m0": 29.48, "nf4": 27.41}
_SURE = 2.0
"""Standard errors from which on a difference is not laid to the choice of text."""

Differences = dict[tuple[str, str], float]
"""By two formats: the loss of the first less that of the second, in standard errors."""


def in_the_order_of_the_paper(result: QuantizationResult) -> Finding:
    """Holds when every step of the paper's order is there in every model, beyond the noise; with a limit when NF4 is
    best beyond the noise and the others come in another order; it does not hold when another format is better than NF4
    beyond the noise. Of several models the worst verdict counts; where the noise hides who is best in all, it is not
    tested."""
    models = _models(result)
    if not models:
        return Finding(
            Verdict.NOT_TESTED,
            "This run did not measure a model that knows its text with NF4, both FP4 and INT4: turn the effect on "
            "outputs on.",
        )
    differences = {name: _differences(result, name) for name in models}
    evidence = "; ".join(_perplexities(name, rows, differences[name]) for name, rows in models.items())
    evidence = (
        f"Perplexity, worst first: {evidence} (measured (CPU)). The paper, on models of 125M to 13B parameters: "
        f"{_listed({name: f'{value:.2f}' for name, value in _PAPER.items()})}."
    )
    # A model whose noise hides the order says nothing against what another shows.
    verdicts = {_verdict(of_model) for of_model in differences.values()} - {Verdict.NOT_TESTED}
    verdict = max(verdicts, key=list(Verdict).index, default=Verdict.NOT_TESTED)
    if verdict is Verdict.NOT_TESTED:
        evidence += " The noise hides which format is best: more text would tell."
    return Finding(verdict, evidence)


def _verdict(differences: Differences) -> Verdict:
    steps = [differences[pair] for pair in pairwise(_PAPER)]
    leads = [differences[rival, "nf4"] for rival in _PAPER if rival != "nf4"]
    if min(steps) > _SURE:
        return Verdict.HOLDS
    if min(leads) < -_SURE:
        return Verdict.DOES_NOT_HOLD
    return Verdict.HOLDS_WITH_LIMIT if min(leads) > _SURE else Verdict.NOT_TESTED


def _models(result: QuantizationResult) -> dict[str, dict[str, OutputLoss]]:
    """By model, the rows of the paper's formats and of the weights as they are. Models that lack one are left out, and
    those that guess the text worse than by chance: what quantizing does to them says nothing."""
    models: dict[str, dict[str, OutputLoss]] = {}
    for row in result.outputs:
        if row.loss is not None:
            models.setdefault(row.model, {})[row.format] = row
    compared = {pair.model for pair in result.output_pairs}
    return {
        name: rows
        for name, rows in models.items()
        if name in compared
        and all(wanted in rows for wanted in (REFERENCE, *_PAPER))
        and _perplexity(rows[REFERENCE]) < rows[REFERENCE].vocabulary
    }


def _differences(result: QuantizationResult, model: str) -> Differences:
    differences: Differences = {}
    for pair in result.output_pairs:
        if pair.model == model and pair.loss_difference is not None:
            error = pair.stderr or float("inf")  # of one window no error is known
            sigmas = pair.loss_difference / error
            differences[pair.format, pair.other], differences[pair.other, pair.format] = sigmas, -sigmas
    return differences


def _perplexities(name: str, rows: dict[str, OutputLoss], differences: Differences) -> str:
    order = sorted(_PAPER, key=lambda format_: -(rows[format_].loss or 0.0))
    perplexities = {format_: f"{_perplexity(rows[format_]):.4f}" for format_ in order}
    leads = {rival: f"{differences[rival, 'nf4']:.1f}" for rival in _PAPER if rival != "nf4"}
    reference = rows[REFERENCE]
    return (
        f"{name} {_listed(perplexities)}, unquantized {_perplexity(reference):.4f}, on {reference.tokens:,} tokens; "
        f"there NF4 leads by {_listed(leads)} standard errors"
    )


def _perplexity(row: OutputLoss) -> float:
    return math.inf if row.perplexity is None else row.perplexity


def _listed(texts: dict[str, str]) -> str:
    return ", ".join(f"{LABELS[format_]} {text}" for format_, text in texts.items())


OUTPUT_CLAIMS = (
    Claim(
        id="perplexity-in-order",
        statement=tr(
            "Mean perplexity falls from INT4 (34.34) over FP4 E2M1 (31.07) and FP4 E3M0 (29.48) to NF4 with double "
            "quantization (27.41).",
        ),
        source=f"{QLORA}, Table 2",
        test=in_the_order_of_the_paper,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
)
