"""What quantized weights do to a model's answers, as rows: the loss that each format adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.format import format_quantity
from gui.charts.row_chart_spec import TEXT, Band, Cell, Column, Ink, LegendKey, Row, RowSpec

EMPTY = "Run (F5) to measure what each format adds to the loss of a small trained model."
_WORSE, _NO_WORSE = Ink("series.0"), Ink("good")


@dataclass(frozen=True)
class Outcome:
    """The loss of one model with one format on its linear layers, in nats a token over `tokens` tokens.

    `increase` is against the weights as they are (format ''), whose own is 0. `stderr` is its standard error where one
    is known; `bits` are those of a parameter of the `layers` linear layers that were quantized.
    """

    model: str
    format: str
    label: str
    loss: float
    perplexity: float
    increase: float
    tokens: int
    bits: float
    layers: int
    stderr: float | None = None

    @property
    def is_number(self) -> bool:
        """Whether there is a loss to draw: weights can be so wrong that there is none."""
        return math.isfinite(self.increase)


def outcome_rows(outcomes: Sequence[Outcome]) -> RowSpec:
    """One row per format, its key, in a band per model; no band for one without a format beside its own weights."""
    legend = [LegendKey("added loss", _WORSE, "dot"), LegendKey("no worse", _NO_WORSE, "dot")]
    if any(outcome.stderr for outcome in outcomes):
        legend.append(LegendKey("standard error", TEXT, "line"))
    bands = (_band([o for o in outcomes if o.model == model]) for model in dict.fromkeys(o.model for o in outcomes))
    column = Column(name="added loss, nats a token", texts_apart=True)
    return RowSpec((column,), tuple(band for band in bands if band.rows), (tuple(legend),))


def describe(outcome: Outcome, reference: Outcome | None) -> str:
    """Everything known of one outcome, beside that of the weights as they are."""
    lines = [f"{outcome.model} in {outcome.label}, {format_quantity(outcome.bits, 'bits', 4)} a parameter"]
    if outcome.is_number:
        error = "" if outcome.stderr is None else f" ± {outcome.stderr:.2g} (standard error)"
        lines += [
            f"loss {format_quantity(outcome.loss, digits=5)} nats a token: {_signed(outcome.increase)}{error}",
            f"perplexity {format_quantity(outcome.perplexity, '', 4)}",
        ]
    else:
        lines.append("its loss is not a number: the answers are lost")
    if reference is not None:
        perplexity = format_quantity(reference.perplexity, digits=4)
        lines.append(f"as it is: loss {format_quantity(reference.loss, digits=5)}, perplexity {perplexity}")
    lines.append(f"{outcome.tokens:,} tokens, {outcome.layers} linear layers quantized; measured (CPU)")
    return "\n".join(lines)


def _band(outcomes: Sequence[Outcome]) -> Band:
    """One model: its weights as they are in the head, where that was measured, and its formats."""
    reference = next((outcome for outcome in outcomes if not outcome.format), None)
    rows = tuple(
        Row(outcome.label, (_cell(outcome),), describe(outcome, reference), key=outcome.format)
        for outcome in outcomes
        if outcome.format
    )
    return Band(rows, outcomes[0].model, () if reference is None else _heads(reference))


def _cell(outcome: Outcome) -> Cell:
    if not outcome.is_number:
        return Cell(texts=("no number",))
    error = outcome.stderr or 0.0
    value = _signed(outcome.increase)
    # Where there is little room the picture needs it more than the second number does, which the read-out has too.
    texts = (f"{value} ± {outcome.stderr:.1g}", value) if outcome.stderr is not None else (value,)
    ink = _WORSE if outcome.increase > error else _NO_WORSE
    return Cell(mark=outcome.increase, ink=ink, error=error, texts=texts)


def _heads(reference: Outcome) -> tuple[str, ...]:
    loss = f"loss {format_quantity(reference.loss, digits=4)} as it is"
    perplexity = f"{loss}, perplexity {format_quantity(reference.perplexity)}"
    return f"{perplexity}, {reference.tokens:,} tokens", perplexity, loss, ""


def _signed(increase: float) -> str:
    sign = "+" if increase > 0 else "−" if increase < 0 else ""
    return sign + format_quantity(abs(increase))
