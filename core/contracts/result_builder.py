"""A Result in the making, as the payload of a Partial, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from core.contracts.params import Params
from core.contracts.result import Environment, Metric, Provenance, Result, Row


@dataclass
class Draft:
    """A result in the making: an experiment fills it phase by phase."""

    topic: str
    params: Params
    environment: Environment
    metrics: dict[str, Metric] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def result(self) -> Result:
        """What there is by now; later changes of the draft do not reach it."""
        return Result(
            self.topic,
            self.params.model_dump(mode="json"),
            self.environment,
            dict(self.metrics),
            dict(self.arrays),
            dict(self.tables),
        )


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
