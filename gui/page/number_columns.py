"""The columns of the table of numbers: of one run, and of run B beside run A."""

from __future__ import annotations

import math
from collections.abc import Callable

from core.contracts.result import Metric
from core.contracts.text import Text, tr
from core.format import exact_quantity, format_quantity
from core.run_differences import NumberPair
from gui.widgets.badge import EXPLANATIONS
from gui.widgets.record_model import Column


def _value(metric: Metric | None) -> Metric | None:
    return None if metric is None or math.isnan(metric.value) else metric


def _write(metric: Metric) -> str:
    return format_quantity(metric.value, metric.unit)


def _exact(metric: Metric | None) -> str:
    return "—" if metric is None else str(exact_quantity(metric.value, metric.unit))


def _tone(pair: NumberPair) -> str:
    return "accent" if pair.differs else "faint"


_NAME: Column[NumberPair] = Column(
    "name", tr("Metric"), tr("The name of the metric"), lambda pair: pair.name, number=False, mono=True
)
_PROVENANCE: Column[NumberPair] = Column(
    "provenance",
    tr("Provenance"),
    tr("Where the number comes from"),
    lambda pair: None if pair.b is None else pair.b.provenance,
    lambda provenance: str(provenance.label),
    number=False,
    tip=lambda pair: "—" if pair.b is None else str(EXPLANATIONS[pair.b.provenance]),
    badge=True,
)
_NOTE: Column[NumberPair] = Column(
    "note",
    tr("Note"),
    tr("How the number was obtained, or what it refers to"),
    lambda pair: "" if pair.b is None else str(pair.b.note),
    number=False,
    stretch=True,
)


def _of_run(
    name: str,
    title: Text | str,
    help: Text,
    metric: Callable[[NumberPair], Metric | None],
    tone: Callable[[NumberPair], str] | None = None,
) -> Column[NumberPair]:
    """The value of one of the two runs."""
    return Column(
        name,
        title,
        help,
        lambda pair: _value(metric(pair)),
        _write,
        order=lambda pair: getattr(metric(pair), "value", math.nan),
        tip=lambda pair: _exact(metric(pair)),
        tone=tone,
    )


def _a(pair: NumberPair) -> Metric | None:
    return pair.a


def _b(pair: NumberPair) -> Metric | None:
    return pair.b


OF_ONE_RUN: tuple[Column[NumberPair], ...] = (
    _NAME,
    _of_run("value", tr("Value"), tr("The value with its unit"), _b),
    _PROVENANCE,
    _NOTE,
)
OF_A_AND_B: tuple[Column[NumberPair], ...] = (
    _NAME,
    _of_run("a", "A", tr("The value in the pinned run"), _a),
    _of_run("value", "B", tr("The value in the run that is shown"), _b, _tone),
    Column(
        "difference",
        tr("Difference"),
        tr("B less A"),
        lambda pair: None if pair.difference is None else pair,
        lambda pair: format_quantity(pair.difference, pair.unit),
        order=lambda pair: pair.difference,
        tip=lambda pair: "—" if pair.difference is None else str(exact_quantity(pair.difference, pair.unit)),
        tone=_tone,
    ),
    Column(
        "ratio",
        tr("Ratio"),
        tr("B over A"),
        lambda pair: pair.ratio,
        lambda ratio: format_quantity(ratio, "x", 4),
        tone=_tone,
    ),
    _PROVENANCE,
    _NOTE,
)
