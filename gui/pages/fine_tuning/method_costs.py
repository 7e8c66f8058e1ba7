"""Methods as rows, with what each of them costs and brings: trainable parameters, memory, exact match."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.format import format_quantity
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.result import MethodSummary
from core.topics.fine_tuning.trained_modules import StepMemory
from gui.charts.row_chart_spec import TEXT, Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity

EMPTY = "The costs of each method appear here once the parameters are valid."
PARTS = ("weights", "gradients", "optimizer", "activations")
_PART_INKS = {part: Ink(f"series.{index}", 0.75) for part, index in zip(PARTS, (0, 1, 3, 2), strict=True)}
_MATCHES = ("unseen people", "untold facts")
_MATCH_INKS = Ink("good", 0.85), Ink("series.7", 0.8)
_COLUMNS = (
    Column(("trainable parameters (log)", "trainable (log)", "trainable"), log=True),
    Column(("memory per step", "memory"), unit="bytes"),
    Column(("exact match, held out", "exact match"), unit="%", limits=(0.0, 100.0)),
)


@dataclass(frozen=True)
class MethodCost:
    """One method. `summary` is None where nothing is known of it; `about` says why, or where it trains."""

    method: MethodId
    summary: MethodSummary | None
    about: str = ""

    @property
    def name(self) -> str:
        return METHODS[self.method].label

    @property
    def error(self) -> str:
        return "" if self.summary is None else self.summary.error


def cost_rows(costs: Sequence[MethodCost]) -> RowSpec:
    """One row per method, its key."""
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
        LegendKey(part, ink)
        for part, ink in _PART_INKS.items()
        if any(_part_bytes(summary.memory, part) for summary in summaries)
    )
    unseen, untold = _MATCH_INKS
    matches = LegendKey("exact match: unseen people", unseen), LegendKey("untold facts", untold)
    known = any(share is not None for summary in summaries for share in _matches(summary))
    return RowSpec(_COLUMNS, (Band(rows),), (memory, matches if known else ()))


def describe(cost: MethodCost) -> str:
    """Everything known of a method, exactly."""
    lines, summary = [cost.name, *([cost.about] if cost.about else [])], cost.summary
    if summary is None:
        return "\n".join(lines)
    share = format_quantity(100 * summary.share, "%")
    lines.append(f"{summary.trainable_parameters:,} of {summary.total_parameters:,} parameters train ({share})")
    lines += memory_lines(summary.memory)
    for match, name in zip(_matches(summary), _MATCHES, strict=True):
        if match is not None:
            lines.append(f"exact match, {name}: {match:.1%}")
    if summary.error:
        lines.append(f"stopped: {summary.error}")
    return "\n".join(lines)


def memory_lines(memory: StepMemory) -> list[str]:
    """The parts in words; a part that is not known says so."""
    how = f", {memory.how}" if memory.how else ""
    lines = [f"memory {format_quantity(memory.total_bytes, 'bytes')} ({memory.total_bytes:,.0f} B){how}"]
    for part in PARTS:
        value = _part_bytes(memory, part)
        lines.append(f"  {part}: comes with a run" if value is None else f"  {part} {value:,.0f} B")
    return lines


def _part_bytes(memory: StepMemory, part: str) -> float | None:
    value: float | None = getattr(memory, f"{part}_bytes")
    return value


def _matches(summary: MethodSummary) -> tuple[float | None, float | None]:
    """Shares of held-out rows, in the order of _MATCHES."""
    return summary.exact_match_unseen, summary.exact_match_untold


def _cells(summary: MethodSummary | None) -> tuple[Cell, Cell, Cell]:
    if summary is None:
        return Cell(), Cell(), Cell(texts=("—",))
    return _trainable_cell(summary), _memory_cell(summary.memory), _match_cell(_matches(summary))


def _trainable_cell(summary: MethodSummary) -> Cell:
    """A dot: on a log axis the length of a bar from its left end says nothing."""
    share = format_quantity(100 * summary.share, "%")
    return Cell(mark=float(summary.trainable_parameters), ink=Ink("accent"), texts=(share,))


def _memory_cell(memory: StepMemory) -> Cell:
    bar = tuple(Segment(_part_bytes(memory, part) or 0.0, ink) for part, ink in _PART_INKS.items())
    return Cell((bar,), texts=(short_quantity(memory.total_bytes, "bytes"),))


def _match_cell(matches: tuple[float | None, float | None]) -> Cell:
    """Two thin bars, and both shares in words; a dash before they are known."""
    bars = tuple(
        (Segment(math.nan if share is None else 100 * share, ink),)
        for share, ink in zip(matches, _MATCH_INKS, strict=True)
    )
    known = [f"{100 * share:.0f}" for share in matches if share is not None]
    return Cell(bars, texts=(f"{' · '.join(known)}%" if known else "—",))
