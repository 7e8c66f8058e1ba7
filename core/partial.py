"""A Result in the making, as the payload of a Partial, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.result import Environment, Metric, Provenance, Result


def as_partial(result: Result) -> dict[str, Any]:
    """The payload of a Partial: the result so far as arrays and plain values."""
    return {
        "topic": result.topic,
        "params": dict(result.params),
        "environment": {**asdict(result.environment), "versions": dict(result.environment.versions)},
        "metrics": {
            name: {"value": m.value, "unit": m.unit, "provenance": m.provenance.value, "note": m.note}
            for name, m in result.metrics.items()
        },
        "arrays": dict(result.arrays),
        "tables": dict(result.tables),
    }


def from_partial(payload: Mapping[str, Any]) -> Result:
    """The inverse of `as_partial`."""
    return Result(
        topic=payload["topic"],
        params=payload["params"],
        environment=Environment(**payload["environment"]),
        metrics={
            name: Metric(**{**metric, "provenance": Provenance(metric["provenance"])})
            for name, metric in payload["metrics"].items()
        },
        arrays=payload["arrays"],
        tables=payload["tables"],
    )
