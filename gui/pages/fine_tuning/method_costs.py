"""Methods as rows, with what each of them costs and brings: trainable parameters, memory, exact match."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.format import format_quantity
from gui.charts.row_chart_spec import TEXT, Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment
from gui.charts.ticks import short_quantity

EMPTY = "The costs of each method appear here once the parameters are valid."
PARTS = ("weights", "gradients", "optimizer", "activations")
_PART_INKS = {part: Ink(f"series.{index}", 0.75) for part, index in zip(PARTS, (0, 1, 3, 2), strict=True)}
_MATCHES = ("unseen people", "untold facts")
_MATCH_INKS = Ink("good", 0.85), Ink("series.7", 0.8)
_COLUMNS = (
    Column(("trainable parameters (log)", "trainable (log)"), log=True),
    Column(("memory of a step", "memory"), unit="bytes"),
    Column(("exact match, held out", "exact match"), unit="%", limits=(0.0, 100.0)),
)


@dataclass(frozen=True)
class MemorySplit:
    """Bytes of each part of a training step, NaN where it is not known; `how` says how they were obtained."""

    weights: float = math.nan
    gradients: float = math.nan
    optimizer: float = math.nan
    activations: float = math.nan
    how: str = ""

    def bytes_of(self, part: str) -> float:
        """Bytes of one of PARTS, 0 where it is not known."""
        value = float(getattr(self, part))
        return value if math.isfinite(value) else 0.0

    @property
    def total(self) -> float:
        """Bytes of all parts that are known."""
        return sum(self.bytes_of(part) for part in PARTS)


@dataclass(frozen=True)
class MethodCost:
    """One method. NaN is what is not known; `matches` are shares of held-out rows: unseen people, untold facts."""

    key: str
    name: str
    trainable: int
    total: int
    memory: MemorySplit
    matches: tuple[float, float] = (math.nan, math.nan)
    error: str = ""
    about: str = ""

    @property
    def share(self) -> float:
        return self.trainable / self.total if self.total else math.nan


def cost_rows(costs: Sequence[MethodCost]) -> RowSpec:
    """One row per method, its key."""
    rows = tuple(
        Row(
            cost.name,
            (_trainable_cell(cost), _memory_cell(cost.memory), _match_cell(cost.matches)),
            describe(cost),
            cost.key,
            ink=Ink("bad") if cost.error else TEXT,
        )
        for cost in costs
    )
    memory = tuple(
        LegendKey(part, ink)
        for part, ink in _PART_INKS.items()
        if any(cost.memory.bytes_of(part) > 0 for cost in costs)
    )
    unseen, untold = _MATCH_INKS
    matches = LegendKey("exact match: unseen people", unseen), LegendKey("untold facts", untold)
    known = any(math.isfinite(share) for cost in costs for share in cost.matches)
    return RowSpec(_COLUMNS, (Band(rows),), (memory, matches if known else ()))


def describe(cost: MethodCost) -> str:
    """Everything known of a method, exactly."""
    lines = [cost.name]
    if cost.about:
        lines.append(cost.about)
    if cost.total:
        share = format_quantity(100 * cost.share, "%")
        lines.append(f"{cost.trainable:,} of {cost.total:,} parameters train ({share})")
    lines += memory_lines(cost.memory)
    for share, name in zip(cost.matches, _MATCHES, strict=True):
        if math.isfinite(share):
            lines.append(f"exact match, {name}: {share:.1%}")
    if cost.error:
        lines.append(f"stopped: {cost.error}")
    return "\n".join(lines)


def memory_lines(split: MemorySplit) -> list[str]:
    """The parts in words; a part that is not known says so."""
    if split.total <= 0:
        return []
    how = f", {split.how}" if split.how else ""
    lines = [f"memory {format_quantity(split.total, 'bytes')} ({split.total:,.0f} B){how}"]
    for part in PARTS:
        value = float(getattr(split, part))
        lines.append(f"  {part} {value:,.0f} B" if math.isfinite(value) else f"  {part}: comes with a run")
    return lines


def _trainable_cell(cost: MethodCost) -> Cell:
    """A dot: on a log axis the length of a bar from its left end says nothing."""
    known = float(cost.trainable) if cost.total else math.nan
    return Cell(mark=known, ink=Ink("accent"), texts=(format_quantity(100 * cost.share, "%"),))


def _memory_cell(split: MemorySplit) -> Cell:
    if split.total <= 0:
        return Cell()
    bar = tuple(Segment(split.bytes_of(part), ink) for part, ink in _PART_INKS.items())
    return Cell((bar,), texts=(short_quantity(split.total, "bytes"),))


def _match_cell(matches: tuple[float, float]) -> Cell:
    """Two thin bars, and both shares in words; a dash before they are known."""
    bars = tuple((Segment(100 * share, ink),) for share, ink in zip(matches, _MATCH_INKS, strict=True))
    known = [f"{100 * share:.0f}" for share in matches if math.isfinite(share)]
    return Cell(bars, texts=(f"{' · '.join(known)}%" if known else "—",))
