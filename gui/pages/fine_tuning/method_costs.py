"""Methods as rows with their costs and results: trainable parameters, memory, exact match."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.contracts.text import Text, tr
from core.format import format_quantity, quantity
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.result import MethodSummary
from core.topics.fine_tuning.trained_modules import StepMemory
from gui.charts.row_chart_spec import TEXT, Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity

EMPTY = tr("The costs of each method appear here once the parameters are valid.")
PARTS = {
    "weights": tr("weights"),
    "gradients": tr("gradients"),
    "optimizer": tr("optimizer"),
    "activations": tr("activations"),
}
_PART_INKS = {part: Ink(f"series.{index}", 0.75) for part, index in zip(PARTS, (0, 1, 3, 2), strict=True)}
_MATCH_INKS = Ink("good", 0.85), Ink("series.7", 0.8)


@dataclass(frozen=True)
class MethodCost:
    """One method. `summary` is None if there are no numbers. `about` then says why, else where the method trains."""

    method: MethodId
    summary: MethodSummary | None
    about: str = ""

    @property
    def name(self) -> str:
        return str(METHODS[self.method].label)

    @property
    def error(self) -> str:
        return "" if self.summary is None else str(self.summary.error)


def cost_rows(costs: Sequence[MethodCost]) -> RowSpec:
    """One row per method; the key of a row is the method's id."""
    rows = tuple(
        Row(
            cost.name,
            _cells(cost.summary),
            describe(cost),
            cost.method.value,
            ink=Ink("bad") if cost.error else TEXT,
        )
        for cost in costs
    )
    summaries = [cost.summary for cost in costs if cost.summary is not None]
    memory = tuple(
        LegendKey(str(PARTS[part]), ink)
        for part, ink in _PART_INKS.items()
        if any(_part_bytes(summary.memory, part) for summary in summaries)
    )
    unseen, unstated = _MATCH_INKS
    matches = (
        LegendKey(str(tr("exact match: unseen people")), unseen),
        LegendKey(str(tr("unstated facts")), unstated),
    )
    known = any(share is not None for summary in summaries for share in _matches(summary))
    return RowSpec(_columns(), (Band(rows),), (memory, matches if known else ()))


def _columns() -> tuple[Column, ...]:
    trainable = tr("trainable parameters (log)"), tr("trainable (log)"), tr("trainable")
    memory = tr("memory per step"), tr("memory")
    match = tr("exact match, held out"), tr("exact match")
    return (
        Column(tuple(map(str, trainable)), log=True),
        Column(tuple(map(str, memory)), unit="bytes"),
        Column(tuple(map(str, match)), unit="%", limits=(0.0, 100.0)),
    )


def describe(cost: MethodCost) -> str:
    """The read-out of a method with exact numbers."""
    lines: list[Text | str] = [cost.name, *([cost.about] if cost.about else [])]
    summary = cost.summary
    if summary is None:
        return "\n".join(map(str, lines))
    lines.append(
        tr(
            "{trainable:,} of {total:,} parameters train ({share})",
            trainable=summary.trainable_parameters,
            total=summary.total_parameters,
            share=format_quantity(100 * summary.share, "%"),
        )
    )
    lines += memory_lines(summary.memory)
    unseen, unstated = _matches(summary)
    if unseen is not None:
        lines.append(tr("exact match, unseen people: {share:.1%}", share=unseen))
    if unstated is not None:
        lines.append(tr("exact match, unstated facts: {share:.1%}", share=unstated))
    if summary.error:
        lines.append(tr("stopped: {reason}", reason=summary.error))
    return "\n".join(map(str, lines))


def memory_lines(memory: StepMemory) -> list[Text | str]:
    """The memory and its parts, one per line."""
    total = {"quantity": quantity(memory.total_bytes, "bytes"), "bytes": memory.total_bytes}
    lines: list[Text | str] = [
        tr("memory {quantity} ({bytes:,.0f} B): {how}", how=memory.how, **total)
        if memory.how
        else tr("memory {quantity} ({bytes:,.0f} B)", **total)
    ]
    for part, label in PARTS.items():
        value = _part_bytes(memory, part)
        line = (
            tr("{part}: run to measure them", part=label)
            if value is None
            else tr("{part}: {bytes:,.0f} B", part=label, bytes=value)
        )
        lines.append(f"  {line}")
    return lines


def _part_bytes(memory: StepMemory, part: str) -> float | None:
    value: float | None = getattr(memory, f"{part}_bytes")
    return value


def _matches(summary: MethodSummary) -> tuple[float | None, float | None]:
    """Exact-match shares for unseen people and for unstated facts."""
    return summary.exact_match_unseen, summary.exact_match_untold


def _cells(summary: MethodSummary | None) -> tuple[Cell, Cell, Cell]:
    if summary is None:
        return Cell(), Cell(), Cell(texts=("—",))
    return _trainable_cell(summary), _memory_cell(summary.memory), _match_cell(_matches(summary))


def _trainable_cell(summary: MethodSummary) -> Cell:
    """A dot, because the length of a bar has no meaning on a log axis."""
    share = format_quantity(100 * summary.share, "%")
    return Cell(mark=float(summary.trainable_parameters), ink=Ink("accent"), texts=(share,))


def _memory_cell(memory: StepMemory) -> Cell:
    bar = tuple(Segment(_part_bytes(memory, part) or 0.0, ink) for part, ink in _PART_INKS.items())
    return Cell((bar,), texts=(short_quantity(memory.total_bytes, "bytes"),))


def _match_cell(matches: tuple[float | None, float | None]) -> Cell:
    """Two thin bars and both shares as text; a dash before they are known."""
    bars = tuple(
        (Segment(math.nan if share is None else 100 * share, ink),)
        for share, ink in zip(matches, _MATCH_INKS, strict=True)
    )
    known = [f"{100 * share:.0f}" for share in matches if share is not None]
    return Cell(bars, texts=(f"{' · '.join(known)}%" if known else "—",))
