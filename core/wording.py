"""Shared phrases of evidence sentences: numbers with their units and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from core.contracts.claims import Finding, Verdict
from core.contracts.text import Text, listed, tr, verbatim
from core.format import quantity as quantity_of

if TYPE_CHECKING:
    from core.contracts.result import Environment, Result


def quantity(result: Result, name: str) -> Text:
    """A metric with its unit, e.g. '59.2 MB'."""
    metric = result.metrics.get(name)
    return verbatim("—") if metric is None else quantity_of(metric.value, metric.unit)


def provenance(result: Result, name: str) -> Text:
    """How the metric was obtained, e.g. 'traced'."""
    metric = result.metrics.get(name)
    return tr("missing") if metric is None else metric.provenance.label


_BACKENDS = {
    "TTIR interpreter (CPU)": tr("TTIR interpreter (CPU)"),
    "TTIR interpreter (CUDA)": tr("TTIR interpreter (CUDA)"),
    "CUDA; numpy for the report": tr("CUDA; numpy for the report"),
    "numpy and torch": tr("numpy and torch"),
    "trace file": tr("trace file"),
}


def backend(environment: Environment) -> Text:
    """How kernels ran: libraries and devices by name, and what has a translation as a text."""
    return listed(_BACKENDS.get(part, part) for part in environment.backend.split(", "))


class Sentence(Protocol):
    """An English message with its named values, as `kernels.errors.KernelError` has it."""

    @property
    def message(self) -> str: ...

    @property
    def values(self) -> Mapping[str, str | int | float]: ...


def reason_of(error: Sentence) -> Text:
    """Why a kernel refused, as a text that can be translated."""
    return Text(error.message, tuple(error.values.items()))


NOT_TRACED = tr(
    "Triton, which exists for Linux only, is not installed here: no kernel is traced, and what needs that is left out."
)
"""For a run that goes on without its traces."""


def missing(result: Result, *names: str) -> Finding | None:
    """The finding for a run that did not produce the metrics that a claim needs, else None."""
    absent = [name for name in names if name not in result.metrics]
    if not absent:
        return None
    if result.environment.versions and "triton" not in result.environment.versions:
        text = tr(
            "This run did not produce {metrics}: Triton, which traces need, was not installed where it ran.",
            metrics=listed(absent),
        )
    else:
        text = tr("This run did not produce {metrics}: run the page to the end.", metrics=listed(absent))
    return Finding(Verdict.NOT_TESTED, text)
