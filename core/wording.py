"""Shared phrases of evidence sentences: numbers with their units and provenance."""

from __future__ import annotations

from core.contracts.claims import Finding, Verdict
from core.contracts.result import Result
from core.format import format_quantity


def quantity(result: Result, name: str) -> str:
    """A metric with its unit, e.g. '59.2 MB'."""
    metric = result.metrics.get(name)
    return "—" if metric is None else format_quantity(metric.value, metric.unit)


def provenance(result: Result, name: str) -> str:
    """How the metric was obtained, e.g. 'traced'."""
    metric = result.metrics.get(name)
    return "missing" if metric is None else metric.provenance.value


def missing(result: Result, *names: str) -> Finding | None:
    """The finding for a run that did not produce the metrics that a claim needs, else None."""
    absent = [name for name in names if name not in result.metrics]
    if not absent:
        return None
    return Finding(Verdict.NOT_TESTED, f"This run did not produce {', '.join(absent)}: run the page to the end.")
