"""Packings, their leaks and positions as rows, series and text. Regroups; computes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.chat.packing import BFD, BFD_SPLIT, NONE, WRAPPED, Packing
from core.chat.packing_masks import MaskSaving, row_tiling
from core.contracts.text import EMPTY, Text, quoted, sentences, tr, tr_in, tr_plural
from core.format import format_quantity, quantity
from core.topics.dialogue.result import LeakedAnswer, LeakedDocument, PositionScheme
from gui.charts.row_chart_spec import Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment
from gui.charts.series import Series
from gui.pages.dialogue.tile_map import Tiles
from gui.theme import Theme, mix
from gui.widgets import record_model
from gui.widgets.html_view import coloured, safe

STRATEGY_LABELS: Mapping[str, Text] = {
    BFD: tr("best fit"),
    BFD_SPLIT: tr("best fit, split"),
    WRAPPED: tr("wrapped"),
    NONE: tr("one per row"),
}
_ALONE, _MASKED, _LEAKED = "series.6", "series.2", "series.4"
BLOCK = 32
"""Tokens per tile of the tile map."""


@dataclass(frozen=True, eq=False)
class PackedStrategy:
    """One row of the table of strategies."""

    strategy: str
    packing: Packing
    saving: MaskSaving


def strategy_columns() -> tuple[record_model.Column[PackedStrategy], ...]:
    def share(value: float) -> str:
        return f"{value:.0%}"

    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    column = record_model.Column
    return (
        column("strategy", tr("Packing"), tr("Which conversations share a row"),
               lambda one: STRATEGY_LABELS[one.strategy], number=False, stretch=True),
        column("fill", tr("Fill"), tr("The share of the rows that is tokens of conversations"),
               lambda one: known(one.packing.fill), share, bar=True),
        column("splits", tr("Split"), tr("Conversations that lie in several pieces"), lambda one: one.packing.splits,
               "{:,}".format),
        column("leak", tr_in("packing", "Leak"),
               tr("How much of what causal attention alone sees is of another conversation"),
               lambda one: known(one.packing.contamination), share, bar=True),
        column("saved", tr("Saved"), tr("The share of the FLOPs of attention that the document mask saves"),
               lambda one: known(one.saving.saved), share, bar=True),
    )  # fmt: skip


def tiles_of(packing: Packing, row: int) -> Tiles | None:
    """The document mask of a row as tiles."""
    if not packing.rows:
        return None
    inside = packing.pieces_of(row)
    pieces = inside.stop - inside.start
    long = tr_plural(
        "document mask of row {row:,}: {count} piece, tiles of {block}",
        "document mask of row {row:,}: {count} pieces, tiles of {block}",
        count=pieces,
        row=row,
        block=BLOCK,
    )
    return Tiles(row_tiling(packing, row, BLOCK).classes, BLOCK, (long, tr("document mask, row {row:,}", row=row)))


def leak_series(leaks: Sequence[LeakedDocument]) -> list[Series]:
    """How far the loss of each packed conversation is from its loss alone, over the tokens of others before it."""
    if not leaks:
        return []
    ordered = sorted(leaks, key=lambda one: one.foreign)
    foreign = np.array([one.foreign for one in ordered])
    masked = np.array([abs(one.masked - one.alone) for one in ordered])
    leaked = np.array([abs(one.leaked - one.alone) for one in ordered])
    return [
        Series(str(tr("without document mask")), foreign, leaked, 4, "rings"),
        Series(str(tr("with document mask")), foreign, masked, 2, "rings"),
    ]


def leak_read_out(leaks: Sequence[LeakedDocument]) -> Callable[[float], str | None]:
    """The packed conversation whose number of foreign tokens is nearest."""

    def read(foreign: float) -> str | None:
        if not leaks:
            return None
        one = min(leaks, key=lambda document: abs(document.foreign - foreign))
        lines = (
            quoted(one.text),
            tr("{foreign:,} tokens of others before it in row {row:,}", foreign=one.foreign, row=one.row),
            tr(
                "loss alone {alone}, with document mask {masked}, without {leaked}",
                alone=quantity(one.alone, "nats"),
                masked=quantity(one.masked, "nats"),
                leaked=quantity(one.leaked, "nats"),
            ),
        )
        return "\n".join(map(str, lines))

    return read


def answers_html(answers: Sequence[LeakedAnswer], shares: Mapping[str, float], theme: Theme) -> str:
    """Questions about somebody of whom nothing was told: alone, and behind another conversation."""
    head = tr("Questions about people of whom nothing was told, asked behind another conversation.")
    parts = [coloured(safe(sentences(head, _shares(shares))), theme.muted)]
    for answer in answers:
        rows = (
            (tr("alone"), answer.alone, answer.took_alone),
            (tr("with document mask"), answer.masked, answer.took_masked),
            (tr("without"), answer.packed, answer.took),
        )
        lines = "".join(
            f"<tr><td>{coloured(safe(name), theme.muted)}&nbsp;&nbsp;</td><td>"
            f"{coloured(safe(text), theme.text, mix(theme.sunken, theme.bad, 0.35) if took else '')}</td></tr>"
            for name, text, took in rows
        )
        told = coloured(safe(tr("before it: {text}", text=answer.neighbour)), theme.muted)
        parts.append(f"<p><b>{coloured(safe(answer.question), theme.accent)}</b> {told}</p><table>{lines}</table>")
    return "".join(parts)


def _shares(shares: Mapping[str, float]) -> Text:
    """How many answers name what another conversation told."""
    if not {"without_mask", "masked", "alone"} <= set(shares):
        return EMPTY
    return tr(
        "Answers that take what it told: {leaked:.0%} without document mask, {masked:.0%} with it, {alone:.0%} alone.",
        leaked=shares["without_mask"],
        masked=shares["masked"],
        alone=shares["alone"],
    )


def position_rows(schemes: Sequence[PositionScheme]) -> RowSpec | None:
    """What changes if positions are not reset in a packed row, per position scheme."""
    if not schemes:
        return None
    columns = (
        Column((str(tr("largest change of a logit")), str(tr("change of a logit"))), log=True),
        Column((str(tr("loss, nats per target")), str(tr("loss"))), unit="nats"),
    )
    rows = tuple(_position_row(scheme) for scheme in schemes)
    legend = (
        LegendKey(str(tr("each conversation alone")), Ink(_MASKED)),
        LegendKey(str(tr("positions not reset")), Ink(_LEAKED)),
    )
    return RowSpec(columns, (Band(rows),), (legend,))


def _position_row(scheme: PositionScheme) -> Row:
    logits = Cell(mark=scheme.logits, ink=Ink(_ALONE), texts=(format_quantity(scheme.logits),))
    losses = Cell(
        bars=((Segment(scheme.alone, Ink(_MASKED)),), (Segment(scheme.not_reset, Ink(_LEAKED)),)),
        texts=(
            f"{format_quantity(scheme.alone)} → {format_quantity(scheme.not_reset)}",
            format_quantity(scheme.not_reset),
        ),
    )
    lines = (
        tr("{scheme}, {model}", scheme=scheme.label, model=scheme.model),
        tr("largest change of a logit without training: {logits}", logits=format_quantity(scheme.logits)),
        tr(
            "conversations that begin at position {begins:,} or later: loss {alone} alone, {shifted} without reset",
            begins=scheme.begins,
            alone=quantity(scheme.alone, "nats"),
            shifted=quantity(scheme.not_reset, "nats"),
        ),
    )
    return Row(str(scheme.label), (logits, losses), "\n".join(map(str, lines)))
